"""Property checks: each is passed by what has the property, and failed, in words, by a hand-made mistake."""

import functools
import itertools

import numpy as np
import pytest

import secondorder as so
from secondorder.catalogue import find
from secondorder.ledger import Ledger
from secondorder.validate import Candidate, check, from_step, record
from secondorder.validate import probes as P
from secondorder.validate.probes import findings
from secondorder.validate.recording import tapped


def settings(method, **hyper):
    return Candidate(method.method.name, functools.partial(method, **hyper))


# ------------------------------------------------------------------------------------------------ 1. random probes


def diagonal_estimate(draw):
    """A descent that asks for a product with ``draw(rng, t, d)`` at each step."""

    def iterates(problem, x, rng=None):
        for t in itertools.count():
            grad = problem.grad(x)
            yield so.Iterate(x)
            v = draw(rng, t, len(x))
            x = x - 1e-3 * grad / (1.0 + np.abs(v * problem.hvp(x, v)))

    return iterates


def pairs(rng, t, d):
    return np.repeat(rng.choice([-1.0, 1.0], d // 2), 2)


DRAWS = {
    "signs": (lambda rng, t, d: rng.choice([-1.0, 1.0], d), True, "signs"),
    "normal": (lambda rng, t, d: rng.standard_normal(d), True, "normal"),
    "coordinates": (lambda rng, t, d: d**0.5 * np.eye(d)[rng.integers(d)], True, "other"),
    "constant": (lambda rng, t, d: 2.0 * rng.integers(0, 1, d) - 1.0, False, "constant"),
    "a constant sign each time": (lambda rng, t, d: rng.choice([-1.0, 1.0]) * np.ones(d), False, "signs"),
    "one draw for ever": (
        lambda rng, t, d: np.random.default_rng(0).choice([-1.0, 1.0], d),
        False,
        "the same every time",
    ),
    "too long": (lambda rng, t, d: 2.0 * rng.choice([-1.0, 1.0], d), False, "other"),
    "uniform": (lambda rng, t, d: rng.uniform(-1.0, 1.0, d), False, "other"),
    "pairs": (pairs, False, "signs"),
    "zeros and ones": (lambda rng, t, d: rng.choice([0.0, 1.0], d), False, "other"),
}


@pytest.mark.parametrize(("draw", "passed", "law"), DRAWS.values(), ids=DRAWS)
def test_the_law_of_the_probes(draw, passed, law):
    finding = P.unbiased_probes(diagonal_estimate(draw))
    assert (finding.passed, finding.measured["law"]) == (passed, law), str(finding)
    assert finding.measured["draws"] == 400
    assert (finding.measured["sigmas"] <= P.SIGMAS) == passed


def test_constant_probes_are_named_with_what_they_estimate():
    finding = P.unbiased_probes(settings(so.diagonal.adahessian, probe="constant"))
    assert finding.words == (
        "constant vectors, -1 in every place: E vv' is not I, and the mean of v * Hv is not the diagonal of H but the row "
        "sums of H"
    )
    assert P.unbiased_probes(settings(so.diagonal.adahessian, probe="gaussian")).measured["law"] == "normal"


@pytest.mark.parametrize("seed", range(10))
def test_right_probes_pass_with_every_seed(seed):
    assert P.unbiased_probes(diagonal_estimate(DRAWS["normal"][0]), seed=seed, draws=100).passed


def test_probes_at_every_tenth_step_are_gathered():
    finding = P.unbiased_probes(settings(so.diagonal.adahessian, refresh=10), draws=50)
    assert finding.passed and finding.measured["draws"] == 50


def along_the_slope(problem, x):
    while True:
        grad = problem.grad(x)
        yield so.Iterate(x)
        x = x - 1e-3 * grad / (1.0 + abs(grad @ problem.hvp(x, grad)))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (along_the_slope, "does not apply: the vectors that it multiplies by the Hessian are not random"),
        (so.diagonal.adam, "does not apply: it asks for no products with the Hessian"),
    ],
)
def test_what_draws_nothing_is_not_asked(method, words):
    finding = P.unbiased_probes(method)
    assert finding.passed is None and finding.words == words and not finding.measured
    assert str(finding).startswith("unbiased probes: not applicable. ")


ESTIMATORS = {
    "signs": (lambda matvec, d, rng: (v := rng.choice([-1.0, 1.0], d)) * matvec(v), True),
    "normal": (lambda matvec, d, rng: (v := rng.standard_normal(d)) * matvec(v), True),
    "constant": (lambda matvec, d, rng: -matvec(-np.ones(d)), False),
    "magnitudes": (lambda matvec, d, rng: np.abs((v := rng.choice([-1.0, 1.0], d)) * matvec(v)), False),
    "halved": (lambda matvec, d, rng: 0.5 * (v := rng.choice([-1.0, 1.0], d)) * matvec(v), False),
}


@pytest.mark.parametrize(("estimator", "passed"), ESTIMATORS.values(), ids=ESTIMATORS)
def test_estimators_of_a_diagonal(estimator, passed):
    assert P.unbiased_diagonal(estimator).passed is passed


def test_an_estimator_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"estimator must return an array of shape \(6,\); got \(6, 6\)"):
        P.unbiased_diagonal(lambda matvec, d, rng: np.eye(d))


# --------------------------------------------------------------------------------------------- 2. refresh schedule


def stale(sampled, absorbed, clip=np.inf):
    """Curvature asked for at some steps and taken over at others, counted from 1; signs of the gradient until then."""

    def iterates(problem, x, rng=None):
        fresh, D = None, np.zeros_like(x)
        for t in itertools.count(1):
            grad = problem.grad(x)
            yield so.Iterate(x)
            if sampled(t):
                z = rng.choice([-1.0, 1.0], len(x))
                fresh = z * problem.hvp(x, z)
            if absorbed(t) and fresh is not None:
                D = np.abs(fresh)
            x = x - 1e-3 * np.clip(grad / (D + 1e-12), -clip, clip)

    return iterates


def every(k, start=1):
    return lambda t: t >= start and (t - start) % k == 0


def test_a_schedule_that_asks_after_eleven_and_takes_over_after_twenty():
    finding = P.refresh_schedule(stale(every(10, 11), every(10, 10), clip=0.01), expected=0)
    assert finding.passed is False
    assert finding.measured == {"hvp": ((11, 20), (21, 30), (31, 40), (41, 50))}
    assert finding.words == (
        "hvp asked for at steps 11, 21, 31, 41 is first used at 20, 30, 40, 50, up to 9 steps late"
    )


@pytest.mark.parametrize("k", [1, 3, 10])
def test_a_schedule_without_delay(k):
    finding = P.refresh_schedule(stale(every(k), every(k)), expected=0)
    assert finding.passed and finding.measured == {"hvp": tuple((1 + i * k, 1 + i * k) for i in range(4))}
    assert finding.words.endswith("is first used at once")
    assert P.refresh_schedule(stale(every(k), every(k))).passed is None


def test_one_step_late_and_never():
    late = P.refresh_schedule(stale(every(3), every(3, 2)))
    assert late.measured == {"hvp": ((1, 2), (4, 5), (7, 8), (10, 11))}
    assert P.refresh_schedule(stale(every(3), every(3, 2)), expected=1).passed
    never = P.refresh_schedule(stale(every(3), lambda t: False), expected=0)
    assert never.passed is False and {used for _, used in never.measured["hvp"]} == {None}


@pytest.mark.parametrize(
    ("candidate", "measured"),
    [
        (settings(so.newton.lazy_newton, period=3), {"hess": ((1, 1), (4, 4), (7, 7), (10, 10))}),
        (so.newton.trust_region, {"hess": ((1, 1), (2, 2), (3, 3), (4, 4))}),
        (settings(so.diagonal.adahessian, refresh=5), {"hvp": ((1, 1), (6, 6), (11, 11), (16, 16))}),
        (settings(so.kronecker.kfac, rescaling="kl_clip", refresh=3), {"signals": ((1, 1), (2, 4), (3, 4), (4, 4))}),
    ],
)
def test_the_schedules_of_methods(candidate, measured):
    assert P.refresh_schedule(candidate).measured == measured


def test_no_curvature_no_schedule():
    assert P.refresh_schedule(so.diagonal.adam).words == "does not apply: it asks for no curvature"


# ---------------------------------------------------------------------------------------------- 3. matrix exponent

SHAMPOO = so.kronecker.shampoo


@pytest.mark.parametrize(
    ("hyper", "exponent", "weight"),
    [
        ({}, 0.25, 1.0),
        ({"exponent": 0.5}, 0.5, 1.0),
        ({"exponent": 0.125, "beta2": 0.5}, 0.125, 0.5),
        ({"beta2": 0.95, "epsilon": 1e-8}, 0.25, 0.95),
    ],
)
def test_the_exponent_of_shampoo(hyper, exponent, weight):
    finding = P.matrix_exponent(settings(SHAMPOO, **hyper), expected=exponent)
    assert finding.passed, str(finding)
    assert finding.measured["first"] == pytest.approx(exponent, abs=1e-4)
    assert finding.measured["later"] == pytest.approx(exponent, abs=1e-4)
    assert finding.measured["weight"] == pytest.approx(weight, rel=1e-3)
    assert P.matrix_exponent(settings(SHAMPOO, **hyper), expected=exponent + 0.05).passed is False


def test_one_gradient_does_not_tell_half_powers_of_sequential_statistics_and_three_do():
    finding = P.matrix_exponent(settings(SHAMPOO, **SHAMPOO.method.variants["sequential statistics"]), expected=0.25)
    assert finding.measured["first"] == pytest.approx(0.25, abs=1e-4)
    assert finding.passed is False and finding.measured["misfit"] > 0.05
    assert "but no power of summed squares fits later ones" in finding.words


def test_no_preconditioner_has_exponent_zero_and_an_entrywise_one_none():
    descent = from_step(lambda params, grad, state: (params - 1e-3 * grad, state))
    assert P.matrix_exponent(descent, expected=0.0).passed
    assert "no function of the singular values" in P.matrix_exponent(so.diagonal.adam).words


# -------------------------------------------------------------------------------------------- 4. batch duplication


def empirical(problem):
    return problem.fisher(problem.x0, "empirical")


MATRICES = {
    "Gauss-Newton": (lambda p: p.ggn(p.x0), True, 1.0),
    "Hessian": (lambda p: p.hess(p.x0), True, 1.0),
    "empirical Fisher": (empirical, True, 2.0),
    "a sum": (lambda p: p.n * p.ggn(p.x0), False, 1.0),
    "divided twice": (lambda p: empirical(p) / p.n, False, 2.0),
    "an operator": (lambda p: so.operators.GGN(p, p.x0), True, 1.0),
}


@pytest.mark.parametrize(("matrix", "passed", "degree"), MATRICES.values(), ids=MATRICES)
def test_curvature_matrices(matrix, passed, degree):
    finding = P.batch_duplication(matrix)
    assert finding.passed is passed, str(finding)
    assert finding.measured["degree"] == pytest.approx(degree, abs=1e-6)


def test_a_sum_for_a_mean_is_named():
    assert P.batch_duplication(MATRICES["a sum"][0]).words.startswith(
        "repeating every example multiplies the matrix by 2: a sum where a mean is meant"
    )
    assert P.batch_duplication(MATRICES["divided twice"][0]).words.startswith(
        "repeating every example multiplies the matrix by 0.5;"
    )


def diagonal_fisher(mean):
    def iterates(problem, x):
        while True:
            grad = problem.grad(x)
            yield so.Iterate(x)
            squares = so.linalg.ExampleGradients(problem.signals(x, "empirical")).dense() ** 2
            x = x - 0.1 * grad / (np.mean(squares, axis=0) if mean else np.sum(squares, axis=0) + 1e-3)

    return iterates


def test_a_matrix_of_no_numbers_fails():
    finding = P.batch_duplication(lambda p: np.nan * p.ggn(p.x0))
    assert finding.passed is False and finding.words == "the matrix is not finite"


def test_an_optimiser_whose_curvature_is_a_sum():
    assert P.batch_duplication(diagonal_fisher(True)).passed
    finding = P.batch_duplication(diagonal_fisher(False))
    assert finding.passed is False and finding.measured["deviation"] > 0.1


def test_what_rounding_decides_is_not_judged():
    """Signs of differences that are rounding: as random on repeated data as on the same data."""

    def rounding(problem, x):
        while True:
            grad = problem.grad(x)
            yield so.Iterate(x)
            x = x - 1e-3 * np.sign(
                np.cumsum(grad) - np.cumsum(grad[::-1])[::-1] - 2.0 * np.cumsum(grad) + np.sum(grad) + grad
            )

    finding = P.batch_duplication(rounding)
    assert finding.passed is None and "a change in the last digit of its gradients" in finding.words


def test_the_loss_scaled_and_what_draws_labels():
    assert P.batch_duplication(so.newton.bfgs).measured["degree"] == pytest.approx(0.0, abs=1e-9)
    descent = from_step(lambda params, grad, state: (params - 1e-3 * grad, state))
    assert P.batch_duplication(descent).measured["degree"] == pytest.approx(1.0, abs=1e-9)
    assert "draws random numbers" in P.batch_duplication(so.kronecker.kfac).words
    assert P.batch_duplication(settings(so.kronecker.kfac, fisher="exact")).passed


# -------------------------------------------------------------------------------------------- 5. basis permutation


def soap(carry, refresh=5):
    """Adam in the eigenbasis of Shampoo's factors, sorted anew at each refresh, with or without the second moment."""

    def iterates(problem, x):
        L = R = V = 0.0
        bases = None
        for t in itertools.count():
            (G,) = problem.split(problem.grad(x))
            yield so.Iterate(x)
            L, R = L + G @ G.T, R + G.T @ G
            if t % refresh == 0:
                new = [np.linalg.eigh(F)[1][:, ::-1] for F in (L, R)]
                if bases is not None and carry:
                    order = [np.argmax(np.abs(old.T @ fresh), axis=0) for old, fresh in zip(bases, new)]
                    V = V[np.ix_(*order)]
                bases = new
            left, right = bases
            turned = left.T @ G @ right
            V = 0.9 * V + 0.1 * turned**2
            x = x - problem.join([0.01 * left @ (turned / (np.sqrt(V) + 1e-8)) @ right.T])

    return iterates


def by_place(problem, x):
    """A step that depends on where an entry stands."""
    while True:
        grad = problem.grad(x)
        yield so.Iterate(x)
        x = x - np.linspace(1e-3, 2e-3, len(x)) * grad


def test_a_second_moment_left_in_the_old_order_of_the_basis():
    right, wrong = (P.basis_permutation(soap(carry)) for carry in (True, False))
    assert right.passed, str(right)
    assert wrong.passed is False and wrong.measured["crossing"] > 0.05
    assert wrong.measured["permutation"] < 1e-3, "relabelling alone does not show it: the sorted basis is the same"
    assert "an entry that outgrows others moves them" in wrong.words


def test_steps_that_depend_on_the_place():
    finding = P.basis_permutation(by_place)
    assert finding.passed is False and finding.measured["permutation"] > 0.01
    assert finding.measured["crossing"] == 0.0


@pytest.mark.parametrize(
    ("method", "rotation"),
    [(so.kronecker.shampoo, True), (so.diagonal.adam, False), (so.newton.bfgs, True), (so.newton.cubic_newton, True)],
)
def test_methods_follow_permutations_and_some_rotations(method, rotation):
    finding = P.basis_permutation(method)
    assert finding.passed and (finding.measured["rotation"] < 1e-6) is rotation


# ------------------------------------------------------------------------------------------------- 6. equivariance


def test_transposes_and_scales():
    def by_width(params, grad, state):
        return params - 1e-3 * grad, state

    assert P.equivariance(from_step(by_width), expected=1.0).passed
    assert P.equivariance(SHAMPOO, expected=0.0).passed
    assert P.equivariance(SHAMPOO, expected=1.0).passed is False
    half = P.equivariance(settings(SHAMPOO, exponent=0.5))
    assert half.passed is None and half.measured["degree"] == pytest.approx(-1.0, abs=1e-3)


def test_a_scale_by_outputs_over_inputs_is_not_that_of_the_transpose():
    def iterates(problem, x):
        while True:
            (G,) = problem.split(problem.grad(x))
            yield so.Iterate(x)
            m, n = G.shape
            x = x - 1e-3 * problem.join([max(1.0, m / n) * G])

    finding = P.equivariance(iterates, expected=1.0)
    assert finding.passed is False and finding.measured["transpose"] > 0.1
    assert finding.measured["degree"] == pytest.approx(1.0)


def test_a_floor_spoils_the_scale():
    floored = from_step(lambda params, grad, state: (params - 1e-3 * grad / (np.abs(grad) + 10.0), state))
    assert P.equivariance(floored).measured["degree"] is None


# --------------------------------------------------------------------------------------------- 7. model optimality


def test_models_minimised_globally_or_not():
    for method in (so.newton.trust_region, so.newton.cubic_newton, so.newton.arc):
        assert P.model_optimality(method).passed
    plain = P.model_optimality(saddle_newton)
    assert plain.passed is False and plain.words == "steps to a saddle of the model on an indefinite H"
    assert P.model_optimality(so.newton.newton_cg).passed is False
    assert P.model_optimality(so.diagonal.adam).passed is None


def saddle_newton(problem, x):
    """To the stationary point of a model with a weak cubic term, whatever its curvature."""
    while True:
        grad, H = problem.grad(x), problem.hess(x)
        yield so.Iterate(x)
        x = x - np.linalg.solve(H + 0.25 * np.eye(len(x)), grad)


def test_a_solver_is_handed_on():
    finding = P.model_optimality(lambda g, H, radius: -radius * g / max(np.linalg.norm(g), 1e-300))
    assert finding.name == "model optimality" and finding.passed is False and finding.measured["cases"] > 50


# ---------------------------------------------------------------------------------------------------- 8. placement


def adam(inside=False, before=False, decay=None, epsilon=1e-6, momentum="before", beta1=0.9, rate=1e-3, weight=0.01):
    """Adam with everything in another place."""

    def step(params, grad, state):
        t, m, v, b = state
        if decay == "coupled":
            grad = grad + weight * params
        m, v, t = beta1 * m + (1 - beta1) * grad, 0.99 * v + 0.01 * grad**2, t + 1
        correction = 1 - 0.99**t
        if inside and before:
            root = np.sqrt((v + epsilon) / correction)
        elif inside:
            root = np.sqrt(v / correction + epsilon)
        elif before:
            root = (np.sqrt(v) + epsilon) / np.sqrt(correction)
        else:
            root = np.sqrt(v / correction) + epsilon
        b = m / (1 - beta1**t) / root if momentum == "before" else beta1 * b + grad / root
        step = rate * b
        step = step + {"decoupled": weight, "times rate": weight * rate}.get(decay, 0.0) * params
        return params - step, (t, m, v, b)

    return from_step(step, (0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_the_four_places_of_epsilon(inside, before):
    place = f"{'inside' if inside else 'outside'}, {'before' if before else 'after'} bias correction"
    finding = P.placement_of_epsilon(adam(inside, before), expected=place)
    assert finding.passed, str(finding)
    factor = (0.01 if inside else 0.1) if before else 1.0
    assert finding.measured["epsilon"] == pytest.approx(1e-6 / factor, rel=0.01)
    assert P.placement_of_epsilon(adam(not inside, before), expected=place).passed is False
    assert P.placement_of_epsilon(adam(inside, not before), expected=place).passed is False


def test_no_epsilon_and_no_root():
    assert P.placement_of_epsilon(adam(epsilon=1e-18)).measured["placement"] == "none"
    descent = from_step(lambda params, grad, state: (params - 1e-3 * grad, state))
    assert P.placement_of_epsilon(descent).measured == {}


@pytest.mark.parametrize(
    ("decay", "place"),
    [
        (None, "none"),
        ("coupled", "coupled"),
        ("decoupled", "decoupled"),
        ("times rate", "decoupled, times learning rate"),
    ],
)
def test_the_places_of_weight_decay(decay, place):
    finding = P.placement_of_weight_decay(adam(decay=decay), weight_decay=0.01, learning_rate=1e-3, expected=place)
    assert finding.passed, str(finding)


@pytest.mark.parametrize("weight", [1e-2, 1e-6])
def test_decay_in_single_precision_is_seen_or_left_alone(weight):
    def step(params, grad, state):
        return params - np.float32(weight * 1e-3) * params - np.float32(1e-3) * np.sign(grad), state

    found = P.placement_of_weight_decay(from_step(step, dtype="float32"), weight_decay=weight, learning_rate=1e-3)
    assert found.measured.get("placement") == ("decoupled, times learning rate" if weight == 1e-2 else "none")
    compared = findings(from_step(step, dtype="float32"), so.diagonal.adamw, {"weight_decay": weight * 1e-3})
    assert [f.passed for f in compared if f.name == "placement of weight decay"] == ([True] if weight == 1e-2 else [])


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_places_of_momentum(place):
    assert P.placement_of_momentum(adam(momentum=place), expected=place).passed
    assert P.placement_of_momentum(adam(momentum=place, beta1=0.0)).measured["placement"] == "none"


def test_momentum_of_a_method_with_curvature_under_the_root():
    assert P.placement_of_momentum(so.diagonal.adahessian).measured["placement"] == "before"
    last = settings(SHAMPOO, momentum=0.9, momentum_of="direction")
    first = settings(SHAMPOO, momentum=0.9)
    assert [P.placement_of_momentum(each).measured["placement"] for each in (last, first)] == ["after", "before"]


# ------------------------------------------------------------------------------------------------------ all of them

STATEFUL = [
    (m.name, hyper)
    for m in so.methods(kind="optimiser")
    if m.family in ("newton", "natural", "kronecker", "diagonal")
    for hyper in ({}, *m.variants.values())
]


def rounded(method, hyper, seed):
    """The method with every answer that it gets changed in the last digit: a true candidate in other arithmetic."""

    def iterates(problem, x, rng=None):
        noise = np.random.default_rng(seed)

        def ask(batch, oracle, *arguments, **options):
            return other_digits(getattr(batch, oracle)(*arguments, **options), noise)

        offered = {"rng": rng} if "rng" in method.__wrapped__.__kwdefaults__ else {}
        yield from method(Ledger(tapped(problem.problem, ask), x), **hyper, **offered)

    return Candidate("rounded", iterates)


def other_digits(answer, noise):
    if isinstance(answer, tuple):
        parts = [other_digits(part, noise) for part in answer]
        return type(answer)(*parts) if hasattr(answer, "_fields") else tuple(parts)
    scale = 1.0 + 1e-16 * noise.standard_normal(np.shape(answer))
    changed = answer * scale
    return (changed + changed.T) / 2.0 if np.ndim(answer) == 2 and changed.shape[0] == changed.shape[1] else changed


@pytest.mark.parametrize(
    ("name", "hyper"),
    [pytest.param(*each, id=f"{each[0]} {each[1]}", marks=pytest.mark.slow if each[1] else ()) for each in STATEFUL],
)
def test_a_true_candidate_fails_nothing(name, hyper):
    method = find(name)
    for finding in findings(rounded(method, hyper, 1), method, hyper):
        assert finding.passed is True, str(finding)


def test_a_true_candidate_in_single_precision_fails_nothing():
    def step(params, grad, state):
        t, m, v = state
        m, v, t = (
            np.float32(0.9) * m + np.float32(0.1) * grad,
            np.float32(0.999) * v + np.float32(0.001) * grad**2,
            t + 1,
        )
        root = np.sqrt(v / np.float32(1 - 0.999**t)) + np.float32(1e-8)
        return params - np.float32(1e-3) * (m / np.float32(1 - 0.9**t)) / root, (t, m, v)

    found = findings(from_step(step, (0, np.float32(0), np.float32(0)), dtype="float32"), so.diagonal.adam)
    assert [f.name for f in found] == [
        "batch duplication", "basis permutation", "equivariance", "placement of epsilon", "placement of momentum",
    ]  # fmt: skip
    assert all(f.passed for f in found), [str(f) for f in found]


MISTAKES = {
    "constant probe": ("adahessian", {"probe": "constant"}, "unbiased probes"),
    "refresh": ("adahessian", {"refresh": 2}, "refresh schedule"),
    "half powers": ("shampoo", {"exponent": 0.5}, "matrix exponent"),
    "sequential statistics": ("shampoo", {"exponent": 0.5, "statistics": "sequential"}, "matrix exponent"),
    "averaging": ("adahessian", {"block_size": 1}, "basis permutation"),
    "epsilon": ("adam", {"epsilon": 1e-7}, "placement of epsilon"),
    "decay": ("adamw", {"decay_times_rate": True}, "placement of weight decay"),
    "momentum": ("adam", {"beta1": 0.0}, "placement of momentum"),
}


@pytest.mark.parametrize(("name", "hyper", "probe"), MISTAKES.values(), ids=MISTAKES)
def test_a_departure_fails_its_probe_and_names_the_reference(name, hyper, probe):
    method = find(name)
    candidate = settings(method, **hyper)
    failed = {f.name: f for f in findings(candidate, method) if f.passed is False}
    assert probe in failed and "(the reference: " in failed[probe].words
    own = findings(candidate, method, hyper)
    assert own and all(own), "against the reference with the same settings none fails"


def test_the_report_holds_them():
    constant = settings(so.diagonal.adahessian, probe="constant")
    report = check(constant, "adahessian", so.problems.rosenbrock(), steps=3)
    names = [f.name for f in report.findings]
    assert "unbiased probes" in names and "refresh schedule" in names
    assert not report.agrees, "the step-by-step comparison replays the probes, and cannot see it"
    assert "unbiased probes: FAILED. constant vectors" in str(report)
    without = check(constant, "adahessian", so.problems.rosenbrock(), steps=3, probes=False)
    assert without.agrees and without.findings == ()


def test_a_recording_and_a_sampler_are_not_probed():
    run = record(settings(so.diagonal.adam), so.problems.rosenbrock(), steps=3)
    assert check(run, "adam").findings == () == findings(run, so.diagonal.adam)
    assert findings(so.sampling.ddim, so.sampling.ddim) == ()
    with pytest.raises(TypeError, match="candidate must be one that can be run again"):
        P.equivariance(run)


def test_products_in_the_place_of_matrices_are_no_other_schedule():
    def by_products(problem, x):
        while True:
            grad = problem.grad(x)
            yield so.Iterate(x)
            H = np.stack([problem.hvp(x, unit) for unit in np.eye(len(x))])
            x = x - np.linalg.solve(H, grad)

    found = {f.name: f for f in findings(by_products, so.newton.newton)}
    assert found["refresh schedule"].passed and set(found["refresh schedule"].measured) == {"hvp"}


def test_a_candidate_that_breaks_is_left_out():
    def breaks(problem, x):
        yield so.Iterate(x)
        raise OSError("no more")

    assert findings(breaks, so.diagonal.adam) == ()
    assert "OSError: no more" in P.equivariance(breaks).words


WILD = {
    "huge": lambda params, grad, state: (params + 1e300 * np.sign(grad), state),
    "still": lambda params, grad, state: (params, state),
    "nan": lambda params, grad, state: (params * np.nan, state),
    "square": lambda params, grad, state: (params - grad * grad, state),
    "exit": lambda params, grad, state: exit(),
    "shape": lambda params, grad, state: (params[None], state),
}


@pytest.mark.parametrize("step", WILD.values(), ids=WILD)
def test_wild_candidates_get_findings_and_no_traceback(step):
    for probe in (each.measure for each in P.PROBES):
        assert probe(from_step(step)).words
    for finding in findings(from_step(step), so.diagonal.adamw):
        assert finding.words and finding.passed is not None
