"""Orders and rates of sequences whose order and rate are known."""

import numpy as np
import pytest

import secondorder as so
from secondorder.measure import Estimate, measured_order, measured_rate


def sequence(order, noise, seed=0):
    rng, errors = np.random.default_rng(seed), [0.1]
    while errors[-1] > 1e-12:
        errors.append(0.5 * errors[-1] ** order * np.exp(noise * rng.standard_normal()))
    return errors


@pytest.mark.parametrize("order", [1.3, 1.5, 1.618, 2.0])
def test_order_without_noise(order):
    estimate = measured_order(sequence(order, 0.0))
    assert abs(estimate.value - order) < 0.15 and estimate.uncertainty < 0.15


@pytest.mark.parametrize("order", [1.5, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_order_with_noise(order, seed):
    assert abs(measured_order(sequence(order, 0.1, seed)).value - order) < 0.3


def test_order_of_linear_convergence_is_one():
    assert measured_order(0.5 ** np.arange(30)).value == pytest.approx(1.0)


def test_order_is_that_of_the_end():
    linear = list(0.5 ** np.arange(6.0))
    assert measured_order([*linear, *(linear[-1] ** (2.0**k) for k in range(1, 4))]).value == pytest.approx(
        2.0, abs=0.05
    )


def test_order_ignores_rounding():
    assert measured_order([1e-1, 1e-2, 1e-4, 1e-8, 1e-16, 3e-17, 1e-17]).value == pytest.approx(2.0)
    assert measured_order([1e-1, 1e-2, 1e-4, 1e-6, 1e-7], floor=1e-5).value == pytest.approx(2.0)


@pytest.mark.parametrize("errors", [[1.0, 0.1], [1.0, 2.0, 4.0], [1.0, 1e-14, 1e-15], [1.0, 0.0, 0.0], []], ids=str)
def test_order_needs_three_errors_that_decrease(errors):
    with pytest.raises(ValueError, match="an order takes three successive errors"):
        measured_order(errors)


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0, 3.5])
def test_rate_with_noise(rate):
    k = np.arange(1.0, 2000.0)
    noise = np.exp(0.05 * np.random.default_rng(1).standard_normal(k.shape))
    estimate = measured_rate([1.0, *(3.0 * k**-rate * noise)])
    assert abs(estimate.value - rate) < max(4.0 * estimate.uncertainty, 0.02)


def test_rate_looks_at_the_middle():
    k = np.arange(1.0, 1000.0)
    errors = np.where(k < 8, 10.0, np.where(k > 120, 1e-30, 1.0) * k**-2.0)
    assert measured_rate([10.0, *errors]).value == pytest.approx(2.0)


@pytest.mark.parametrize("errors", [[], [1.0], [1.0] * 6, [0.0] * 500], ids=["none", "one", "six", "zeros"])
def test_rate_needs_five_errors(errors):
    with pytest.raises(ValueError, match="a rate takes at least five positive errors"):
        measured_rate(errors)


def test_a_history_gives_its_gradient_norms_and_its_gaps():
    history = so.minimize(so.problems.rosenbrock(), "newton")
    assert measured_order(history) == measured_order(history.grad_norm)
    slow = so.minimize(so.problems.chain(50, p=1), "gradient_descent", lipschitz=4.0, steps=2000)
    assert measured_rate(slow) == measured_rate(slow.primal_gap)


def test_estimates_read_well():
    assert str(Estimate(1.98, 0.04)) == "1.98 ± 0.04"
