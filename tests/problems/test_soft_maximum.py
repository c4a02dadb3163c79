"""The soft maximum: formula, minimiser and constants."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import secondorder as so
from secondorder.problems import soft_maximum


def test_oracles_are_those_of_the_formula():
    p, rng = soft_maximum(n=30, d=4, mu=0.7, seed=3), np.random.default_rng(0)

    def naive(x):
        return p.mu * anp.log(anp.sum(anp.exp((anp.dot(p.A, x) - p.b) / p.mu)))

    for x in rng.standard_normal((10, 4)):
        np.testing.assert_allclose(p.f(x), naive(x), rtol=1e-13)
        np.testing.assert_allclose(p.grad(x), autograd.grad(naive)(x), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(p.hess(x), autograd.hessian(naive)(x), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("mu", [1e-3, 0.1, 5.0])
def test_the_origin_is_the_minimiser(mu):
    p = soft_maximum(mu=mu)
    assert np.linalg.norm(p.grad(p.x_star)) < 1e-14 and np.array_equal(p.x_star, np.zeros(20))
    assert p.f_star == p.f(np.zeros(20)) and np.array_equal(p.x0, np.full(20, 3.0))
    for x in np.random.default_rng(0).standard_normal((20, 20)):
        assert p.f(x) > p.f_star
        bound = np.max(p.A @ x - p.b)
        assert bound <= p.f(x) <= bound + mu * np.log(200) + 1e-12


def test_constants_bound_gradient_and_hessian():
    p, rng = soft_maximum(n=12, d=3, mu=0.5), np.random.default_rng(1)
    for _ in range(300):
        x, h = rng.standard_normal(3), 0.1 * rng.standard_normal(3)
        assert np.max(np.linalg.eigvalsh(p.hess(x))) <= p.lipschitz_grad
        change = np.linalg.norm(p.hess(x + h) - p.hess(x), 2)
        assert change <= p.lipschitz_hess * np.linalg.norm(h)
    rho = np.max(np.linalg.norm(p.A, axis=1))
    assert p.lipschitz_grad == pytest.approx(rho**2 / 0.5) and p.lipschitz_hess == pytest.approx(2 * rho**3 / 0.25)


def test_far_out_nothing_overflows():
    p = soft_maximum(mu=1e-3)
    x = np.full(20, 1e6)
    assert np.isfinite(p.f(x)) and np.all(np.isfinite(p.grad(x))) and np.all(np.isfinite(p.hess(x)))


def test_cubic_newton_finds_the_stated_value():
    history = so.minimize(soft_maximum(mu=0.5), "cubic_newton")
    assert history.status == "converged" and abs(history.f[-1] - soft_maximum(mu=0.5).f_star) < 1e-12


def test_seed():
    assert np.array_equal(soft_maximum(seed=1).A, soft_maximum(seed=1).A)
    assert not np.array_equal(soft_maximum(seed=1).A, soft_maximum().A)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be a whole number, at least 1; got 0"),
        ({"d": 1.5}, "d must be a whole number, at least 1; got 1.5"),
        ({"mu": 0}, "mu must be a finite number above 0; got 0"),
        ({"mu": np.inf}, "mu must be a finite number above 0"),
        ({"mu": "1"}, "mu must be a finite number above 0; got '1'"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        soft_maximum(**options)
