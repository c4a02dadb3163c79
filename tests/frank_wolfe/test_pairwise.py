"""Pairwise steps: two weights change, the rest stays."""

import numpy as np
import pytest

import secondorder as so
from secondorder.oracles import Problem


def nearest_point(b, constraint, x0, f_star=None):
    return Problem(
        lambda x: 0.5 * float((x - b) @ (x - b)),
        lambda x: x - b,
        x0=x0,
        constraint=constraint,
        f_star=f_star,
        fresh=True,
    )


def on_birkhoff(n=6, seed=0):
    """½|X − T|² over the doubly stochastic matrices, from the identity, for a Gaussian T."""
    target = np.random.default_rng(seed).standard_normal(n * n)
    return nearest_point(target, so.sets.Birkhoff(n), np.eye(n).ravel())


def on_simplex(d=12):
    """½|x − b|² on the simplex, from the middle: all vertices are in use, and some have to go."""
    b = 0.5 * np.random.default_rng(0).standard_normal(d)
    return nearest_point(b, so.sets.Simplex(d), np.full(d, 1.0 / d))


def weights_of(row):
    return {atom.tobytes(): weight for atom, weight in zip(row["atoms"], row["weights"])}


@pytest.mark.parametrize("step_rule", ["short", "exact"])
@pytest.mark.parametrize(("problem", "ends"), [(on_birkhoff(), "swap"), (on_simplex(), "drop")], ids=["swap", "drop"])
def test_a_step_moves_weight_from_one_vertex_to_another(problem, ends, step_rule):
    history = so.minimize(problem, "pairwise", step_rule=step_rule, tol=1e-9, keep=("x", "atoms", "weights"))
    assert history.status == "converged"
    met = set()
    for row, after in zip(history.rows, history.rows[1:]):
        before, now, step_size = weights_of(row), weights_of(after), after["step_size"]
        change = {atom: now.get(atom, 0.0) - before.get(atom, 0.0) for atom in {*before, *now}}
        lost, gained = min(change, key=change.get), max(change, key=change.get)
        assert abs(change[lost] + step_size) <= 1e-13 and abs(change[gained] - step_size) <= 1e-13
        assert all(abs(value) <= 1e-13 for atom, value in change.items() if atom not in (lost, gained))
        assert step_size <= before[lost] * (1.0 + 1e-12), "no more than there is"
        assert (lost not in now) == (after["move"] in ("drop", "swap"))
        grown = {"pairwise": int(gained not in before), "drop": -1, "swap": 0}[after["move"]]
        assert after["active"] == row["active"] + grown
        met.add(after["move"])
    assert met >= {"pairwise", ends}


def test_a_step_leads_from_the_worst_vertex_in_use_to_the_best_of_all():
    problem = on_birkhoff(seed=1)
    history = so.minimize(problem, "pairwise", tol=1e-8, keep=("x", "atoms"))
    for row, after in zip(history.rows, history.rows[1:]):
        grad = problem.grad(row["x"])
        slopes = row["atoms"] @ grad
        step = after["x"] - row["x"]
        promised = after["step_size"] * (grad @ problem.lmo(grad) - slopes.max())
        assert grad @ step == pytest.approx(promised, rel=1e-6, abs=1e-14)


@pytest.mark.parametrize("hyper", [{"step_rule": "exact"}, {"lipschitz": 1.0}], ids=["exact", "short"])
def test_a_step_that_is_not_cut_takes_its_share_of_the_error(hyper):
    """On the simplex with d even δ = 2/√d and D = √2; μ = L = 1, hence 1/2 · 4/d of the error."""
    d = 12
    b, simplex = 0.5 * np.random.default_rng(0).standard_normal(d), so.sets.Simplex(d)
    answer = simplex.project(b)
    problem = nearest_point(b, simplex, np.eye(d)[0], 0.5 * float((answer - b) @ (answer - b)))
    history = so.minimize(problem, "pairwise", tol=1e-11, **hyper)
    assert history.status == "converged"
    h, share = np.maximum(history.primal_gap, 0.0), 2.0 / d
    free = [k for k, move in enumerate(history["move"]) if move == "pairwise"]
    assert len(free) >= 4 and all(h[k] <= (1.0 - share) * h[k - 1] + 1e-15 for k in free)


def test_it_swaps_vertices_where_the_blend_never_does():
    """From the top of a triangle all weight moves on before the rest is needed: a swap."""
    triangle = so.sets.Hull([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    problem = nearest_point(np.asarray([0.2137, -0.5]), triangle, [0.0, 1.0], 0.125)
    history = so.minimize(problem, "pairwise", step_rule="exact", tol=1e-12)
    assert history["move"][1:].tolist() == ["pairwise", "swap", "pairwise"]
    assert history["active"].tolist() == [1, 2, 2, 2]
