"""Steps from Krylov subspaces: the residual identity, the exact step in full, the hard case; and Steihaug's path."""

import itertools
from functools import partial

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondorder.linalg import cg, cubic_step, eigen, krylov_step, steihaug, trust_region_step


def symmetric(spectrum, seed=0):
    spectrum = np.asarray(spectrum, dtype=float)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum), len(spectrum))))[0]
    A = (Q * spectrum) @ Q.T
    return 0.5 * (A + A.T)


SPECTRA = {
    "definite": np.geomspace(1.0, 1e3, 16),
    "indefinite": np.concatenate([[-5.0, -1.0], np.geomspace(0.1, 1e3, 14)]),
    "singular": np.concatenate([[0.0], np.linspace(1.0, 9.0, 15)]),
}
MODELS = {
    "cubic": partial(cubic_step, M=2.0),
    "trust region": partial(trust_region_step, radius=0.5),
    "large trust region": partial(trust_region_step, radius=1e3),
}


@pytest.mark.parametrize("spectrum", SPECTRA.values(), ids=SPECTRA)
@pytest.mark.parametrize("solve", MODELS.values(), ids=MODELS)
class TestModels:
    @pytest.mark.parametrize("k", [1, 2, 3, 7, 15])
    def test_the_residual_is_the_gradient_of_the_whole_model(self, solve, spectrum, k):
        H, g = symmetric(spectrum), np.random.default_rng(1).standard_normal(16)
        answer = krylov_step(solve, lambda v: H @ v, g, tol=0.0, max_dimension=k)
        h = answer.step
        assert answer.products == k
        dense = np.linalg.norm(g + H @ h + answer.multiplier * h)
        scale = np.linalg.norm(H, 2) * np.linalg.norm(h) + np.linalg.norm(g)
        assert answer.residual == pytest.approx(dense, rel=1e-8, abs=1e-13 * scale)

    def test_the_exact_step_at_full_dimension(self, solve, spectrum):
        H, g = symmetric(spectrum), np.random.default_rng(1).standard_normal(16)
        answer = krylov_step(solve, lambda v: H @ v, g, tol=0.0)
        exact = solve(g, eigen(H))
        assert answer.products == 16 and answer.residual == 0.0
        np.testing.assert_allclose(answer.step, exact.step, rtol=0, atol=1e-9 * exact.radius)
        assert answer.decrease == pytest.approx(exact.decrease, rel=1e-10)
        assert answer.multiplier == pytest.approx(exact.multiplier, rel=1e-9, abs=1e-12)

    def test_the_decrease_grows_with_the_subspace_and_is_the_models(self, solve, spectrum):
        H, g = symmetric(spectrum), np.random.default_rng(1).standard_normal(16)
        answers = [krylov_step(solve, lambda v: H @ v, g, tol=0.0, max_dimension=k) for k in range(1, 17)]
        decreases = [answer.decrease for answer in answers]
        assert all(b >= a * (1.0 - 1e-12) for a, b in itertools.pairwise(decreases))
        cubic = 0.0 if "radius" in solve.keywords else solve.keywords["M"] / 6.0
        for answer in answers:
            h = answer.step
            model = g @ h + 0.5 * h @ H @ h + cubic * np.linalg.norm(h) ** 3
            assert answer.decrease == pytest.approx(-model, rel=1e-9)


def test_it_stops_at_its_tolerance_at_powers_of_two():
    H, g = symmetric(np.linspace(1.0, 2.0, 40)), np.random.default_rng(1).standard_normal(40)
    for tol in (0.5, 1e-2, 1e-4, 1e-8):
        answer = krylov_step(partial(cubic_step, M=1.0), lambda v: H @ v, g, tol=tol)
        assert answer.residual <= tol * np.linalg.norm(g)
        assert answer.products in {1, 2, 4, 8, 16}


@pytest.mark.parametrize("solve", [MODELS["cubic"], partial(trust_region_step, radius=3.0)], ids=["cubic", "ball"])
def test_the_hard_case_is_missed_without_a_restart_and_solved_with_it(solve):
    Q = np.linalg.qr(np.random.default_rng(4).standard_normal((6, 6)))[0]
    H = (Q * np.asarray([-2.0, 1.0, 2.0, 3.0, 5.0, 8.0])) @ Q.T
    H, g = 0.5 * (H + H.T), Q @ np.asarray([0.0, 1.0, -0.5, 0.3, 1.0, 1.0])
    exact = solve(Q.T @ g * np.asarray([0.0, 1.0, 1.0, 1.0, 1.0, 1.0]), eigen(np.diag([-2.0, 1.0, 2.0, 3.0, 5.0, 8.0])))
    assert exact.hard and exact.multiplier == 2.0
    missed = krylov_step(solve, lambda v: H @ v, g, max_dimension=5)
    assert abs(Q[:, 0] @ missed.step) < 1e-6 and missed.decrease < 0.5 * exact.decrease
    found = krylov_step(solve, lambda v: H @ v, g, restart=np.random.default_rng(0).standard_normal(6))
    assert found.products == 6
    assert found.decrease == pytest.approx(exact.decrease, rel=1e-8)
    assert found.multiplier == pytest.approx(2.0, rel=1e-6)
    assert abs(Q[:, 0] @ found.step) == pytest.approx(abs(exact.step[0]), rel=1e-6)


# ------------------------------------------------------------------------------------------------------------- Steihaug


def model(g, H, p):
    return g @ p + 0.5 * p @ H @ p


def cauchy(g, H, radius):
    """The decrease of the minimiser along -g within the radius."""
    size, bend = np.linalg.norm(g), g @ H @ g / (g @ g)
    length = radius if bend <= 0.0 else min(radius, size / bend)
    return size * length - 0.5 * bend * length**2


@st.composite
def cases(draw):
    """(g, H, radius) of any signature; steps of about unit size."""
    d = draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = 10.0 ** rng.uniform(-2.0, 2.0, d)
    if draw(st.booleans()):
        values *= rng.choice([-1.0, 1.0], d)
    size = 10.0 ** draw(st.floats(-6, 6))
    return (
        size * rng.standard_normal(d),
        size * symmetric(values, int(rng.integers(1000))),
        10.0 ** draw(st.floats(-3, 3)),
    )


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(cases(), st.sampled_from([0.5, 1e-2, 1e-8]))
def test_every_answer_keeps_its_promises(case, tol):
    g, H, radius = case
    answer = steihaug(lambda v: H @ v, g, radius, tol=tol)
    p, size = answer.step, np.linalg.norm(H, 2)
    length = np.linalg.norm(p)
    terms = np.linalg.norm(g) * length + 0.5 * size * length**2
    assert answer.decrease == pytest.approx(-model(g, H, p), abs=1e-12 * terms)
    assert answer.decrease >= cauchy(g, H, radius) - 1e-12 * terms
    assert answer.decrease >= 0.5 * np.linalg.norm(g) * min(radius, np.linalg.norm(g) / size) - 1e-12 * terms
    optimum = trust_region_step(g, eigen(H), radius).decrease
    assert answer.decrease <= optimum + 1e-11 * terms
    smallest = np.linalg.eigvalsh(H)[0]
    if smallest > 0.0 and (answer.ended == "boundary" or tol < 1e-6):
        assert answer.decrease >= 0.5 * optimum - 1e-12 * terms
    if answer.ended in {"boundary", "curvature"}:
        assert length == pytest.approx(radius, rel=1e-12)
    else:
        assert length <= radius
    if answer.ended == "residual":  # the recurred one; the condition number is at most 1e4
        assert np.linalg.norm(H @ p + g) <= tol * np.linalg.norm(g) + 1e-11 * terms / length
    if answer.ended == "curvature":
        assert smallest < 1e-12 * size


@pytest.mark.parametrize("share", [0.3, 0.8, 1e3])
def test_the_iterates_are_those_of_conjugate_gradients_until_the_exit(share):
    """The radius is this share of the length of the Newton step."""
    H, g = symmetric(np.geomspace(1.0, 1e2, 12)), np.random.default_rng(1).standard_normal(12)
    radius = share * np.linalg.norm(np.linalg.solve(H, g))
    lengths, path = [0.0], []
    for k in range(1, 10):
        answer = steihaug(lambda v: H @ v, g, radius, tol=1e-10, max_iterations=k)
        inner = cg(lambda v: H @ v, -g, tol=1e-10, max_iterations=k).x
        lengths.append(np.linalg.norm(answer.step))
        if answer.ended == "boundary":
            assert np.linalg.norm(inner) >= radius, "plain conjugate gradients leave at the same step"
            assert lengths[-1] == pytest.approx(radius, rel=1e-14)
            break
        assert answer.ended == "limit" and answer.iterations == k
        np.testing.assert_allclose(answer.step, inner, rtol=0, atol=1e-12 * np.linalg.norm(inner))
        assert lengths[-1] > lengths[-2]
        path.append(answer.decrease)
    assert answer.ended == ("limit" if share > 1.0 else "boundary")
    assert np.all(np.diff([0.0, *path]) > 0.0)


def test_a_direction_of_negative_curvature_is_followed_to_the_boundary():
    answer = steihaug(lambda v: -v, np.asarray([3.0, 4.0]), 10.0, tol=0.1)
    assert (answer.ended, answer.iterations) == ("curvature", 1)
    np.testing.assert_allclose(answer.step, [-6.0, -8.0], rtol=1e-14)
    assert answer.decrease == pytest.approx(50.0 + 50.0, rel=1e-14)


def test_a_zero_gradient_asks_for_no_step():
    answer = steihaug(lambda v: v, np.zeros(3), 1.0, tol=0.1)
    assert not np.any(answer.step) and answer.decrease == 0.0


def test_array_api_strict_gives_the_same_numbers():
    H, g = symmetric([-1.0, 0.5, 2.0, 3.0]), np.arange(1.0, 5.0)
    strict, strict_g = array_api_strict.asarray(H), array_api_strict.asarray(g)
    ours, theirs = steihaug(lambda v: H @ v, g, 2.0, tol=0.1), steihaug(lambda v: strict @ v, strict_g, 2.0, tol=0.1)
    np.testing.assert_allclose(np.asarray(theirs.step), ours.step, rtol=1e-13)
    assert theirs.ended == ours.ended
    solve = partial(cubic_step, M=1.0)
    one, other = krylov_step(solve, lambda v: H @ v, g), krylov_step(solve, lambda v: strict @ v, strict_g)
    np.testing.assert_allclose(np.asarray(other.step), one.step, rtol=1e-10)
    assert other.products == one.products
