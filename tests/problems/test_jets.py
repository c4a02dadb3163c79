"""Every rule of the jets against autograd."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from secondorder.problems import jets
from secondorder.problems.jets import Jet, coordinates, join, total, variables

T = np.asarray([0.5, 1.0, 2.0])
RULES = {
    "sums": (lambda a, b: a + b + 3.0 + T, lambda a, b: a + b + 3.0 + T),
    "numbers on the left": (lambda a, b: 3.0 - a + 2.0 * b, lambda a, b: 3.0 - a + 2.0 * b),
    "differences": (lambda a, b: -a - b - T, lambda a, b: -a - b - T),
    "products": (lambda a, b: a * b * T * a, lambda a, b: a * b * T * a),
    "quotients": (lambda a, b: a / b + a / T + 2.0 / b, lambda a, b: a / b + a / T + 2.0 / b),
    "powers": (lambda a, b: a**2 + b**-1.5 + a**3, lambda a, b: a**2 + b**-1.5 + a**3),
    "exp": (lambda a, b: jets.exp(a * b * T), lambda a, b: anp.exp(a * b * T)),
    "log": (lambda a, b: jets.log(a + b * T), lambda a, b: anp.log(a + b * T)),
    "sin": (lambda a, b: jets.sin(a * b * T), lambda a, b: anp.sin(a * b * T)),
    "cos": (lambda a, b: jets.cos(a * b * T), lambda a, b: anp.cos(a * b * T)),
    "atan": (lambda a, b: jets.atan(a / b * T), lambda a, b: anp.arctan(a / b * T)),
    "sqrt": (lambda a, b: jets.sqrt(a * a + b * T), lambda a, b: anp.sqrt(a * a + b * T)),
    "power": (lambda a, b: jets.power(a + b * T, a * b), lambda a, b: (a + b * T) ** (a * b)),
    "absolute": (lambda a, b: jets.absolute(b - a * T), lambda a, b: anp.abs(b - a * T)),
    "total": (lambda a, b: total(a * b * T) * b, lambda a, b: anp.sum(a * b * T) * b),
    "join": (lambda a, b: join([a * b, b**2 * T]), lambda a, b: anp.concatenate([a * b, b**2 * T])),
}


@pytest.mark.parametrize(("ours", "theirs"), RULES.values(), ids=RULES)
def test_rule(ours, theirs):
    x = np.asarray([0.7, 1.3])

    def naive(x):
        return theirs(x[0:1], x[1:2])

    jet = ours(*coordinates(variables(x)))
    np.testing.assert_allclose(ours(*coordinates(x)), naive(x), rtol=1e-15)
    m = naive(x).shape[0]
    assert jet.value.shape == (m,) and jet.first.shape == (m, 2) and jet.second.shape == (m, 2, 2)
    np.testing.assert_allclose(jet.value, naive(x), rtol=1e-15)
    np.testing.assert_allclose(jet.first, autograd.jacobian(naive)(x), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(jet.second, autograd.jacobian(autograd.jacobian(naive))(x), rtol=1e-12, atol=1e-13)


def test_an_array_on_the_left_is_no_array_of_jets():
    u = variables(np.asarray([1.0]))
    assert isinstance(T * u, Jet) and isinstance(T - u, Jet) and isinstance(T / u, Jet)
