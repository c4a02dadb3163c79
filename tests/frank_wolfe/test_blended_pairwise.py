"""Blended pairwise steps: a vertex comes into use only when those in use have little left to give."""

import numpy as np
import pytest

import secondorder as so
from secondorder.oracles import Problem


def on_birkhoff(n=6, seed=0):
    """½|X − T|² over the doubly stochastic matrices, from the identity, for a Gaussian T."""
    target = np.random.default_rng(seed).standard_normal(n * n)
    return Problem(
        lambda x: 0.5 * float((x - target) @ (x - target)), lambda x: x - target, x0=np.eye(n).ravel(),
        constraint=so.sets.Birkhoff(n), fresh=True,
    )  # fmt: skip


def atoms_of(row):
    return {atom.tobytes() for atom in row["atoms"]}


@pytest.mark.parametrize("step_rule", ["short", "exact"])
def test_only_a_frank_wolfe_step_brings_in_a_vertex(step_rule):
    problem = on_birkhoff()
    history = so.minimize(problem, "blended_pairwise", step_rule=step_rule, tol=1e-9, keep=("x", "atoms"))
    assert history.status == "converged"
    met = set()
    for row, after in zip(history.rows, history.rows[1:]):
        move, before, now = after["move"], atoms_of(row), atoms_of(after)
        if move == "frank_wolfe":
            assert len(now - before) <= 1
        else:
            assert now <= before and len(before - now) == (move == "drop")
        met.add(move)
    assert met == {"frank_wolfe", "pairwise", "drop"}


def test_the_inner_gap_decides():
    problem = on_birkhoff(seed=1)
    history = so.minimize(problem, "blended_pairwise", tol=1e-8, keep=("x", "atoms"))
    for row, after in zip(history.rows, history.rows[1:]):
        slopes = row["atoms"] @ problem.grad(row["x"])
        inner = slopes.max() - slopes.min()
        assert (after["move"] == "frank_wolfe") == (inner < row["gap"])
        if after["move"] != "frank_wolfe":
            step = problem.grad(row["x"]) @ (after["x"] - row["x"])
            assert step == pytest.approx(-after["step_size"] * inner, rel=1e-6, abs=1e-14)


def test_the_direction_is_never_less_than_half_of_the_pairwise_one():
    """⟨∇f, a − v⟩ ≤ 2 max(⟨∇f, a − s⟩, ⟨∇f, x − v⟩), which is all that the proof of the linear rate needs."""
    problem = on_birkhoff(seed=2)
    history = so.minimize(problem, "blended_pairwise", tol=1e-8, keep=("x", "atoms"))
    for row in history.rows:
        grad = problem.grad(row["x"])
        slopes = row["atoms"] @ grad
        pairwise = slopes.max() - grad @ problem.lmo(grad)
        assert pairwise <= 2.0 * max(slopes.max() - slopes.min(), row["gap"]) + 1e-12


def test_while_the_best_vertex_is_in_use_it_is_the_pairwise_method():
    """Then s = v, and ⟨∇f, a − v⟩ ≥ ⟨∇f, x − v⟩ for the largest slope in use, which is no less than that of x."""
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((20, 8)), rng.standard_normal(20)
    problem = Problem(
        lambda x: 0.5 * float((A @ x - b) @ (A @ x - b)), lambda x: A.T @ (A @ x - b), constraint=so.sets.Simplex(8),
        fresh=True,
    )  # fmt: skip
    blended, pairwise = (
        so.minimize(problem, name, steps=12, tol=0.0, keep=("x", "atoms", "vertex"))
        for name in ("blended_pairwise", "pairwise")
    )
    same = [bool(np.any(np.all(row["atoms"] == row["vertex"], axis=1))) for row in blended.rows]
    until = same.index(False) + 1 if False in same else len(same)
    assert until >= 8
    np.testing.assert_allclose(blended["x"][:until], pairwise["x"][:until], atol=1e-12)


@pytest.mark.parametrize("n", [10, pytest.param(20, marks=pytest.mark.slow)])
def test_it_keeps_the_fewest_atoms_on_a_birkhoff_projection(n):
    """A face of a polytope of dimension (n − 1)² needs no more than that and one; away steps keep dependent atoms too."""
    runs = {
        name: so.minimize(on_birkhoff(n), name, step_rule="exact", tol=1e-6, steps=4000)
        for name in ("away_step", "pairwise", "blended_pairwise")
    }
    assert all(run.status == "converged" for run in runs.values())
    values = [run.f[-1] for run in runs.values()]
    assert max(values) - min(values) <= 1e-6, "the answer is unique, and the gap bounds the difference"
    largest = {name: run["active"].max() for name, run in runs.items()}
    assert 1.5 * largest["blended_pairwise"] <= min(largest["away_step"], largest["pairwise"])
    plain = so.minimize(on_birkhoff(n), "frank_wolfe", step_rule="exact", steps=300)
    assert plain["gap"].min() > 1e3 * runs["blended_pairwise"]["gap"].min()
