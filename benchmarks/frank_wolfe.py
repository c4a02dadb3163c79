"""Our Frank–Wolfe methods beside copt's and beside projected gradient, to a Frank–Wolfe gap of 1e-6, in one run.

Run with ``python benchmarks/frank_wolfe.py``; ``pip install --no-deps copt`` adds the rows of copt, which are left out
without it. Everybody has our oracles and starts where the problem does, copt's pairwise variant at a vertex, its only kind of
start, and with atoms of weight 0 hidden from it: copt 0.9.2 keeps those that it dropped, and would choose one as the atom to
leave, with nothing to take from it, for ever. Limits are 20 000 iterations and 20 seconds. Milliseconds are the method's own,
the median of three runs if these are short; the gap is ours, at the point returned; atoms are those of the last active set.
A dash: there is no projection, or the method keeps vertices and the set has infinitely many.
"""

import contextlib
import io
import statistics
import time

import numpy as np

import secondorder as so

with contextlib.suppress(ImportError):
    import copt

TOL, STEPS, SECONDS, REPEATS = 1e-6, 20_000, 20.0, 3


def birkhoff(n=20):
    """The doubly stochastic matrix nearest to a Gaussian one."""
    Y = np.random.default_rng(0).standard_normal(n * n)
    return so.Problem(
        lambda x: 0.5 * float((x - Y) @ (x - Y)), lambda x: x - Y, constraint=so.sets.Birkhoff(n), fresh=True
    )  # fmt: skip


def nuclear(shape=(30, 20), rank=3):
    """Half of the entries of a matrix of low rank and noise."""
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((shape[0], rank)) @ rng.standard_normal((rank, shape[1])) + 0.1 * rng.standard_normal(shape)
    return so.problems.matrix_completion(
        Y, observed=0.5, held_out=0.5, radius=0.9 * np.linalg.svd(Y, compute_uv=False).sum()
    )


PROBLEMS = {
    "l1 logistic, breast_cancer, radius 10": lambda: so.problems.logistic(
        "breast_cancer", l2=0.0, standardize=True
    ).subject_to(so.sets.L1Ball(30, 10.0)),
    "minimum variance, simplex, d = 200": lambda: so.problems.minimum_variance(d=200),
    "projection, Birkhoff, n = 20": birkhoff,
    "matrix completion, nuclear ball, 30 x 20": nuclear,
}


def weighs(name):
    """Whether it keeps an active set of vertices, made for polytopes."""
    return name in ("away_step", "pairwise", "blended_pairwise")


def ours(name, **hyper):
    def solve(problem):
        if (
            problem.project is None
            if name == "projected_gradient"
            else weighs(name) and not problem.constraint.polytope
        ):
            return None
        history = so.minimize(problem, name, tol=TOL, steps=STEPS, seconds=SECONDS, **hyper)
        atoms = int(history["active"][-1]) if "active" in history.names else None
        return history.x, history.seconds[-1], len(history) - 1, history.status, atoms

    return solve


def copts(variant, step):
    def solve(problem):
        if variant == "pairwise" and not problem.constraint.polytope:
            return None
        vertex = problem.lmo(problem.grad(problem.x0))
        start, began = (vertex if variant == "pairwise" else problem.x0), time.perf_counter()

        def lmo(u, x, active_set):
            """The direction, the vertex as bytes, the one to leave and the longest step."""
            v = problem.lmo(-u)
            if variant != "pairwise":
                return v - x, None, None, 1.0
            in_use = [atom for atom in active_set.items() if atom[1] > 0.0]
            away, weight = min(in_use, key=lambda atom: u @ np.frombuffer(atom[0]))
            return v - np.frombuffer(away), v.tobytes(), away, weight

        def late(state):
            return state["certificate"] > TOL and time.perf_counter() - began < SECONDS

        def both(x):
            return problem.f(x), problem.grad(x)

        # It prints its first estimate of the constant, and divides by zero where f no longer falls.
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(divide="ignore"):
            answer = copt.minimize_frank_wolfe(
                both, start.copy(), lmo, x0_rep=vertex.tobytes(), variant=variant, jac=True, step=step,
                max_iter=STEPS, tol=TOL, callback=late,
            )  # fmt: skip
        seconds = time.perf_counter() - began
        status = "converged" if answer.certificate <= TOL else "time_limit" if seconds > SECONDS else "step_limit"
        atoms = sum(weight > 0.0 for weight in answer.active_set.values()) if answer.active_set else None
        return answer.x, seconds, answer.nit, status, atoms

    return solve


SOLVERS = {
    "frank_wolfe, open loop": ours("frank_wolfe"),
    "frank_wolfe, short step": ours("frank_wolfe", step_rule="short"),
    "away_step": ours("away_step"),
    "pairwise": ours("pairwise"),
    "blended_pairwise": ours("blended_pairwise"),
    "projected_gradient": ours("projected_gradient"),
}
if "copt" in globals():
    SOLVERS |= {
        "copt vanilla, backtracking": copts("vanilla", "backtracking"),
        "copt vanilla, 2/(t + 2)": copts("vanilla", "sublinear"),
        "copt pairwise, backtracking": copts("pairwise", "backtracking"),
    }


def main():
    for title, make in PROBLEMS.items():
        problem = make()
        print(f"\n{title:42}{'steps':>8}{'ms':>10}{'gap':>10}{'atoms':>7}  stopped")
        for label, solve in SOLVERS.items():
            answer = solve(problem)
            if answer is None:
                print(f"{label:42}{'-':>8}", flush=True)
                continue
            times = [answer[1]]
            while len(times) < REPEATS and times[0] < 2.0:
                times.append(solve(problem)[1])
            x, _, steps, status, atoms = answer
            grad = problem.grad(x)
            gap = float(grad @ (x - problem.lmo(grad)))
            print(
                f"{label:42}{steps:8}{1e3 * statistics.median(times):10.1f}{gap:10.1e}{atoms or '':>7}  {status}",
                flush=True,
            )


if __name__ == "__main__":
    main()
