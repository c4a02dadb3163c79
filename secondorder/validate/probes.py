r"""Property checks that need no trajectory to compare with: an implementation is run on problems made to show one thing.

Each function takes a candidate (a method, a generator function, or what an adapter made) and returns a
:class:`~secondorder.validate.verdict.Finding`. What is a truth (unbiasedness, optimality of the model) passes or fails; what
is a convention (an exponent, a place) is measured, and passes or fails if ``expected`` says what it should be. Inside
:func:`secondorder.validate.check` the same is measured of the reference, and passes if both show the same.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from secondorder.arrays import Array, norm
from secondorder.ledger import a_problem
from secondorder.linalg import eigen
from secondorder.oracles import Problem
from secondorder.validate.adapters import as_candidate
from secondorder.validate.comparison import relative_error
from secondorder.validate.problems import network
from secondorder.validate.recording import Candidate, Recording, record, tapped
from secondorder.validate.step_solvers import check_step_solver
from secondorder.validate.verdict import Finding

SIGMAS = 6.0
"""A mean so many standard errors off is biased: one false alarm in 10^8 numbers."""

SECONDS = 60.0
"""No run of a probe takes longer: a library may need many for its first step."""

CURVATURE = ("hess", "hvp", "ggn_product", "signals")
"""The oracles that a refresh schedule may concern."""


class Inapplicable(Exception):
    """The candidate cannot be asked this."""


# ------------------------------------------------------------------------------------------------ 1. random probes


def unbiased_probes(candidate: Any, *, draws: int = 400, seed: int = 0) -> Finding:
    r"""Whether the vectors v that a candidate multiplies by the Hessian have :math:`\mathbb E\,vv^\top=I`.

    Only then is :math:`\mathbb E\,v\odot Hv=\operatorname{diag}H`. Both means are held against sampling error, on an H with
    large entries off its diagonal; of a diagonal H any signs give the diagonal, also constant ones.

    Parameters
    ----------
    candidate : method, generator function or Candidate
        Asks for ``hvp``.
    draws : int, default 400
        Vectors to gather; the steps are at most ten times as many.
    seed : int, default 0

    Returns
    -------
    Finding
        ``measured``: ``law`` of the vectors ("signs", "normal", "constant", "the same every time", "other"), ``draws``,
        ``sigmas``, the largest deviation in standard errors, and ``bias``, that of the diagonal over its largest entry.

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: at most ten steps for each draw.

    >>> import secondorder as so
    >>> finding = unbiased_probes(so.diagonal.adahessian)
    >>> finding.passed, finding.measured["law"]
    (True, 'signs')
    >>> constant = so.validate.Candidate("constant", lambda *a, **k: so.diagonal.adahessian(*a, probe="constant"))
    >>> unbiased_probes(constant).passed
    False
    """
    return _asked("unbiased probes", lambda: _unbiased(_runnable(candidate), draws, seed))


def unbiased_diagonal(
    estimator: Callable[[Callable[[Array], Array], int, np.random.Generator], Any],
    *,
    d: int = 6,
    draws: int = 400,
    seed: int = 0,
) -> Finding:
    r"""Whether an estimator of the diagonal of a matrix has it as its mean, by a z-test of every entry.

    Parameters
    ----------
    estimator : function ``(matvec, d, rng) -> diagonal``
        Of a symmetric matrix known by its products, (d,) in and out; called ``draws`` times with one NumPy Generator.
    d, draws, seed : int, default 6, 400 and 0

    Returns
    -------
    Finding
        ``measured``: ``draws``, ``sigmas``, the largest deviation in standard errors, and ``bias``, over the largest entry.

    Raises ``ValueError`` for an answer of another shape.

    >>> def rademacher(matvec, d, rng):
    ...     v = rng.choice([-1.0, 1.0], d)
    ...     return v * matvec(v)
    >>> unbiased_diagonal(rademacher).passed
    True
    """
    rng = np.random.default_rng(seed)
    H = _dense(d)
    estimates = np.stack([np.asarray(estimator(lambda v: H @ v, d, rng), dtype=np.float64) for _ in range(draws)])
    if estimates.shape != (draws, d):
        raise ValueError(f"estimator must return an array of shape ({d},); got {estimates.shape[1:]}")
    if not np.all(np.isfinite(estimates)):
        return Finding("unbiased diagonal", False, "an estimate is not finite", {"draws": draws})
    sigmas = _sigmas(estimates - np.diag(H))
    bias = float(np.max(np.abs(np.mean(estimates, axis=0) - np.diag(H))) / np.max(np.diag(H)))
    passed = bool(np.max(sigmas) <= SIGMAS)
    words = f"the mean of {draws} estimates is {'' if passed else 'not '}the diagonal ({np.max(sigmas):.1f} standard errors)"
    return Finding("unbiased diagonal", passed, words, {"draws": draws, "sigmas": float(np.max(sigmas)), "bias": bias})


def _unbiased(candidate: Candidate, draws: int, seed: int) -> Finding:
    H = _dense(6)
    vectors = _probes(candidate, H, draws, seed)
    law = _law(vectors)
    fixed = law in ("constant", "the same every time")
    again = _probes(candidate, H, min(draws, 4), seed + 1)
    if not fixed and np.array_equal(again, vectors[: len(again)]):
        raise Inapplicable("the vectors that it multiplies by the Hessian are not random")
    moments = vectors[:, :, None] * vectors[:, None, :] - np.eye(6)
    estimates = vectors * (vectors @ H) - np.diag(H)
    sigmas = float(max(np.max(_sigmas(moments.reshape(len(vectors), -1))), np.max(_sigmas(estimates))))
    bias = float(np.max(np.abs(np.mean(estimates, axis=0))) / np.max(np.diag(H)))
    measured = {"law": law, "draws": len(vectors), "sigmas": sigmas, "bias": bias}
    if sigmas <= SIGMAS:
        words = f"{_LAWS[law]}; the mean of v * Hv is the diagonal of H to {sigmas:.1f} standard errors"
        return Finding("unbiased probes", True, f"{words} ({len(vectors)} draws)", measured)
    value = f", {vectors[0, 0]:g} in every place" if law == "constant" else ""
    rows = "the row sums of H" if law == "constant" else f"off by {bias:.2g} of its largest entry"
    words = f"{_LAWS[law]}{value}: E vv' is not I, and the mean of v * Hv is not the diagonal of H but {rows}"
    if law not in ("constant", "the same every time"):
        words = f"{_LAWS[law]}: E vv' is not I ({sigmas:.1f} standard errors), the mean of v * Hv is {rows}"
    return Finding("unbiased probes", False, words, measured)


_LAWS = {
    "signs": "random signs",
    "normal": "normal numbers",
    "constant": "constant vectors",
    "the same every time": "the same vector every time",
    "other": "vectors of another law",
}


def _law(vectors: Array) -> str:
    if np.ptp(vectors) == 0.0:
        return "constant"
    if len(vectors) > 1 and np.all(vectors == vectors[0]):
        return "the same every time"
    if np.all(np.abs(vectors) == 1.0):
        return "signs"
    standard = (vectors**4 - 3.0).ravel(), (vectors**2 - 1.0).ravel(), vectors.ravel()
    distinct = len(np.unique(np.abs(vectors))) > 0.9 * vectors.size
    return "normal" if distinct and all(np.max(_sigmas(each[:, None])) < 4.0 for each in standard) else "other"


def _probes(candidate: Candidate, H: Array, draws: int, seed: int) -> Array:
    """The vectors of the products that it asks for, on a linear function whose Hessian it is told to be H."""
    table = np.random.default_rng(5).standard_normal((64, len(H)))
    steps = 60
    while True:
        run = record(candidate, _table(table, H[None]), steps=steps, seed=seed, seconds=SECONDS)
        vectors = [query.arguments[1] for query in _queries(run) if query.oracle == "hvp"]
        if not vectors:
            raise Inapplicable(f"it asks for no products with the Hessian{_because(run)}")
        if len(vectors) >= draws or len(run.rows) <= steps or steps >= 10 * draws:
            return np.stack(vectors[:draws])
        steps = min(10 * draws, math.ceil(1.1 * steps * draws / len(vectors)))


def _sigmas(deviations: Array) -> Array:
    """Of each column how many standard errors its mean is from 0; what rounding leaves is nothing."""
    mean, spread = np.abs(np.mean(deviations, axis=0)), np.std(deviations, axis=0) / math.sqrt(len(deviations))
    mean = np.where(mean > 1e-5, mean, 0.0)
    return np.where(mean == 0.0, 0.0, mean / np.maximum(spread, 1e-12))


# --------------------------------------------------------------------------------------------- 2. refresh schedule


def refresh_schedule(
    candidate: Any, *, problem: Problem | None = None, steps: int = 52, samples: int = 4, expected: int | None = None
) -> Finding:
    """At which step curvature is first used, for the first few steps at which it is asked for.

    The answers of one step are changed, and the first step that changes with them is the first that uses them. Step k leads
    from row k - 1 to row k.

    Parameters
    ----------
    candidate : method, generator function or Candidate
    problem : Problem, optional
        By default one with slopes that are small beside its curvature, so that clipped steps notice it; or a sum of fourth
        powers, for a search along lines; or a small network, for one that asks for ``signals``.
    steps : int, default 52
    samples : int, default 4
        How many of the steps that ask are looked into.
    expected : int, optional
        How many steps late the curvature is first used: 0 for at once.

    Returns
    -------
    Finding
        ``measured[oracle]`` holds pairs (step that asked, first step that used, None if there was none).

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: two runs for each problem tried, and one or two more for each step that is looked into.

    >>> import secondorder as so
    >>> every_third = so.validate.Candidate("", lambda *a, **k: so.diagonal.adahessian(*a, refresh=3))
    >>> refresh_schedule(every_third, expected=0).measured
    {'hvp': ((1, 1), (4, 4), (7, 7), (10, 10))}
    """
    return _asked("refresh schedule", lambda: _refreshed(_runnable(candidate), problem, steps, samples, expected))


def _refreshed(
    candidate: Candidate, problem: Problem | None, steps: int, samples: int, expected: int | None
) -> Finding:
    makers: list[Callable[[], Problem]] = [_weak_slopes, _fourth_powers, network]
    found, why = None, ""
    for make in makers if problem is None else [lambda: problem]:
        try:
            measured = _uses(candidate, make, steps, samples)
        except Inapplicable as error:
            why = why or str(error)
            continue
        if not measured:
            raise Inapplicable("it asks for no curvature")
        unused = sum(used is None for pairs in measured.values() for _, used in pairs)
        if found is None or unused < found[0]:
            found = unused, measured
        if unused == 0:
            break
    if found is None:
        raise Inapplicable(why)
    measured = found[1]
    delays = {None if used is None else used - asked for pairs in measured.values() for asked, used in pairs}
    passed = None if expected is None else delays == {expected}
    return Finding("refresh schedule", passed, "; ".join(map(_in_words, measured, measured.values())), measured)


Uses = dict[str, tuple[tuple[int, int | None], ...]]
"""For each oracle the steps that asked, and the first that used the answers."""


def _uses(candidate: Candidate, make: Callable[[], Problem], steps: int, samples: int) -> Uses:
    run = record(candidate, make(), steps=steps, seconds=SECONDS)
    if len(run.rows) < 3:
        raise Inapplicable(f"it takes no two steps{_because(run)}")
    if not any(query.oracle in CURVATURE for query in _queries(run)):
        return {}
    again = record(candidate, make(), steps=steps, seconds=SECONDS)
    if _first_change(run, again) is not None:
        raise Inapplicable("two runs of it differ")
    found: Uses = {}
    for oracle in CURVATURE:
        rows = [k for k, queries in enumerate(run.queries) for query in queries if query.oracle == oracle]
        pairs: list[tuple[int, int | None]] = []
        for row in list(dict.fromkeys(row for row in rows if row < len(run.rows) - 1))[:samples]:
            numbers = {i for i, other in enumerate(rows) if other == row}
            pairs.append((row + 1, _first_use(candidate, make, oracle, numbers, run, row)))
        if pairs:
            found[oracle] = tuple(pairs)
    return found


def _in_words(oracle: str, pairs: tuple[tuple[int, int | None], ...]) -> str:
    asked = f"{oracle} asked for at step{'s' * (len(pairs) > 1)} {', '.join(str(a) for a, _ in pairs)} is first used "
    if all(used == when for when, used in pairs):
        return asked + "at once"
    late = max((used - when for when, used in pairs if used is not None), default=None)
    return (
        asked + f"at {', '.join('none' if used is None else str(used) for _, used in pairs)}"
        f"{'' if late is None else f', up to {late} steps late'}"
    )


def _first_use(
    candidate: Candidate, make: Callable[[], Problem], oracle: str, numbers: set[int], run: Recording, row: int
) -> int | None:
    """The first row that changes with those answers, which were given at a row: the next one, or one of a longer run."""
    for steps in (row + 1, len(run.rows) - 1):
        other = record(candidate, _disturbed(make(), oracle, numbers), steps=steps, seconds=SECONDS)
        change = _first_change(run, other, steps)
        if change is not None:
            return change
    return None


def _first_change(run: Recording, other: Recording, steps: int | None = None) -> int | None:
    """The first row that differs, of so many steps; a run that ended early differs where it ended."""
    rows = run.rows if steps is None else run.rows[: steps + 1]
    for k, (a, b) in enumerate(zip(rows, other.rows)):
        if not np.array_equal(a.x, b.x):
            return k
    return None if len(rows) == len(other.rows) else min(len(rows), len(other.rows))


def _disturbed(problem: Problem, oracle: str, numbers: set[int]) -> Problem:
    """The problem with those of its answers changed, by their numbers in the order of asking."""
    seen = -1

    def ask(batch: Problem, name: str, *arguments: Any, **options: float) -> Any:
        nonlocal seen
        answer = getattr(batch, name)(*arguments, **options)
        if name != oracle:
            return answer
        seen += 1
        return _times(answer, 1.5) if seen in numbers else answer

    return tapped(problem, ask)


def _times(answer: Any, c: float) -> Any:
    """An array, or the second of each pair in a tuple of layers, times a number; of an array the entries differently."""
    if isinstance(answer, tuple):
        return tuple(type(layer)(layer[0], c * layer[1]) for layer in answer)
    factors = c ** (1.0 + np.arange(len(answer)) / len(answer))
    return answer * factors if answer.ndim == 1 else answer * np.sqrt(np.outer(factors, factors))


# ---------------------------------------------------------------------------------------------- 3. matrix exponent


def matrix_exponent(candidate: Any, *, expected: float | None = None) -> Finding:
    r"""The exponent p in :math:`L^{-p}GR^{-p}`, from one gradient with a known SVD, and from two more.

    On the first step, with :math:`L=GG^\top,R=G^\top G`, singular values become :math:`\sigma^{1-4p}`. Gradients with the same
    singular vectors and other values then give :math:`\sigma_3(w^2\sigma_1^2+w\sigma_2^2+\sigma_3^2)^{-2p}`, for sums (w = 1)
    and averages. The first alone does not tell: with statistics of what is preconditioned from the left already, p = 1/2
    looks like 1/4, and with the second like an average, w = 1/2.

    Parameters
    ----------
    candidate : method, generator function or Candidate
    expected : float, optional
        The exponent; that of Shampoo is 1/4, of the identity 0.

    Returns
    -------
    Finding
        ``measured``: ``first`` and ``later``, the exponents from the first and the third step, ``weight``, w, and ``misfit``,
        the relative error of the last formula: above 0.01, the step is not of that form.

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: three steps.

    >>> import secondorder as so
    >>> finding = matrix_exponent(so.kronecker.shampoo, expected=0.25)
    >>> finding.passed, round(finding.measured["later"], 3)
    (True, 0.25)
    """
    return _asked("matrix exponent", lambda: _exponent(_runnable(candidate), expected))


def _exponent(candidate: Candidate, expected: float | None) -> Finding:
    rng = np.random.default_rng(2)
    n = 8
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    first = np.geomspace(3.0, 300.0, n)
    sizes = np.stack([first, first[rng.permutation(n)], first[rng.permutation(n)]])
    gradients = np.stack([(U * s @ V.T).ravel() for s in sizes])
    values = []
    for step in _steps(candidate, _table(gradients, np.eye(n * n)[None], shape=(n, n)), 3):
        inside = -U.T @ step.reshape(n, n) @ V
        diagonal = np.diag(inside)
        if norm(inside - np.diag(diagonal)) > 1e-3 * norm(diagonal) or np.any(diagonal <= 0.0):
            raise Inapplicable("its step is no function of the singular values of the gradients")
        values.append(np.log(diagonal))
    slope = np.polyfit(np.log(first), values[0], 1)[0]

    def fit(log_weight: float) -> tuple[float, float]:
        weights = np.exp(log_weight * np.asarray([2.0, 1.0, 0.0]))
        past = np.log(weights @ sizes**2)
        relative = values[2] - np.log(sizes[2])
        b, c = np.polyfit(past, relative, 1)
        return float(np.max(np.abs(relative - b * past - c))), float(b)

    grid = np.linspace(-8.0, 8.0, 65)
    best = min(grid, key=lambda w: fit(w)[0])
    options = {"bounds": (best - 0.25, best + 0.25), "method": "bounded", "options": {"xatol": 1e-8}}
    weight = float(minimize_scalar(lambda w: fit(w)[0], **options).x)
    misfit, power = fit(weight)
    measured = {
        "first": float((1.0 - slope) / 4.0),
        "later": -power / 2.0,
        "weight": math.exp(weight),
        "misfit": misfit,
    }
    fits = misfit < 0.01
    words = f"exponent {_round(-measured['first']):g} for each side from the first gradient, " + (
        f"{_round(-measured['later']):g} from later ones"
        if fits
        else f"but no power of summed squares fits later ones (off by {100.0 * misfit:.2g} %): "
        "what is accumulated, or what is preconditioned, is not the gradient alone"
    )
    passed = None
    if expected is not None:
        passed = fits and abs(measured["first"] - expected) < 0.01 and abs(measured["later"] - expected) < 0.01
    return Finding("matrix exponent", passed, words, measured)


# -------------------------------------------------------------------------------------------- 4. batch duplication


def batch_duplication(candidate: Any, *, problem: Problem | None = None, steps: int = 5) -> Finding:
    r"""Whether nothing changes when every example of the data is repeated; and what happens when the loss is scaled.

    The objective is a mean, so are its gradient and every curvature matrix. What grows with the number of examples is a sum
    in the place of a mean, and damping and steps then depend on the batch size.

    Parameters
    ----------
    candidate : method, generator function or Candidate; or a function from a problem to a curvature matrix
        A matrix (d, d), or an operator with ``to_dense``.
    problem : Problem, optional
        With ``batch(indices)``; by default a small network.
    steps : int, default 5
        Of an optimiser, compared.

    Returns
    -------
    Finding
        ``measured``: ``deviation``, relative, and ``degree``: k if a loss c times as large makes the first step, or the
        matrix, :math:`c^k` times as large, None if it changes its direction.

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: four or five runs of so many steps, three single steps.

    >>> import secondorder as so
    >>> batch_duplication(lambda p: p.ggn(p.x0)).passed
    True
    >>> batch_duplication(lambda p: p.n * p.ggn(p.x0)).words.partition(";")[0]
    'repeating every example multiplies the matrix by 2: a sum where a mean is meant'
    """
    return _asked("batch duplication", lambda: _duplicated(candidate, problem or network(), steps))


def _duplicated(candidate: Any, problem: Problem, steps: int) -> Finding:
    if not hasattr(a_problem(problem), "batch"):
        raise ValueError(f"problem must be made of examples, with batch(indices); {problem.name!r} is not")
    twice = problem.batch(np.tile(np.arange(problem.n), 2))  # type: ignore[attr-defined]
    factors = [1.0, 4.0, 16.0]
    judged = _candidate_or_none(candidate)
    if judged is None:
        what = "the matrix"
        plain, doubled = (_matrix(candidate(each)) for each in (problem, twice))
        if not np.all(np.isfinite([plain, doubled])):
            return Finding("batch duplication", False, "the matrix is not finite", {})
        scaled = [_matrix(candidate(_scaled(problem, c))) for c in factors]
        factor = _factor(doubled.ravel(), plain.ravel())
    else:
        what = "the step"
        one, other = (record(judged, problem, steps=steps, seed=seed, seconds=SECONDS) for seed in (0, 1))
        if _first_change(one, other) is not None:
            raise Inapplicable("it draws random numbers, which differ for other data")
        plain, doubled = (_steps(judged, each, steps, anywhere=True) for each in (problem, twice))
        scaled = [_steps(judged, _scaled(problem, c), 1, anywhere=True)[0] for c in factors]
        factor = _factor(doubled[0], plain[0])
    deviation, degree = relative_error(doubled, plain), _degree(scaled, factors)
    passed = deviation <= (1e-6 if judged is None else _allowed(judged))
    if judged is not None and not passed:
        jittered = _steps(judged, _jittered(problem), steps, anywhere=True)
        if deviation <= 100.0 * relative_error(jittered, plain):
            raise Inapplicable("a change in the last digit of its gradients changes it as much")
    words = "nothing changes when every example is repeated"
    if not passed:
        words = f"repeating every example changes {what} by {100.0 * deviation:.2g} %"
        if relative_error(doubled, factor * plain) < 1e-6:
            reason = ": a sum where a mean is meant" if abs(factor - 2.0) < 1e-6 else ""
            words = f"repeating every example multiplies {what} by {factor:.3g}{reason}"
    change = "changes more than its length" if degree is None else f"makes it c^{_round(degree):g} times as large"
    words += f"; a loss c times as large {change}"
    return Finding("batch duplication", passed, words, {"deviation": deviation, "degree": degree})


def _scaled(problem: Problem, c: float) -> Problem:
    """The problem with c times its loss; of a curvature c S S' the signals are those of the root."""

    def ask(batch: Problem, oracle: str, *arguments: Any, **options: float) -> Any:
        answer = getattr(batch, oracle)(*arguments, **options)
        if oracle == "signals":
            power = {"empirical": 1.0, "unit": 0.0}.get(arguments[1], 0.5)
            return tuple(type(layer)(layer[0], c**power * layer[1]) for layer in answer)
        if oracle == "output_loss":
            return tuple(c * part for part in answer)
        return (c**0.5 if oracle in ("residual", "jac") else c) * answer

    scaled = tapped(problem, ask)
    scaled.l2 = c * problem.l2
    return scaled


def _jittered(problem: Problem) -> Problem:
    """The problem with the last digit of its answers changed."""
    rng = np.random.default_rng(12)

    def changed(answer: Any) -> Any:
        if isinstance(answer, tuple):
            parts = [changed(part) for part in answer]
            return type(answer)(*parts) if hasattr(answer, "_fields") else tuple(parts)
        return answer * (1.0 + 4e-16 * rng.standard_normal(np.shape(answer)))

    def ask(batch: Problem, oracle: str, *arguments: Any, **options: float) -> Any:
        return changed(getattr(batch, oracle)(*arguments, **options))

    return tapped(problem, ask)


def _allowed(candidate: Candidate) -> float:
    """A deviation that is none in the candidate's precision."""
    return max(1e-6, 1e4 * candidate.epsilon)


def _matrix(value: Any) -> Array:
    return np.asarray(value.to_dense() if hasattr(value, "to_dense") else value, dtype=np.float64)


# -------------------------------------------------------------------------------------------- 5. basis permutation


def basis_permutation(candidate: Any, *, tolerance: float = 1e-3) -> Finding:
    r"""Whether the path follows when the rows and columns of a layer are permuted and change their signs.

    For signed permutations P, Q and :math:`f'(W)=f(P^\top WQ)` the path from :math:`PW_0Q^\top` is :math:`PW_tQ^\top`. The
    gradients are such that rows change places in the order of their size, so a basis that is sorted by eigenvalues is sorted
    anew. Then, with diagonal gradients, one entry grows past the others in one run and not in another: the others should
    not notice, unless a method gives a layer one length. A second moment left in the old order of its basis is seen here.

    Parameters
    ----------
    candidate : method, generator function or Candidate
        One that cannot follow given gradients, as it searches along lines, is run on a smooth function of a vector, and
        ``crossing`` is missing.
    tolerance : float, default 1e-3

    Returns
    -------
    Finding
        ``measured``: relative deviations from the path for a signed ``permutation``, an entry ``crossing`` the others, and, not
        judged, an orthogonal ``rotation``.

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: six runs of 24 or 30 steps.

    >>> import secondorder as so
    >>> finding = basis_permutation(so.diagonal.adam)
    >>> finding.passed, finding.measured["permutation"] < 1e-12, finding.measured["rotation"] > 0.01
    (True, True, True)
    """
    return _asked("basis permutation", lambda: _permuted(_runnable(candidate), tolerance))


def _permuted(candidate: Candidate, tolerance: float) -> Finding:
    rng = np.random.default_rng(3)
    measured: dict[str, float] = {}
    for name, turns in (("permutation", _signed_permutation), ("rotation", _rotation)):
        try:
            measured[name] = _turned_layer(candidate, *(turns(rng, n) for n in (4, 3)))
        except Inapplicable:
            measured[name] = _turned_vector(candidate, turns(rng, 5))
    with contextlib.suppress(Inapplicable):
        measured["crossing"] = _crossing(candidate)
    wrong = [name for name in ("permutation", "crossing") if measured.get(name, 0.0) > tolerance]
    said = {
        "permutation": "permuted and reflected coordinates change the path",
        "crossing": "an entry that outgrows others moves them, though the gradients do not couple them",
    }
    words = "; ".join(f"{said[name]} by {measured[name]:.1e} of its size" for name in wrong)
    turned = "the path turns with a rotation" if measured["rotation"] <= tolerance else "a rotation changes the path"
    return Finding(
        "basis permutation", not wrong, f"{words or 'the path is permuted as the coordinates are'}; {turned}", measured
    )


def _turned_layer(candidate: Candidate, P: Array, Q: Array, steps: int = 24) -> float:
    """How far the path on turned gradients is from the turned path; the order of the rows is reversed on the way."""
    rng = np.random.default_rng(4)
    m, n = len(P), len(Q)
    scales = np.exp(np.linspace(2.0, -2.0, steps)[:, None] * np.linspace(1.0, -1.0, m))
    G = scales[:, :, None] * rng.standard_normal((steps, m, n))
    H = np.abs(rng.standard_normal((m, n))) + 0.5
    paths = []
    for gradients, curvature in ((G, H), (P @ G @ Q.T, P**2 @ H @ (Q**2).T)):
        problem = _table(gradients.reshape(steps, -1), np.diag(curvature.ravel())[None], shape=(m, n))
        paths.append(_path(candidate, problem, steps).reshape(-1, m, n))
    return relative_error(paths[1], P @ paths[0] @ Q.T)


def _turned_vector(candidate: Candidate, P: Array, steps: int = 8) -> float:
    """The same for a smooth function of a vector."""
    A = np.random.default_rng(6).standard_normal((9, len(P)))
    x0 = np.linspace(-1.0, 2.0, len(P))
    plain = record(candidate, _log_cosh(A, x0), steps=steps, seconds=SECONDS)
    other = record(candidate, _log_cosh(A @ P.T, P @ x0), steps=steps, seconds=SECONDS)
    if min(len(plain.rows), len(other.rows)) < 3:
        raise Inapplicable(f"it takes no two steps{_because(plain)}")
    pairs = list(zip(plain.rows, other.rows))
    return relative_error(np.stack([b.x for _, b in pairs]), np.stack([P @ a.x for a, _ in pairs]))


def _crossing(candidate: Candidate, steps: int = 30) -> float:
    """How much the entries of a diagonal notice that the first grows past them."""
    paths = []
    for last in (0.1, 30.0):
        diagonals = np.tile([0.1, 1.0, 2.0, 4.0], (steps, 1)) * (1.0 + 0.3 * np.sin(np.arange(steps))[:, None])
        diagonals[:, 0] *= np.geomspace(1.0, last / 0.1, steps)
        gradients = np.stack([np.diag(each).ravel() for each in diagonals])
        paths.append(_path(candidate, _table(gradients, np.eye(16)[None], shape=(4, 4)), steps)[:, [5, 10, 15]])
    return relative_error(*paths)


def _signed_permutation(rng: np.random.Generator, n: int) -> Array:
    return np.eye(n)[np.roll(np.arange(n), 1)] * np.where(np.arange(n) % 2, -1.0, 1.0)


def _rotation(rng: np.random.Generator, n: int) -> Array:
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


# ------------------------------------------------------------------------------------------------- 6. equivariance


def equivariance(candidate: Any, *, expected: float | None = None) -> Finding:
    r"""Whether a transposed layer has the transposed path, and how the first step scales with the gradient.

    Parameters
    ----------
    candidate : method, generator function or Candidate
    expected : float, optional
        k in step(c g) = c^k step(g): 1 for gradient descent, 0 for Adam and Shampoo, up to their :math:`\epsilon`. With
        it, the transposed path must agree too.

    Returns
    -------
    Finding
        ``measured``: ``transpose``, the relative deviation, and ``degree``, k, or None where the direction changes.

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: two runs of eight steps, three of one.

    >>> import secondorder as so
    >>> finding = equivariance(so.kronecker.shampoo, expected=0.0)
    >>> finding.passed, abs(finding.measured["degree"]) < 0.01
    (True, True)
    """
    return _asked("equivariance", lambda: _equivariant(_runnable(candidate), expected))


def _equivariant(candidate: Candidate, expected: float | None) -> Finding:
    rng = np.random.default_rng(7)
    steps, m, n = 8, 4, 3
    G, h = 10.0 * rng.standard_normal((steps, m, n)), np.abs(rng.standard_normal((m, n))) + 0.5

    def problem(G: Array, h: Array) -> Problem:
        return _table(G.reshape(len(G), -1), np.diag(h.ravel())[None], shape=h.shape)

    plain = _path(candidate, problem(G, h), steps).reshape(-1, m, n)
    other = _path(candidate, problem(G.transpose(0, 2, 1), h.T), steps).reshape(-1, n, m)
    transpose = relative_error(other.transpose(0, 2, 1), plain)
    factors = [1.0, 16.0, 256.0]
    degree = _degree([_steps(candidate, problem(c * G, h), 1)[0] for c in factors], factors)
    same = transpose <= _allowed(candidate)
    words = (
        "the transposed layer has the transposed path" if same else f"a transpose changes the path by {transpose:.1e}"
    )
    scale = "the direction changes with the scale of the gradient"
    words += f"; {scale if degree is None else f'step(c g) = c^{_round(degree):g} step(g)'}"
    passed = None if expected is None else same and degree is not None and abs(degree - expected) < 0.01
    return Finding("equivariance", passed, words, {"transpose": transpose, "degree": degree})


# --------------------------------------------------------------------------------------------- 7. model optimality


def model_optimality(
    candidate: Any, kind: Literal["trust_region", "cubic"] = "trust_region", *, steps: int = 6
) -> Finding:
    r"""Whether each step is a global minimiser of a trust-region or cubic model, on an indefinite quadratic.

    Such a step s satisfies :math:`(H+\lambda I)s=-g` with :math:`H+\lambda I\succeq0` for some :math:`\lambda\ge0`,
    whatever the radius or the cubic constant.

    Parameters
    ----------
    candidate : method, generator function or Candidate; or a solver ``(g, H, radius or M) -> step``
        A solver is handed on to :func:`check_step_solver`.
    kind : "trust_region" (default) or "cubic"
        Of a solver.
    steps : int, default 6

    Returns
    -------
    Finding
        ``measured``: ``residual``, of the equation over the gradient, and ``lowest``, the lowest eigenvalue of
        :math:`H+\lambda I` over the largest of H, each at its worst step. Of a solver, as :func:`check_step_solver` says.

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: one run.

    >>> import secondorder as so
    >>> model_optimality(so.newton.trust_region).passed, model_optimality(so.newton.cubic_newton).passed
    (True, True)
    """
    judged = _candidate_or_none(candidate)
    if judged is None:
        return check_step_solver(candidate, kind)
    return _asked("model optimality", lambda: _optimal(judged, steps))


def _optimal(candidate: Candidate, steps: int) -> Finding:
    Q = _rotation(np.random.default_rng(8), 4)
    H = (Q * [-2.0, -0.5, 1.0, 6.0]) @ Q.T
    H, g = (H + H.T) / 2.0, Q @ [1e-2, 0.5, -1.0, 2.0]
    problem = Problem(
        lambda x: float(g @ x + 0.5 * x @ H @ x), lambda x: g + H @ x, lambda x: H, lambda x, v: H @ v, x0=np.zeros(4)
    )
    run = record(candidate, problem, steps=steps, seconds=SECONDS)
    if not any(query.oracle in CURVATURE for query in _queries(run)):
        raise Inapplicable(f"it asks for no curvature{_because(run)}")
    residuals, lowest = [], []
    for before, after in zip(run.rows, run.rows[1:]):
        grad, s = g + H @ before.x, after.x - before.x
        if norm(s) > 0.0:
            multiplier = max(0.0, -float((H @ s + grad) @ s) / float(s @ s))
            residuals.append(norm(H @ s + multiplier * s + grad) / norm(grad))
            lowest.append((eigen(H).values[0] + multiplier) / 6.0)
    if not residuals:
        raise Inapplicable("it does not move")
    measured = {"residual": float(max(residuals)), "lowest": float(min(lowest))}
    passed = measured["residual"] <= 1e-6 and measured["lowest"] >= -1e-6
    words = f"its {len(residuals)} steps minimise the model globally, on an indefinite H"
    if measured["residual"] > 1e-6:
        words = f"its steps are no solutions of (H + lambda I) s = -g: off by {measured['residual']:.1e}"
    elif not passed:
        words = "steps to a saddle of the model on an indefinite H"
    return Finding("model optimality", passed, words, measured)


# ---------------------------------------------------------------------------------------------------- 8. placement


def placement_of_epsilon(candidate: Any, *, expected: str | None = None) -> Finding:
    r"""Whether :math:`\epsilon` stands outside or inside the root, and after or before the bias correction.

    Two steps with a constant gradient whose entries u go from 1e-14 to 1, and a Hessian diag(u): a step is
    proportional to :math:`u/(u+e)` or :math:`u/\sqrt{u^2+e^2}`, and e is the same in both steps if :math:`\epsilon` is added
    after the bias correction.

    Parameters
    ----------
    candidate : method, generator function or Candidate
    expected : str, optional
        What ``measured["placement"]`` should be.

    Returns
    -------
    Finding
        ``measured``: ``placement``, "outside" or "inside", with ", after bias correction" or ", before bias correction"
        (which is also what it looks like without one), or "none"; ``epsilon``, as added there in the first step (inside,
        to the square).

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: two steps.

    >>> import secondorder as so
    >>> finding = placement_of_epsilon(so.diagonal.adam)
    >>> finding.measured["placement"], float(f"{finding.measured['epsilon']:.3g}")
    ('outside, after bias correction', 1e-08)
    """
    return _asked("placement of epsilon", lambda: _epsilon(_runnable(candidate), expected))


def _epsilon(candidate: Candidate, expected: str | None) -> Finding:
    u = np.geomspace(1e-14, 1.0, 57)
    steps = _steps(candidate, _table(np.stack([u, u]), np.diag(u)[None]), 2)
    if np.any(steps >= 0.0):
        raise Inapplicable("its first steps do not go against every entry of the gradient")
    fits = [[_floor(u, np.log(-step / u), inside) for inside in (False, True)] for step in steps]
    inside = sum(fit[1][0] for fit in fits) < sum(fit[0][0] for fit in fits)
    misfit, e = max(fit[inside][0] for fit in fits), [fit[inside][1] for fit in fits]
    if misfit > 0.02 or e[0] > 0.1:
        raise Inapplicable("its first step is not the gradient over its size and an epsilon")
    if e[0] < 1e-15:
        placement, words = "none", "there is no epsilon above 1e-15"
    else:
        after = abs(e[1] / e[0] - 1.0) < 0.02
        placement = f"{'inside' if inside else 'outside'}, {'after' if after else 'before'} bias correction"
        added = e[0] ** 2 if inside else e[0]
        words = f"epsilon {added:.3g} {'inside' if inside else 'outside'} the root, " + (
            "after the bias correction" if after else "before the bias correction, or without one"
        )
    measured = {"placement": placement, "epsilon": e[0] ** 2 if inside else e[0], "misfit": misfit}
    return Finding("placement of epsilon", None if expected is None else placement == expected, words, measured)


def _floor(u: Array, log_ratio: Array, inside: bool) -> tuple[float, float]:
    """Fit log of a/(u + e), or of a/sqrt(u^2 + e^2): the worst misfit, and e."""

    def misfit(log_e: float) -> float:
        e = math.exp(log_e)
        off = log_ratio + (np.log(np.hypot(u, e)) if inside else np.log(u + e))
        return float(np.ptp(off) / 2.0)

    grid = np.linspace(math.log(1e-18), math.log(1e2), 231)
    best = min(grid, key=misfit)
    width = grid[1] - grid[0]
    fine = minimize_scalar(misfit, bounds=(best - width, best + width), method="bounded", options={"xatol": 1e-6})
    return float(fine.fun), math.exp(float(fine.x))


def placement_of_weight_decay(
    candidate: Any,
    *,
    weight_decay: float | None = None,
    learning_rate: float | None = None,
    expected: str | None = None,
) -> Finding:
    r"""What weight decay does where the gradient vanishes: a fraction of x, or one that passed through the preconditioner.

    Parameters
    ----------
    candidate : method, generator function or Candidate
    weight_decay, learning_rate : float, optional
        If given, the fraction is named: :math:`\lambda` or :math:`\eta\lambda`.
    expected : str, optional
        What ``measured["placement"]`` should be.

    Returns
    -------
    Finding
        ``measured``: ``placement``, "none", "decoupled" (proportional to x; so is a coupled one without a preconditioner),
        "decoupled, times learning rate" or "coupled"; ``fraction`` of the largest entry that the first step takes away.

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: one step.

    >>> import secondorder as so
    >>> placement_of_weight_decay(so.diagonal.adamw, weight_decay=1e-5, learning_rate=1e-3).measured["placement"]
    'decoupled'
    """
    return _asked(
        "placement of weight decay",
        lambda: _decay(_runnable(candidate), weight_decay, learning_rate, expected),
    )


def _decay(candidate: Candidate, decay: float | None, rate: float | None, expected: str | None) -> Finding:
    x0 = np.asarray([1.0, -2.0, 4.0, -8.0, 16.0])
    step = _steps(candidate, _table(np.zeros((1, 5)), np.eye(5)[None], x0=x0), 1)[0]
    parts = -step / x0
    fraction = float(parts[-1])
    lost = candidate.epsilon / abs(fraction) if fraction else 0.0
    if lost > 0.02:
        raise Inapplicable("what a step takes away is lost in the rounding of x")
    exact = max(1e-3, 2.0 * lost)
    if not np.any(step):
        placement, words = "none", "there is none"
    elif np.ptp(parts) <= exact * abs(fraction):
        placement, words = "decoupled", f"a step takes {fraction:.3g} of x away"
        if decay is not None and rate is not None and abs(fraction - decay * rate) < exact * abs(fraction):
            placement, words = "decoupled, times learning rate", words + ", the learning rate times the decay"
    else:
        placement, words = "coupled", "it is added to the gradient, and passes through the preconditioner"
    measured = {"placement": placement, "fraction": fraction}
    return Finding("placement of weight decay", None if expected is None else placement == expected, words, measured)


def placement_of_momentum(candidate: Any, *, expected: str | None = None) -> Finding:
    r"""Whether momentum is taken of the gradients, before preconditioning, or of the preconditioned directions, after it.

    Two runs share the first gradient and have opposite second ones, :math:`\pm cw`. The sum of their second steps is what the
    first gradient left: nothing without momentum; the same for every c if directions are averaged; and rescaled by the
    preconditioner of step two, which depends on c, if gradients are.

    Parameters
    ----------
    candidate : method, generator function or Candidate
    expected : str, optional
        What ``measured["placement"]`` should be.

    Returns
    -------
    Finding
        ``measured``: ``placement``, "none", "before" or "after" (also where nothing is preconditioned); ``share``, the sum
        over twice the first step, for c = 1.

    Raises ``TypeError`` for what is no candidate, or a recorded run.

    Cost: four runs of two steps.

    >>> import secondorder as so
    >>> placement_of_momentum(so.diagonal.adam).measured["placement"]
    'before'
    """
    return _asked("placement of momentum", lambda: _momentum(_runnable(candidate), expected))


def _momentum(candidate: Candidate, expected: str | None) -> Finding:
    rng = np.random.default_rng(9)
    u, w = 1.0 + rng.random((2, 6))
    left, first = [], None
    for c in (1.0, 3.0):
        runs = [
            _steps(candidate, _table(np.stack([u, sign * c * w]), np.stack([np.diag(u), np.diag(c * w)])), 2)
            for sign in (1.0, -1.0)
        ]
        first = runs[0][0]
        left.append(runs[0][1] + runs[1][1])
    size = norm(first)
    if size == 0.0:
        raise Inapplicable("its first step is zero")
    if max(map(norm, left)) < 1e-3 * size:
        placement, words = "none", "there is none"
    elif norm(left[1] - left[0]) < 1e-3 * norm(left[0]):
        placement, words = "after", "of the directions, after preconditioning (if there is any)"
    else:
        placement, words = "before", "of the gradients, before preconditioning"
    measured = {"placement": placement, "share": norm(left[0]) / (2.0 * size)}
    return Finding("placement of momentum", None if expected is None else placement == expected, words, measured)


# ------------------------------------------------------------------------------------------------------ all of them


class Probe(NamedTuple):
    """A probe, and whether a candidate shows the same as the reference, to so many digits; None: not to be judged."""

    measure: Callable[..., Finding]
    same: Callable[[Mapping[str, Any], Mapping[str, Any], float], bool | None]


def findings(
    candidate: Any, function: Callable[..., Any], hyper: Mapping[str, Any] | None = None
) -> tuple[Finding, ...]:
    """What the probes say of a candidate beside the reference with these hyper-parameters, without those that do not apply.

    Parameters
    ----------
    candidate : method, generator function or Candidate
    function : a method
    hyper : mapping, optional

    Returns
    -------
    tuple of Finding
        Each passed if the reference shows the same.

    Cost: a few hundred steps of each.

    >>> import secondorder as so
    >>> for finding in findings(so.diagonal.adam, so.diagonal.adam, {"beta1": 0.0}):
    ...     print(finding.name, finding.passed)
    batch duplication True
    basis permutation True
    equivariance True
    placement of epsilon True
    placement of momentum False
    """
    info = function.method  # type: ignore[attr-defined]
    judged = as_candidate(candidate)
    hyper = {name: value for name, value in (hyper or {}).items() if name != "batch_size"}
    constrained = {"lmo", "project"} & set(info.oracles(hyper))
    if info.kind != "optimiser" or constrained or isinstance(judged, Recording):
        return ()
    reference = Candidate("reference", functools.partial(function, **hyper))
    return tuple(_compared(judged, reference, {**info.defaults(), **hyper}))


def _compared(candidate: Candidate, reference: Candidate, hyper: Mapping[str, Any]) -> Iterator[Finding]:
    rates = {name: hyper[name] for name in ("weight_decay", "learning_rate") if name in hyper}
    for measure, same in PROBES:
        options = rates if measure is placement_of_weight_decay else {}
        if measure is unbiased_probes:
            options = {"draws": 150}
        ours = measure(reference, **options)
        theirs = measure(candidate, **options) if ours.measured else ours
        if "it took longer than" in theirs.words:  # it hangs, and is asked no more
            return
        verdict = same(theirs.measured, ours.measured, _allowed(candidate)) if theirs.measured else None
        if verdict is not None:
            addition = f" (the reference: {_told_apart(theirs, ours)})" if not verdict else " (as in the reference)"
            words = theirs.words + (addition if theirs.passed is False or not verdict else "")
            yield Finding(theirs.name, verdict, words, theirs.measured)


def _told_apart(theirs: Finding, ours: Finding) -> str:
    """The words of the reference; where they are the same, the numbers that are not."""
    numbers = [name for name, value in ours.measured.items() if isinstance(value, float)]
    apart = [
        f"{name} {ours.measured[name]:.3g}, here {theirs.measured[name]:.3g}"
        for name in numbers
        if isinstance(theirs.measured.get(name), float) and not _close(theirs.measured[name], ours.measured[name])
    ]
    return "; ".join(apart) if apart and theirs.words == ours.words else ours.words


def _alike(theirs: Mapping[str, Any], ours: Mapping[str, Any], tolerance: float, *names: str) -> bool | None:
    """Deviations that vanish for both, or for neither; one that is between is not judged."""
    verdicts = []
    for name in names:
        if name in theirs and name in ours:
            if ours[name] < 1e-6:
                verdicts.append(theirs[name] <= max(1e-3, tolerance))
            elif ours[name] > 1e-2:
                verdicts.append(theirs[name] > 1e-6)
    return all(verdicts) if verdicts else None


def _close(theirs: float | None, ours: float | None) -> bool:
    if theirs is None or ours is None:
        return theirs is ours
    return abs(theirs - ours) <= 0.01 * max(1.0, abs(ours))


def _same_schedule(theirs: Mapping[str, Any], ours: Mapping[str, Any], tolerance: float) -> bool:
    """As far as both were seen to ask, whether for matrices or for products with them."""
    pairs = zip(theirs.values(), ours.values())
    return len(theirs) == len(ours) and all(a == b for each in pairs for a, b in zip(*each))


def _same_exponent(theirs: Mapping[str, Any], ours: Mapping[str, Any], tolerance: float) -> bool | None:
    if abs(theirs["first"]) < 0.01 and abs(ours["first"]) < 0.01:  # nothing is preconditioned
        return None
    fits = [each["misfit"] < 0.01 for each in (theirs, ours)]
    later = _close(theirs["later"], ours["later"]) if all(fits) else fits[0] == fits[1]
    return _close(theirs["first"], ours["first"]) and later


def _same_paths(theirs: Mapping[str, Any], ours: Mapping[str, Any], tolerance: float) -> bool:
    return _alike(theirs, ours, tolerance, "transpose") is not False and _close(theirs["degree"], ours["degree"])


def _both_optimal(theirs: Mapping[str, Any], ours: Mapping[str, Any], tolerance: float) -> bool | None:
    theirs_is, ours_is = (each["residual"] <= tolerance and each["lowest"] >= -tolerance for each in (theirs, ours))
    return bool(theirs_is) if ours_is else None


def _same_place(number: str, theirs: Mapping[str, Any], ours: Mapping[str, Any], tolerance: float) -> bool | None:
    if theirs["placement"] == ours["placement"] == "none":
        return None
    size = max(abs(theirs[number]), abs(ours[number]))
    if number == "fraction" and size < 5e-3 * tolerance:  # of x, lost in its rounding
        return None
    return theirs["placement"] == ours["placement"] and abs(theirs[number] - ours[number]) <= 0.02 * size


PROBES = (
    Probe(unbiased_probes, lambda theirs, ours, _: theirs["sigmas"] <= SIGMAS if ours["sigmas"] <= SIGMAS else None),
    Probe(refresh_schedule, _same_schedule),
    Probe(matrix_exponent, _same_exponent),
    Probe(batch_duplication, lambda theirs, ours, tolerance: _alike(theirs, ours, tolerance, "deviation")),
    Probe(
        basis_permutation, lambda theirs, ours, tolerance: _alike(theirs, ours, tolerance, "permutation", "crossing")
    ),
    Probe(equivariance, _same_paths),
    Probe(model_optimality, _both_optimal),
    Probe(placement_of_epsilon, functools.partial(_same_place, "epsilon")),
    Probe(placement_of_weight_decay, functools.partial(_same_place, "fraction")),
    Probe(placement_of_momentum, functools.partial(_same_place, "share")),
)
"""In the order of the report."""


# -------------------------------------------------------------------------------------------- problems and runs


def _asked(name: str, measure: Callable[[], Finding]) -> Finding:
    try:
        with np.errstate(all="ignore"):
            return measure()
    except (Inapplicable, ArithmeticError, np.linalg.LinAlgError) as why:
        return Finding(name, None, f"does not apply: {why}", {})


def _runnable(candidate: Any) -> Candidate:
    judged = as_candidate(candidate)
    if isinstance(judged, Recording):
        raise TypeError("candidate must be one that can be run again; got a recorded run")
    return judged


def _candidate_or_none(candidate: Any) -> Candidate | None:
    """The candidate, or None for a plain function."""
    try:
        return _runnable(candidate)
    except TypeError:
        if not callable(candidate):
            raise
        return None


def _table(gradients: Array, curvatures: Array | None = None, *, shape: Any = None, x0: Array | None = None) -> Problem:
    """A problem whose t-th point has the t-th gradient and Hessian of a table, in a circle, wherever it lies; f is 0."""
    last: Array | None = None
    time = -1

    def at(table: Array, x: Array) -> Array:
        nonlocal last, time
        if last is None or not np.array_equal(x, last):
            last, time = np.array(x), time + 1
        return table[time % len(table)]

    more: dict[str, Any] = {}
    if curvatures is not None:
        more = {"hess": lambda x: at(curvatures, x), "hvp": lambda x, v: at(curvatures, x) @ v}
    start = np.zeros(gradients.shape[1]) if x0 is None else x0
    problem = Problem(lambda x: 0.0, lambda x: at(gradients, x), x0=start, name="table", **more)
    if shape is not None:
        problem.split = lambda x: (x.reshape(shape),)  # type: ignore[attr-defined]
        problem.join = lambda layers: layers[0].reshape(-1)  # type: ignore[attr-defined]
    return problem


def _path(candidate: Candidate, problem: Problem, steps: int, anywhere: bool = False) -> Array:
    """The points of a run that goes as far as it should, and asks at its own points only unless it may do so anywhere."""
    run = record(candidate, problem, steps=steps, seconds=SECONDS)
    if len(run.rows) <= steps:
        raise Inapplicable(f"it takes only {max(0, len(run.rows) - 1)} steps{_because(run)}")
    if not (anywhere or run.one_point):
        raise Inapplicable("it asks at more points than one a step")
    return np.stack([row.x for row in run.rows])


def _steps(candidate: Candidate, problem: Problem, count: int, anywhere: bool = False) -> Array:
    return np.diff(_path(candidate, problem, count, anywhere), axis=0)


def _because(run: Recording) -> str:
    return f" ({run.failure or run.status})" if run.failure or run.status else ""


def _queries(run: Recording) -> list[Any]:
    return [query for queries in run.queries for query in queries]


def _factor(a: Array, b: Array) -> float:
    size = float(b @ b)
    return float(a @ b) / size if size > 0.0 else 0.0


def _degree(values: list[Array], factors: list[float]) -> float | None:
    """k if the values are the first times the k-th power of the factors, up to the last few percent; else None."""
    first = values[0].ravel()
    if norm(first) == 0.0:
        return None
    scales = [_factor(value.ravel(), first) for value in values]
    straight = all(relative_error(v.ravel(), c * first) < 1e-2 for v, c in zip(values, scales))
    if not straight or min(scales) <= 0.0:
        return None
    return float(np.polyfit(np.log(factors), np.log(scales), 1)[0])


def _round(number: float) -> float:
    return round(number, 2) + 0.0


def _dense(d: int) -> Array:
    """A symmetric matrix with rows that do not sum to its diagonal."""
    A = np.random.default_rng(1).standard_normal((d, d))
    return A @ A.T / d + 0.1 * np.eye(d)


def _weak_slopes(d: int = 4) -> Problem:
    """Slopes given in advance, a ten-thousandth of a curvature that changes with them."""
    rng = np.random.default_rng(10)
    curvatures = 100.0 * (1.0 + rng.random((64, d)))
    return _table(1e-2 * rng.standard_normal((64, d)), np.stack([np.diag(each) for each in curvatures]))


def _fourth_powers(d: int = 4) -> Problem:
    """Fourth powers with weights: curvature that changes, and a minimum that Newton's method does not reach."""
    a = np.linspace(0.5, 1.5, d)
    return Problem(
        lambda x: float(a @ x**4) / 4.0,
        lambda x: a * x**3,
        lambda x: np.diag(3.0 * a * x**2),
        lambda x, v: 3.0 * a * x**2 * v,
        x0=np.asarray([1.5, -1.2, 0.9, -1.0])[:d],
        name="fourth powers",
    )


def _log_cosh(A: Array, x0: Array) -> Problem:
    """A convex function with a dense Hessian that changes."""

    def hess(x: Array) -> Array:
        return (A.T / np.cosh(A @ x - 1.0) ** 2) @ A + 0.1 * np.eye(A.shape[1])

    return Problem(
        lambda x: float(np.sum(np.log(np.cosh(A @ x - 1.0))) + 0.05 * x @ x),
        lambda x: A.T @ np.tanh(A @ x - 1.0) + 0.1 * x,
        hess,
        lambda x, v: hess(x) @ v,
        x0=x0,
        name="log cosh",
    )
