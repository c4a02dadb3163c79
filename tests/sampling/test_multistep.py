"""Exponential multistep increments: which predictions they integrate exactly, and with which error otherwise."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from secondorder.sampling.adams_bashforth import adams_weights
from secondorder.sampling.multistep import constant_weight, multistep_increment, step_orders
from secondorder.schedules import Level, noise_grid

PREDICTIONS = ("data", "noise")
UNEVEN = [Level(0.2, 0.95), Level(0.35, 0.9), Level(0.5, 0.8), Level(0.9, 0.4)]
"""Three levels behind, the newest of them UNEVEN[2], and the target."""


def integral(function, prediction, s=UNEVEN[2], t=UNEVEN[3]):
    """The integral of the module's docstring by quadrature, of a function of tau = lambda - lambda_s."""
    h = t.half_log_snr - s.half_log_snr
    if prediction == "data":
        return t.alpha * quad(lambda tau: math.exp(tau - h) * function(tau), 0.0, h, epsabs=1e-13)[0]
    return -t.sigma * quad(lambda tau: math.exp(h - tau) * function(tau), 0.0, h, epsabs=1e-13)[0]


def increment(function, order, prediction, levels=UNEVEN, **options):
    *past, target = levels
    past = past[::-1][:order]
    values = [np.asarray([[function(level.half_log_snr - past[0].half_log_snr)]]) for level in past]
    return multistep_increment(values, past, target, prediction, **options)[0, 0]


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_constant_prediction_is_integrated_exactly_at_every_order(prediction):
    expected = integral(lambda tau: 1.7, prediction)
    for order in (1, 2, 3):
        assert increment(lambda tau: 1.7, order, prediction) == pytest.approx(expected, rel=1e-12)
    weight = constant_weight(UNEVEN[2], UNEVEN[3], prediction)
    assert abs(expected) == pytest.approx(1.7 * weight, rel=1e-12)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_order_three_integrates_lines_exactly_and_parabolas_only_if_corrected(prediction):
    def line(tau):
        return 0.4 - 1.3 * tau

    def parabola(tau):
        return 0.4 - 1.3 * tau + 0.8 * tau**2

    for corrected in (False, True):
        found = increment(line, 3, prediction, corrected=corrected)
        assert found == pytest.approx(integral(line, prediction), rel=1e-11)
    found = increment(parabola, 3, prediction, corrected=True)
    assert found == pytest.approx(integral(parabola, prediction), rel=1e-11)
    coded = increment(parabola, 3, prediction)
    assert abs(coded - integral(parabola, prediction)) > 1e-2
    half = increment(lambda tau: 0.4 - 1.3 * tau + 0.4 * tau**2, 3, prediction, corrected=True)
    assert coded == pytest.approx(half, rel=1e-11), "the published code integrates half of the curvature"


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_local_error_falls_with_the_stated_power_of_the_step(prediction):
    """Of a smooth prediction on equal steps h: h^2, h^3, h^3 as coded, h^4 corrected; slopes at h = 0.05, within 15 %."""

    def smooth(tau):
        return math.sin(1.0 + tau)

    def error(h, order, corrected):
        levels = [Level(1.0, math.exp(-k * h)) for k in range(-2, 2)]  # the newest at lambda = 0
        exact = integral(smooth, prediction, *levels[2:])
        return abs(increment(smooth, order, prediction, levels, corrected=corrected) - exact)

    for order, corrected, power in ((1, False, 2), (2, False, 3), (3, False, 3), (3, True, 4)):
        slope = math.log2(error(0.1, order, corrected) / error(0.05, order, corrected))
        assert slope == pytest.approx(power, rel=0.15), (order, corrected)


def test_on_equal_steps_of_lambda_order_two_of_the_noise_is_the_constant_rule_three_halves_minus_one_half():
    s = noise_grid(6).levels[1:4]
    m0, m1 = np.asarray([[0.3]]), np.asarray([[-1.1]])
    found = multistep_increment([m0, m1], [s[1], s[0]], s[2], "noise")
    np.testing.assert_allclose(found, s[2].alpha * (s[2].ratio - s[1].ratio) * (1.5 * m0 - 0.5 * m1), rtol=1e-12)


def test_a_step_without_noise_left_is_of_order_one():
    s, clean = [Level(0.6, 0.8), Level(0.8, 0.6)], Level(1.0, 0.0)
    m0, m1 = np.asarray([[2.0]]), np.asarray([[5.0]])
    assert multistep_increment([m0, m1], s[::-1], clean, "data")[0, 0] == pytest.approx(2.0)
    assert multistep_increment([m0, m1], s[::-1], clean, "noise")[0, 0] == pytest.approx(-2.0 * 0.75)


def test_orders_grow_with_the_history_and_fall_at_the_end_of_short_walks():
    assert step_orders(1, 3) == [1] and step_orders(2, 3) == [1, 1] and step_orders(3, 3) == [1, 2, 1]
    assert step_orders(6, 3) == [1, 2, 3, 3, 2, 1] and step_orders(6, 2) == [1, 2, 2, 2, 2, 1]
    assert step_orders(6, 3, lower_order_final=False) == [1, 2, 3, 3, 3, 3]
    assert step_orders(14, 3)[-3:] == [3, 2, 1] and step_orders(15, 3)[-3:] == [3, 3, 3]


@pytest.mark.parametrize("nodes", [[0.0], [0.0, -0.3], [0.0, -2.0, -2.5], [0.0, -1.4, -1.9, -4.0]])
def test_weights_of_adams_and_bashforth_integrate_polynomials_over_the_step(nodes):
    weights = adams_weights(nodes)
    for degree in range(len(nodes)):
        found = sum(weight * node**degree for weight, node in zip(weights, nodes, strict=True))
        assert found == pytest.approx(1.0 / (degree + 1), rel=1e-10)


def test_on_equal_steps_they_are_the_well_known_constants():
    known = {1: (1,), 2: (3 / 2, -1 / 2), 3: (23 / 12, -16 / 12, 5 / 12), 4: (55 / 24, -59 / 24, 37 / 24, -9 / 24)}
    for order, constants in known.items():
        np.testing.assert_allclose(adams_weights(range(0, -order, -1)), constants, rtol=1e-12)
