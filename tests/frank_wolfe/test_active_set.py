"""The weights of an active set follow the point: each move of weight is the step of the same name."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import secondorder as so
from secondorder.frank_wolfe.active_set import ActiveSet
from secondorder.ledger import Ledger
from secondorder.oracles import to_device

EPS = np.finfo(float).eps


@st.composite
def active_sets(draw, least=1):
    """Up to eight distinct atoms, with weights of one size or of very different ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    k, d = draw(st.integers(least, 8)), draw(st.integers(1, 6))
    weights = rng.dirichlet(np.full(k, draw(st.sampled_from([0.1, 1.0, 30.0])))) + 1e-10
    return ActiveSet(rng.standard_normal((k, d)), weights / weights.sum()), rng


def assert_sound(active):
    assert np.all(active.weights > 2.0 * EPS) and abs(np.sum(active.weights) - 1.0) <= 4.0 * EPS
    assert active.atoms.shape[0] == active.weights.shape[0] >= 1
    assert len(np.unique(active.atoms, axis=0)) == len(active.atoms)


@settings(deadline=None, max_examples=60)
@given(active_sets(), st.floats(0.0, 1.0))
def test_a_step_towards_an_atom(case, step_size):
    active, rng = case
    i, x = int(rng.integers(len(active.weights))), active.point()
    after = active.towards(i, step_size)
    assert_sound(after)
    np.testing.assert_allclose(after.point(), x + step_size * (active.atoms[i] - x), rtol=0, atol=1e-14)
    if step_size == 1.0:
        assert np.array_equal(after.atoms, active.atoms[i : i + 1]) and after.weights.tolist() == [1.0]


@settings(deadline=None, max_examples=60)
@given(active_sets(least=2), st.floats(0.0, 0.99))
def test_a_step_away_from_an_atom(case, share):
    """Up to the longest one, w/(1 − w); what is not dropped keeps its proportions."""
    active, rng = case
    i, x = int(rng.integers(len(active.weights))), active.point()
    step_size = share * active.weights[i] / (1.0 - active.weights[i])
    after = active.towards(i, -step_size)
    assert_sound(after)
    # weights near 1 make long steps, and 1 − w rounds
    np.testing.assert_allclose(
        after.point(), x - step_size * (active.atoms[i] - x), rtol=0, atol=1e-14 * (1 + step_size)
    )
    others = np.delete(np.arange(len(active.weights)), i)
    assert len(after.weights) == len(active.weights)
    ratio = after.weights[others] / active.weights[others]
    np.testing.assert_allclose(ratio, 1.0 + step_size, rtol=1e-14 * (1 + step_size))


@settings(deadline=None, max_examples=60)
@given(active_sets(least=2), st.floats(0.0, 1.0))
def test_weight_shifted_from_one_atom_to_another(case, share):
    active, rng = case
    away, i = (int(j) for j in rng.choice(len(active.weights), 2, replace=False))
    step_size = share * float(active.weights[away])
    after = active.shifted(away, i, step_size)
    assert_sound(after)
    moved = active.point() + step_size * (active.atoms[i] - active.atoms[away])
    np.testing.assert_allclose(after.point(), moved, rtol=0, atol=1e-14)
    dropped = share == 1.0 or active.weights[away] - step_size <= 2.0 * EPS
    assert len(after.weights) == len(active.weights) - dropped
    assert bool(np.any(np.all(after.atoms == active.atoms[away], axis=1))) == (not dropped)


@settings(deadline=None, max_examples=60)
@given(active_sets(), st.floats(0.0, 1.0))
def test_a_new_vertex_is_taken_in_only_with_weight(case, step_size):
    active, rng = case
    vertex = rng.standard_normal(active.atoms.shape[1])
    more, i = active.including(vertex)
    np.testing.assert_allclose(more.point(), active.point(), rtol=0, atol=1e-14)
    after = more.towards(i, step_size)
    assert_sound(after)
    x = active.point()
    np.testing.assert_allclose(after.point(), x + step_size * (vertex - x), rtol=0, atol=1e-14)
    again, j = after.including(vertex)
    assert (again is after) == (step_size > 2.0 * EPS) and np.array_equal(again.atoms[j], vertex)


@pytest.mark.parametrize("seed", range(3))
def test_many_moves_do_not_drift(seed):
    """The point by recurrence and the point by weights part only as rounding does."""
    rng = np.random.default_rng(seed)
    corners = rng.standard_normal((6, 3))
    active = ActiveSet(corners[:1], np.ones(1))
    x = active.point()
    for _ in range(300):
        active, i = active.including(corners[rng.integers(6)])
        if rng.random() < 0.5 or len(active.weights) == 1:
            step_size = rng.choice([1e-12, 1e-3, 0.5])
            x, active = x + step_size * (active.atoms[i] - x), active.towards(i, step_size)
        else:
            away = int(np.argmax(active.weights))
            step_size = float(rng.choice([0.1, 1.0]) * active.weights[away])
            x = x + step_size * (active.atoms[i] - active.atoms[away])
            active = active.shifted(away, i, step_size)
        assert_sound(active)
        np.testing.assert_allclose(active.point(), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "constraint",
    [
        so.sets.Simplex(4),
        so.sets.CappedSimplex(4, 0.3),
        so.sets.L1Ball(4),
        so.sets.LinfBall(4),
        so.sets.KSparse(4, 2),
        so.sets.Birkhoff(3),
        so.sets.Hull(np.random.default_rng(0).standard_normal((7, 4))),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_atoms_of_a_start_are_recognised_when_the_oracle_answers_with_them(constraint, dtype):
    """To the last bit: otherwise a vertex would be in the set twice."""
    rng = np.random.default_rng(1)
    answers = np.stack([constraint.lmo(rng.standard_normal(constraint.d).astype(dtype)) for _ in range(200)])
    problem = so.Problem(lambda x: 0.0, constraint=constraint, x0=np.mean(answers, axis=0))
    active = ActiveSet.of(Ledger(problem), problem.x0)
    known = [active.including(vertex)[0] is active for vertex in answers]
    near = np.min(np.max(np.abs(answers[:, None] - active.atoms[None]), axis=2), axis=1) < 1e-3
    assert np.array_equal(known, near) and any(known)
    assert active.weights.dtype == active.atoms.dtype == dtype


def test_without_a_decomposition_the_start_is_the_first_atom():
    ball = so.Problem(lambda x: 0.0, constraint=so.sets.L2Ball(3))
    for problem in (ball, so.Problem(lambda x: 0.0, lmo=lambda grad: grad, x0=np.zeros(3))):
        atoms, weights = ActiveSet.of(Ledger(problem), problem.x0)
        assert weights.tolist() == [1.0] and np.array_equal(atoms, problem.x0[None])


@pytest.mark.parametrize("move", ["towards", "away", "shifted", "without"])
def test_array_api_strict_gives_the_same_set(move):
    simplex = so.Problem(lambda x: 0.0, constraint=so.sets.Simplex(4))
    moves = {
        "towards": lambda active: active.towards(2, 0.25),
        "away": lambda active: active.towards(2, -0.25),
        "shifted": lambda active: active.shifted(1, 3, 0.25),
        "without": lambda active: active.without(1),
    }
    here = moves[move](ActiveSet.of(Ledger(simplex), simplex.x0))
    strict = to_device(simplex, "array_api_strict")
    there = moves[move](ActiveSet.of(Ledger(strict), strict.x0))
    for ours, theirs in zip((*here, here.point()), (*there, there.point()), strict=True):
        assert isinstance(theirs, array_api_strict._array_object.Array)
        np.testing.assert_array_equal(np.asarray(theirs), ours)
