"""Estimating functions: the minimiser, the least value, and how fast weights may grow."""

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

from secondorder.linalg import EstimatingFunction

POWERS = [
    {"cubic": 2.0},
    {"cubic": 2.0, "quadratic": 3.0},
    {"quartic": 1.0},
    {"quadratic": 0.5, "cubic": 1.0, "quartic": 2.0},
]


def with_planes(rng, d, **powers):
    """Some planes, and the function that they make, written out."""
    psi, planes = EstimatingFunction(rng.standard_normal(d), np.zeros(d), **powers), []
    for _ in range(5):
        planes.append((rng.random(), rng.standard_normal(d), rng.standard_normal(), rng.standard_normal(d)))
        psi = psi.plus(*planes[-1])

    def value(x):
        r = np.linalg.norm(x - psi.centre)
        held = psi.quadratic / 2.0 * r**2 + psi.cubic / 3.0 * r**3 + psi.quartic / 4.0 * r**4
        return sum(a * (f + g @ (x - z)) for a, z, f, g in planes) + held

    return psi, planes, value


@pytest.mark.parametrize("powers", POWERS, ids=str)
def test_the_minimiser_is_that_of_a_solver(powers):
    rng = np.random.default_rng(0)
    psi, planes, value = with_planes(rng, 4, **powers)
    found = scipy_minimize(value, psi.centre + 0.1, tol=1e-12)
    np.testing.assert_allclose(psi.minimiser, found.x, atol=1e-5)
    assert value(psi.minimiser) == pytest.approx(psi.minimum, rel=1e-12)
    assert psi.minimum <= found.fun + 1e-12
    assert psi.total_weight == pytest.approx(sum(plane[0] for plane in planes))
    assert psi.ceiling == pytest.approx(psi.minimum / psi.total_weight)
    for _ in range(200):
        assert value(psi.minimiser + 0.1 * rng.standard_normal(4)) > psi.minimum


@pytest.mark.parametrize("powers", POWERS, ids=str)
@pytest.mark.parametrize("size", [1e-100, 1e-12, 1.0, 1e12, 1e100])
def test_the_distance_solves_its_equation(powers, size):
    psi = EstimatingFunction(np.zeros(2), size * np.asarray([0.6, 0.8]), **powers)
    rho = psi.distance
    left = ((psi.quartic * rho + psi.cubic) * rho + psi.quadratic) * rho
    assert left == pytest.approx(size, rel=1e-12)
    np.testing.assert_allclose(psi.minimiser, rho * np.asarray([-0.6, -0.8]), rtol=1e-14)


def test_with_no_plane_the_minimiser_is_the_centre():
    psi = EstimatingFunction(np.ones(2), np.zeros(2), cubic=1.0)
    np.testing.assert_array_equal(psi.minimiser, [1.0, 1.0])
    np.testing.assert_array_equal(psi.mixture(1.0, np.asarray([7.0, 7.0])), [1.0, 1.0])
    assert psi.minimum == 0.0


@pytest.mark.parametrize("pace", [1e-12, 1e-3, 1.0, 1e9])
def test_the_next_weight_and_how_fast_weights_grow(pace):
    psi = EstimatingFunction(np.zeros(1), np.zeros(1), quartic=1.0)
    for t in range(1, 40):
        a = psi.next_weight(pace)
        assert a**4 == pytest.approx(pace * (psi.total_weight + a) ** 3, rel=1e-10)
        psi = psi.plus(a, np.zeros(1), 0.0, np.zeros(1))
        assert psi.total_weight >= pace / 256.0 * (t + 3.0) ** 4 * (1.0 - 1e-12)
