"""Correct implementations in other arithmetic, written independently of the references, are flagged 0 times in 200 seeds."""

import functools
import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

import secondorder as so
from secondorder.validate import Candidate, check

# Each works in the precision of ``dtype``: a gradient is rounded to it, and so is x.


def moving(problem, x, dtype, step_of):
    """Yields x, and moves by ``step_of(t, x, grad)`` in the precision asked for."""
    for t in itertools.count(1):
        yield so.Iterate(np.asarray(x, float))
        grad = problem.grad(np.asarray(x, float)).astype(dtype)
        x = np.asarray(x, dtype) + np.asarray(step_of(t, np.asarray(x, dtype), grad), dtype)


def adam(problem, x, dtype, decay=0.0):
    """The moments by their distance from the new value, the corrections taken into the rate and into epsilon."""
    m, v = np.zeros_like(x, dtype), np.zeros_like(x, dtype)

    def step(t, x, grad):
        m[:] += dtype(0.1) * (grad - m)
        v[:] = v * dtype(0.999) + dtype(1.0 - 0.999) * grad**2
        root = math.sqrt(1.0 - 0.999**t)
        return -dtype(1e-3 * root / (1.0 - 0.9**t)) * m / (np.sqrt(v) + dtype(1e-8 * root)) - dtype(decay) * x

    return moving(problem, x, dtype, step)


def adamw(problem, x, dtype):
    return adam(problem, x, dtype, decay=1e-5)


def adahessian(problem, x, dtype):
    """With signs of its own; the averages are sums with weights, and the blocks are cut by hand."""
    rng, gradients, squares = np.random.default_rng(5), [], []

    def averaged(D):
        parts = []
        for W in problem.split(D):
            W = np.array(W)
            for row in W:
                for k in range(0, len(row) - 1, 32):
                    row[k : min(k + 32, len(row) - 1)] = np.mean(row[k : min(k + 32, len(row) - 1)])
            parts.append(W)
        return problem.join(parts)

    def step(t, x, grad):
        z = rng.choice([-1.0, 1.0], x.shape)
        D = (z * problem.hvp(np.asarray(x, float), z)).astype(dtype)
        gradients.append(grad)
        squares.append((averaged(D) if hasattr(problem, "split") else D) ** 2)
        m = sum(dtype(0.1 * 0.9 ** (t - 1 - k)) * g for k, g in enumerate(gradients)) / dtype(1.0 - 0.9**t)
        v = sum(dtype(0.001 * 0.999 ** (t - 1 - k)) * s for k, s in enumerate(squares)) / dtype(1.0 - 0.999**t)
        return -dtype(RATE_OF_ADAHESSIAN) * m / (np.sqrt(v) + dtype(EPSILON_OF_ADAHESSIAN))

    return moving(problem, x, dtype, step)


RATE_OF_ADAHESSIAN, EPSILON_OF_ADAHESSIAN = (
    {p.name: p.default for p in so.diagonal.adahessian.method.parameters}[name] for name in ("learning_rate", "epsilon")
)


def shampoo(problem, x, dtype, root="svd"):
    """Roots by singular values, or by two matrix square roots and an inverse."""
    factors = []

    def power(F):
        F = F + dtype(1e-4) * np.eye(len(F), dtype=dtype)
        if root == "svd":
            U, s, _ = np.linalg.svd(F)
            return (U * s ** dtype(-0.25)) @ U.T
        return np.linalg.inv(scipy.linalg.sqrtm(scipy.linalg.sqrtm(F)).real).astype(dtype)

    def step(t, x, grad):
        layers = problem.split(grad)
        if not factors:
            factors.extend([np.zeros((len(G), len(G)), dtype), np.zeros((G.shape[1],) * 2, dtype)] for G in layers)
        for pair, G in zip(factors, layers, strict=True):
            pair[0] += np.einsum("ij,kj->ik", G, G)
            pair[1] += np.einsum("ji,jk->ik", G, G)
        directions = [power(L) @ (G @ power(R)) for (L, R), G in zip(factors, layers, strict=True)]
        return dtype(-0.1) * problem.join(directions)

    return moving(problem, x, dtype, step)


def newton(problem, x, dtype):
    """By an LU factorisation, whatever the signs; full steps."""

    def step(t, x, grad):
        return -scipy.linalg.lu_solve(scipy.linalg.lu_factor(problem.hess(np.asarray(x, float)).astype(dtype)), grad)

    return moving(problem, x, dtype, step)


def lbfgs(problem, x, dtype):
    """The inverse Hessian written out as a matrix, by the product form of BFGS, from the last ten pairs."""
    pairs, last = [], []

    def step(t, x, grad):
        if last:
            s, y = x - last[0], grad - last[1]
            if float(s @ y) > 1e-8 * np.linalg.norm(s) * np.linalg.norm(y):
                pairs.append((s, y))
        last[:] = [x, grad]
        if not pairs:
            return -dtype(min(1.0, 1.0 / float(np.sum(np.abs(grad))))) * grad
        s, y = pairs[-1]
        G = (s @ y) / (y @ y) * np.eye(len(x), dtype=dtype)
        for s, y in pairs[-10:]:
            V = np.eye(len(x), dtype=dtype) - np.outer(y, s) / (s @ y)
            G = V.T @ G @ V + np.outer(s, s) / (s @ y)
        return -G @ grad

    return moving(problem, x, dtype, step)


def gauss_newton(problem, x, dtype, by="qr"):
    """By a QR factorisation, or by the normal equations."""
    while True:
        yield so.Iterate(np.asarray(x, float))
        at = np.asarray(x, float)
        r, J = problem.residual(at).astype(dtype), problem.jac(at).astype(dtype)
        if by == "qr":
            Q, R = np.linalg.qr(J)
            step = -scipy.linalg.solve_triangular(R, Q.T @ r)
        else:
            step = -np.linalg.solve(J.T @ J, J.T @ r)
        x = np.asarray(x, dtype) + step


def frank_wolfe(problem, x, dtype):
    """The step written as a move towards the vertex."""
    return moving(
        problem, x, dtype, lambda t, x, grad: dtype(2.0 / (t + 1)) * (problem.lmo(np.asarray(grad, float)) - x)
    )


def trust_region(problem, x, dtype):
    """The subproblem by a bracketing root finder in the eigenbasis."""
    eps, x = np.finfo(dtype).eps, np.asarray(x, float)
    grad, f, radius = problem.grad(x), problem.f(x), None
    yield so.Iterate(x)
    while True:
        values, vectors = np.linalg.eigh(problem.hess(x).astype(dtype))
        c = vectors.T @ grad.astype(dtype)
        radius = radius or float(np.linalg.norm(c) ** 3 / abs(c @ (values * c)))
        step = -c / values if values[0] > 0.0 else None
        if step is None or np.linalg.norm(step) > radius:
            low = max(0.0, -float(values[0]))

            def excess(shift, values=values, c=c, radius=radius):
                return 1.0 / radius - 1.0 / np.linalg.norm(c / (values + shift))

            high = low + float(np.linalg.norm(c)) / radius
            shift = scipy.optimize.brentq(excess, low + 1e-14 * high, 2.0 * high, xtol=1e-300, rtol=9e-16)
            step = -c / (values + dtype(shift))
        promised = -float(c @ step + 0.5 * step @ (values * step))
        h = (vectors @ step).astype(float)
        length = float(np.linalg.norm(h))
        if not length > eps * np.linalg.norm(x):
            return "stalled: the step is short"
        trial = np.asarray((x + h).astype(dtype), float)
        f_new = problem.f(trial)
        allowance = 10.0 * eps * max(abs(f), abs(f_new))
        ratio = (f - f_new + allowance) / (promised + allowance)
        if ratio <= 0.1 or ratio < 0.25:
            radius = length / 4.0
        elif ratio > 0.75 and length >= 0.99 * radius:
            radius = 2.0 * radius
        if ratio > 0.1:
            x, f = trial, f_new
            grad = problem.grad(x)
        yield so.Iterate(x, accepted=bool(ratio > 0.1))


def ddim(problem, x, dtype, *, grid):
    """In the variables x / alpha and sigma / alpha, in which it is Euler's method."""
    yield so.Iterate(x)
    for s, t in grid.steps:
        score = problem.score(np.asarray(x, float), alpha=s.alpha, sigma=s.sigma).astype(dtype)
        scaled = np.asarray(x, dtype) / dtype(s.alpha)
        scaled = scaled + dtype(t.sigma / t.alpha - s.sigma / s.alpha) * (dtype(-s.sigma) * score)
        x = np.asarray(scaled * dtype(t.alpha), float)
        yield so.Iterate(x)
    return "finished"


# Random problems and starts.


def a_network(rng):
    problem = so.problems.mlp((rng.standard_normal((20, 3)), rng.integers(0, 3, 20)), [3, 4, 3], l2=1e-2)
    problem.x0 = problem.x0 + 0.1 * rng.standard_normal(problem.x0.shape)
    return problem


def a_quadratic(rng):
    spectrum = 10.0 ** rng.uniform(-1.0, 2.0, 6)
    return so.problems.quadratic(spectrum, rotate=True, x0=rng.standard_normal(6), seed=int(rng.integers(1000)))


def a_logistic(rng):
    problem = so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2)
    problem.x0 = 0.5 * rng.standard_normal(5)
    return problem


def a_valley(rng):
    problem = so.problems.rosenbrock()
    problem.x0 = np.array([-1.2, 1.0]) + 0.3 * rng.standard_normal(2)
    return problem


def a_fit(rng):
    t = np.linspace(0.0, 2.0, 12)
    a, b = rng.uniform(1.0, 3.0), rng.uniform(0.5, 1.5)
    y = a * np.exp(-b * t) + 0.05 * rng.standard_normal(12)
    return so.problems.least_squares(
        lambda x: x[0] * np.exp(-x[1] * t) - y,
        lambda x: np.stack([np.exp(-x[1] * t), -x[0] * t * np.exp(-x[1] * t)], axis=1),
        x0=np.array([a, b]) * rng.uniform(0.8, 1.2, 2),
    )


def on_a_simplex(rng):
    return a_logistic(rng).subject_to(so.sets.Simplex(5))


def a_mixture(rng):
    return so.problems.gaussian_mixture(
        means=rng.standard_normal((3, 2)) * 2.0, covariances=np.stack([np.eye(2) * 0.3] * 3)
    )


SMOOTH = (a_network, a_quadratic, a_valley)
CANDIDATES = {
    "adam": (adam, "adam", SMOOTH, {}),
    "adamw": (adamw, "adamw", SMOOTH, {}),
    "adahessian": (adahessian, "adahessian", SMOOTH, {}),
    "shampoo, svd": (shampoo, "shampoo", (a_network,), {}),
    "shampoo, sqrtm": (functools.partial(shampoo, root="sqrtm"), "shampoo", (a_network,), {}),
    "newton, lu": (newton, "newton", (a_quadratic, a_logistic, a_valley), {"line_search": None}),
    "lbfgs, dense": (lbfgs, "lbfgs", (a_logistic,), {"fixed_step": 1.0}),
    "gauss_newton, qr": (gauss_newton, "gauss_newton", (a_fit,), {"line_search": None}),
    "gauss_newton, normal": (
        functools.partial(gauss_newton, by="normal"),
        "gauss_newton",
        (a_fit,),
        {"line_search": None},
    ),
    "frank_wolfe": (frank_wolfe, "frank_wolfe", (on_a_simplex,), {}),
    "trust_region, brentq": (trust_region, "trust_region", (a_logistic, a_valley), {}),
    "ddim": (ddim, "ddim", (a_mixture,), {}),
}


def judged(name, seed, dtype):
    """The report on a candidate, on the problem and the start of a seed."""
    function, method, makers, hyper = CANDIDATES[name]
    rng = np.random.default_rng(seed)
    problem = makers[seed % len(makers)](rng)
    with np.errstate(all="ignore"):
        candidate = Candidate(name, functools.partial(function, dtype=dtype), float(np.finfo(dtype).eps))
        return check(candidate, method, problem, seed=seed, diagnose=False, probes=False, **hyper)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CANDIDATES)
def test_a_few_seeds(name, dtype):
    for seed in range(1000, 1003):
        report = judged(name, seed, dtype)
        assert report.agrees and report.steps >= 2, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CANDIDATES)
def test_flagged_0_times_in_200_seeds(name, dtype):
    """The 200 seeds are shared out among the candidates, and each is run in both precisions."""
    seeds = range(list(CANDIDATES).index(name), 200, len(CANDIDATES))
    flagged = [str(report) for seed in seeds if not (report := judged(name, seed, dtype))]
    assert not flagged, f"{len(flagged)} of {len(seeds)}, the first:\n{flagged[0]}"
