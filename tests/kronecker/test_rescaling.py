"""How long a step is: the least value of the model on a plane, the bound of the clipping, the rule of the damping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondorder.kronecker.rescaling import adapted_damping, kl_step, model_step
from secondorder.ledger import Ledger
from secondorder.oracles import Problem

seeds = st.integers(0, 2**32 - 1)


def model(seed, d=5, rank=3):
    """A ledger whose Gauss-Newton matrix is F, with a gradient and two directions."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((d, rank))
    F = root @ root.T
    ledger = Ledger(Problem(ggn_product=lambda x, v: F @ v, x0=np.zeros(d)))
    return ledger, F, *rng.standard_normal((3, d))


@given(seed=seeds, damping=st.floats(1e-3, 10.0))
def test_no_other_step_in_the_span_is_better(seed, damping):
    ledger, F, g, D, previous = model(seed)
    M = F + damping * np.eye(5)
    step, account = model_step(ledger, ledger.x, g, D, previous, damping)
    np.testing.assert_allclose(step, account["scale"] * D + account["momentum"] * previous, rtol=1e-12, atol=1e-12)
    left = M @ step + g  # the model's gradient there, orthogonal to the span
    size = np.linalg.norm(M, 2) * np.linalg.norm(step) + np.linalg.norm(g)
    # 2 x 2 system: its condition number is bounded for directions that are not parallel
    for v in (D, previous):
        assert abs(left @ v) <= 1e-8 * size * np.linalg.norm(v)
    assert g @ step + 0.5 * step @ M @ step == pytest.approx(0.5 * g @ step, rel=1e-8, abs=1e-12)


@given(seed=seeds, damping=st.floats(1e-3, 10.0))
def test_without_a_previous_step_it_is_the_best_multiple(seed, damping):
    ledger, F, g, D, _ = model(seed)
    step, account = model_step(ledger, ledger.x, g, D, None, damping)
    assert account["scale"] == pytest.approx(-g @ D / (D @ F @ D + damping * D @ D), rel=1e-12)
    assert account["momentum"] == 0.0 and ledger.counts["ggn_product"] == 1
    np.testing.assert_allclose(step, account["scale"] * D)


def test_parallel_directions_are_one():
    ledger, _, g, D, _ = model(0)
    alone, _ = model_step(ledger, ledger.x, g, D, None, 0.1)
    step, account = model_step(ledger, ledger.x, g, D, -3.0 * D, 0.1)
    np.testing.assert_array_equal(step, alone)
    assert account["momentum"] == 0.0


def test_no_direction_is_no_step():
    ledger, _, g, D, previous = model(0)
    step, account = model_step(ledger, ledger.x, g, 0.0 * D, previous, 0.1)
    assert not np.any(step) and account == {"scale": 0.0, "momentum": 0.0}


@given(seed=seeds, kappa=st.floats(1e-8, 1e3), rate=st.floats(1e-3, 10.0))
def test_clipping_bounds_the_squared_length(seed, kappa, rate):
    """:math:`\\eta^2\\nu^2|g^\\top D|\\le\\kappa`, with equality if it clips, and what is shorter is left alone."""
    _, F, g, _, previous = model(seed)
    D = -np.linalg.solve(F + np.eye(5), g)
    step, account = kl_step(g, D, None, rate, 0.9, kappa)
    size = rate**2 * account["scale"] ** 2 * abs(g @ D)
    assert size <= kappa * (1.0 + 1e-12) and 0.0 < account["scale"] <= 1.0
    assert account["scale"] == 1.0 or size == pytest.approx(kappa, rel=1e-12)
    np.testing.assert_allclose(step, rate * account["scale"] * D, rtol=1e-12)
    with_momentum, _ = kl_step(g, D, previous, rate, 0.9, kappa)
    np.testing.assert_allclose(with_momentum, step + 0.9 * previous, rtol=1e-12, atol=1e-15)


def test_clipping_at_a_stationary_point_is_defined():
    step, account = kl_step(np.zeros(3), np.zeros(3), None, 0.1, 0.9, 1e-3)
    assert not np.any(step) and account["scale"] == 1.0


@pytest.mark.parametrize(
    ("ratio", "factor"),
    [(-1.0, 0.95**-5), (0.2499, 0.95**-5), (0.25, 1.0), (0.75, 1.0), (0.7501, 0.95**5), (2.0, 0.95**5)],
)
def test_damping_follows_the_ratio(ratio, factor):
    assert adapted_damping(3.0, ratio, 5) == pytest.approx(3.0 * factor, rel=1e-14)
