"""Wrong implementations, written plainly: what is wrong with them is named, and what is right is left alone."""

import itertools
import json

import numpy as np
import pytest

import secondorder as so
from secondorder.arrays import epsilon, norm
from secondorder.linalg import kronecker_factors, wolfe
from secondorder.run import ray
from secondorder.validate import Candidate, check, from_step
from secondorder.validate import diagnosis as module
from secondorder.validate.problems import network


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """What is found must not depend on how busy the machine is."""
    monkeypatch.setattr(module, "SECONDS", 300.0)


def adam(lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, bug="", shown=True):
    def step(x, g, state):
        m, v, t = state or (0.0 * x, 0.0 * x, 0)
        t += 1
        m, old, v = b1 * m + (1 - b1) * g, v, b2 * v + (1 - b2) * g**2
        c1, c2 = 1 - b1**t, 1 - b2**t
        if bug == "no correction":
            c1 = c2 = 1.0
        if bug == "one too many":
            c1, c2 = 1 - b1 ** (t + 1), 1 - b2 ** (t + 1)
        root = np.sqrt(v / c2) + eps
        if bug == "inside":
            root = np.sqrt(v / c2 + eps)
        if bug == "before":
            root = (np.sqrt(v) + eps) / np.sqrt(c2)
        if bug == "no root":
            root = v / c2 + eps
        if bug == "late":
            root = np.sqrt(old / c2) + eps
        u = -lr * (m / c1) / root
        if bug == "ascent":
            u = -u
        if bug == "decay":
            u = u - 0.01 * x
        return x + u, (m, v, t)

    def told(problem, x):
        state = None
        yield so.Iterate(x)
        while True:
            x, state = step(x, problem.grad(x), state)
            yield so.Iterate(x, **({"first_moment": state[0], "second_moment": state[1]} if shown else {}))

    return Candidate("mine", told)


def switches(report):
    assert not report.agrees
    assert report.explanation, str(report)
    return report.explanation.switches


@pytest.mark.parametrize(
    ("wrong", "kind", "change"),
    [
        ({"b2": 0.99}, "hyperparameter", {"beta2": 0.99}),
        ({"b1": 0.999, "b2": 0.9}, "hyperparameter", {"beta1": 0.999, "beta2": 0.9}),
        ({"lr": 3.7e-4, "shown": False}, "hyperparameter", {"learning_rate": 3.7e-4}),
        ({"eps": 1e-5}, "hyperparameter", {"epsilon": 1e-5}),
        ({"bug": "inside"}, "epsilon", None),
        ({"bug": "before"}, "epsilon", None),
        ({"bug": "no correction"}, "bias correction", None),
        ({"bug": "one too many"}, "bias correction", None),
        ({"bug": "no root"}, "exponent", None),
        ({"bug": "late"}, "delay", None),
        ({"bug": "ascent"}, "scale", {"factor": -1.0}),
        ({"bug": "decay"}, "decay", {"weight_decay": 0.01}),
    ],
)
def test_wrong_adams(wrong, kind, change):
    (switch,) = switches(check(adam(**wrong), "adam"))
    assert switch.kind == kind
    if change is not None:
        assert dict(switch.change) == pytest.approx(change, rel=1e-9)
    path, line = switch.where
    assert path == "secondorder/diagonal/adam.py"
    assert 150 <= line <= 162, "within the loop that computes"


def test_two_mistakes_are_both_named():
    found = switches(check(adam(b2=0.99, bug="inside"), "adam"))
    assert {switch.kind for switch in found} == {"hyperparameter", "epsilon"}
    found = switches(check(adam(b1=0.5, bug="decay", shown=False), "adam"))
    assert {**found[0].change, **found[1].change} == pytest.approx({"beta1": 0.5, "weight_decay": 0.01})


def test_float32_is_named_by_round_numbers():
    def step(x, g, state):
        t = state["t"] + 1
        m, v = 0.8 * state["m"] + 0.2 * g, 0.999 * state["v"] + 0.001 * g * g
        x = x - 1e-3 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return x, {"m": m, "v": v, "t": t}

    start = {"m": 0.0, "v": 0.0, "t": 0}
    (switch,) = switches(check(from_step(step, start, dtype="float32"), "adam", steps=5))
    assert dict(switch.change) == {"beta1": 0.8}


def test_a_right_one_is_not_explained():
    for candidate in (adam(), adam(shown=False)):
        report = check(candidate, "adam")
        assert report.agrees
        assert report.explanation is None


def test_what_nothing_explains_is_said_to_be_so():
    def noise(problem, x):
        rng = np.random.default_rng(1)
        for _ in itertools.count():
            yield so.Iterate(x)
            problem.grad(x)
            x = x + 1e-3 * rng.standard_normal(x.shape)

    report = check(Candidate("noise", noise), "gradient_descent", so.problems.rosenbrock(), steps=5)
    assert not report.explanation
    assert "no change known here explains it" in str(report)
    assert report.to_dict()["explanation"]["switches"] == []


def test_the_search_ends_in_time(monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.0)
    report = check(adam(bug="inside"), "adam", steps=5)
    assert report.explanation.cut
    assert "cut short" in report.verdict


def test_the_words_and_the_dictionary():
    report = check(adam(b2=0.99), "adam", steps=5, beta2=0.999)
    assert (
        "; it equals the reference with beta2=0.99 (given: 0.999) [secondorder/diagonal/adam.py, line "
        in report.verdict
    )
    (told,) = json.loads(report.to_json())["explanation"]["switches"]
    assert told["kind"] == "hyperparameter"
    assert told["change"] == {"beta2": 0.99}
    assert told["where"][0] == "secondorder/diagonal/adam.py"


def shampoo(power=0.25, eps=1e-4, lr=0.1, momentum=0.0, exchanged=False, decay=None):
    def root(A):
        values, vectors = np.linalg.eigh(A + eps * np.eye(len(A)))
        return (vectors * values**-power) @ vectors.T

    def iterates(problem, x):
        left, right, M = [0.0] * 2, [0.0] * 2, 0.0
        past, new = (1.0, 1.0) if decay is None else (decay, 1.0 - decay)
        yield so.Iterate(x)
        while True:
            g = problem.grad(x)
            M = momentum * M + (1.0 - momentum) * g
            Gs = problem.split(g)
            left = [past * L + new * G @ G.T for L, G in zip(left, Gs, strict=True)]
            right = [past * R + new * G.T @ G for R, G in zip(right, Gs, strict=True)]
            moved = [root(L) @ D @ root(R) for L, D, R in zip(left, problem.split(M), right, strict=True)]
            x = x - lr * problem.join(moved)
            factors = (tuple(right), tuple(left)) if exchanged else (tuple(left), tuple(right))
            yield so.Iterate(x, left_factor=factors[0], right_factor=factors[1])

    return Candidate("mine", iterates)


@pytest.mark.parametrize(
    ("wrong", "given", "kinds", "change"),
    [
        ({"power": 0.5}, {}, ["variant"], {"exponent": 0.5}),
        ({"power": 1 / 3}, {}, ["hyperparameter"], {"exponent": 1 / 3}),
        ({"eps": 1e-6}, {}, ["hyperparameter"], {"epsilon": 1e-6}),
        pytest.param(
            {"power": 0.5, "eps": 1e-2},
            {},
            ["variant", "hyperparameter"],
            {"exponent": 0.5, "epsilon": 1e-2},
            marks=pytest.mark.slow,
        ),
        ({"exchanged": True}, {}, ["convention"], None),
        ({"decay": 0.9}, {"beta2": 0.9}, ["bias correction"], None),
    ],
)
def test_wrong_shampoos(wrong, given, kinds, change):
    found = switches(check(shampoo(**wrong), "shampoo", network(), **given))
    assert [switch.kind for switch in found] == kinds
    if change is not None:
        assert {k: v for switch in found for k, v in switch.change.items()} == pytest.approx(change, rel=1e-6)


def adahessian(eps=1e-4, power=1.0, magnitudes=False, bug=""):
    def means(problem, D):
        for W in problem.split(D):
            for row in W:
                for i in range(0, len(row) - 1, 4):
                    row[i : min(i + 4, len(row) - 1)] = np.mean(row[i : min(i + 4, len(row) - 1)])
                yield from row

    def iterates(problem, x, rng):
        m = v = 0.0
        yield so.Iterate(x)
        for t in itertools.count(1):
            z = rng.choice([-1.0, 1.0], size=x.shape)
            g, D = problem.grad(x), z * problem.hvp(x, z)
            D = np.array(list(means(problem, np.array(abs(D) if magnitudes else D))))
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * D * D
            scale = np.sqrt(v if bug == "no correction" else v / (1 - 0.999**t)) ** power
            scale = np.sqrt(v / (1 - 0.999**t) + eps) if bug == "inside" else scale + eps
            x = x - 0.15 * m / (1 - 0.9**t) / scale
            yield so.Iterate(x, hessian_diagonal=D, first_moment=m, second_moment=v)

    return Candidate("mine", iterates)


@pytest.mark.parametrize(
    ("wrong", "kinds"),
    [
        ({"magnitudes": True}, ["variant"]),
        ({"power": 0.5}, ["hyperparameter"]),
        ({"bug": "inside"}, ["epsilon"]),
        ({"bug": "no correction"}, ["bias correction"]),
        pytest.param({"magnitudes": True, "bug": "inside"}, ["variant", "epsilon"], marks=pytest.mark.slow),
    ],
)
def test_wrong_adahessians(wrong, kinds):
    found = switches(check(adahessian(**wrong), "adahessian", network()))
    assert [switch.kind for switch in found] == kinds
    assert check(adahessian(), "adahessian", network()).agrees


def lbfgs(memory=10, sign=-1.0):
    def iterates(problem, x):
        pairs, f, g = [], problem.f(x), problem.grad(x)
        yield so.Iterate(x)
        while True:
            q, weights = -g, []
            for s, y in reversed(pairs):
                weights.append((s @ q) / (s @ y))
                q = q - weights[-1] * y
            if pairs:
                s, y = pairs[-1]
                q = (s @ y) / (y @ y) * q
            for (s, y), weight in zip(pairs, reversed(weights), strict=True):
                q = q + (weight + sign * (y @ q) / (s @ y)) * s
            first = 1.0 if pairs else 1.0 / norm(g)
            found = wolfe(ray(problem, x, q), f, float(g @ q), epsilon(x), curvature=0.9, first=first)
            if found is None:
                return "stalled"
            length, f, new, _ = found
            pairs = [*pairs, (length * q, new - g)][-memory:]
            x, g = x + length * q, new
            yield so.Iterate(x, step_size=length)

    return Candidate("mine", iterates)


@pytest.mark.slow
def test_wrong_lbfgs():
    problem = so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2)
    (switch,) = switches(check(lbfgs(memory=3), "lbfgs", problem))
    assert dict(switch.change) == {"memory": 3}
    (switch,) = switches(check(lbfgs(sign=1.0), "lbfgs", problem))
    assert switch.kind == "sign"
    assert "weight" in switch.words or "y @ q" in switch.words


def kfac(divisor=1.0, pi=True):
    def iterates(problem, x):
        step, A, B = 0.0, [], []
        yield so.Iterate(x)
        for k in itertools.count():
            g, layers = problem.grad(x), problem.signals(x, "empirical")
            seen = [kronecker_factors(layer.inputs, layer.signals / divisor) for layer in layers]
            past = min(k / (k + 1.0), 0.95)
            A = [past * old + (1 - past) * new for old, (new, _) in zip(A or [0.0] * 2, seen, strict=True)]
            B = [past * old + (1 - past) * new for old, (_, new) in zip(B or [0.0] * 2, seen, strict=True)]
            moved = []
            for G, a, b in zip(problem.split(g), A, B, strict=True):
                ratio = np.sqrt(np.trace(a) / len(a) / (np.trace(b) / len(b))) if pi else 1.0
                root = np.sqrt(0.01 + problem.l2)
                a, b = a + ratio * root * np.eye(len(a)), b + root / ratio * np.eye(len(b))
                moved.append(-np.linalg.solve(b, G) @ np.linalg.inv(a))
            d = problem.join(moved)
            shrink = min(1.0, np.sqrt(1e-3 / abs(g @ d)) / 0.1)
            step = 0.1 * shrink * d + 0.9 * step
            x = x + step
            yield so.Iterate(x, right_factor=tuple(A), left_factor=tuple(B))

    return Candidate("mine", iterates)


@pytest.mark.slow
def test_wrong_kfac():
    given = {"fisher": "empirical", "rescaling": "kl_clip", "refresh": 1}
    assert check(kfac(), "kfac", network(), **given).agrees
    (switch,) = switches(check(kfac(divisor=24.0), "kfac", network(), **given))
    assert switch.kind == "scale"
    assert "`signals` times 0.0416667 = 1/N" in switch.words
