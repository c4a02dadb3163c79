"""What happened: one row a step, as columns, with the answer and why the run ended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from secondorder.arrays import Array, norm, to_numpy
from secondorder.ledger import Ledger
from secondorder.oracles import CORE, ORACLES, Problem

COSTS = {
    **{"f": 0.5, "grad": 1.0, "hvp": 2.0, "third": 4.0, "metric": 1.0},
    **{"residual": 0.5, "ggn_product": 2.0, "diagonal_rank_one": 0.5, "signals": 1.0, "output_loss": 0.5},
    **dict.fromkeys(("lmo", "project", "domain"), 0.0),
    **{"score": 1.0, "log_density": 0.5},
}
"""Gradient-equivalents of an oracle call (of each signal); a Hessian costs d and a Jacobian d/2 unless told otherwise. What a
linear minimisation or a projection costs depends on the set: they are counted beside, ``history.cost(lmo=…)``."""

RESERVED = ("f", "grad_norm", "seconds")


class History:
    """The rows of a run.

    ``history["radius"]`` is the column of any recorded quantity, with NaN (or None) where a row has none;
    ``history.f``, ``history.grad_norm`` and ``history.seconds`` are there for every row.

    ``x`` is the last good iterate, ``rows`` the list of rows as they were appended, ``oracle`` the calls of each oracle
    in the whole run (also those after the last row), ``message`` what lies behind a breakdown or a divergence, and
    ``status`` one of

        ``converged``, ``finished``, ``step_limit``, ``time_limit``, ``stopped`` (by the callback), ``interrupted``
        (Ctrl-C), ``stalled`` (no progress; the message says of what kind), ``breakdown`` (the linear algebra or a
        function failed) or ``diverged`` (an accepted iterate was not finite).
    """

    def __init__(
        self, method: str, hyper: Mapping[str, Any], problem: str, d: int, f_star: float | None = None
    ) -> None:
        self.method, self.hyper, self.problem_name, self.d, self.f_star = method, dict(hyper), problem, d, f_star
        self.x: Array | None = None
        self.status, self.message = "", ""
        self.tol: float | None = None
        self.rows: list[dict[str, Any]] = []
        self.oracle: dict[str, float] = dict.fromkeys(CORE, 0)
        self._problem: Problem | None = None
        self._optimality: dict[str, float] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def particles(self) -> int:
        """Their number; 0 for an optimiser."""
        return self.x.shape[0] if self.x is not None and self.x.ndim == 2 else 0

    @property
    def names(self) -> tuple[str, ...]:
        """The columns on record, in the order of their computation."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row if not name.startswith("#")))

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in (*self.names, *RESERVED):
            raise KeyError(f"{name!r} is not on record; there are {', '.join(self.names)} (arrays only with keep=)")
        values = [row.get(name) for row in self.rows]
        if any(isinstance(v, (str, np.ndarray, tuple)) for v in values):
            arrays = [v for v in values if isinstance(v, np.ndarray)]
            if len(arrays) == len(values) and len({v.shape for v in arrays}) == 1:
                return np.stack(arrays)
            column = np.empty(len(values), dtype=object)
            column[:] = values
            return column
        return np.asarray([np.nan if v is None else v for v in values])

    @property
    def f(self) -> np.ndarray:
        return self["f"]

    @property
    def grad_norm(self) -> np.ndarray:
        return self["grad_norm"]

    @property
    def seconds(self) -> np.ndarray:
        """The method's own time up to each row; recording and drawing are not in it."""
        return self["seconds"]

    @property
    def primal_gap(self) -> np.ndarray:
        """``f - f_star`` where the least value is known, else above the best of this run (``["gap"]`` is Frank–Wolfe's)."""
        return self.f - (np.fmin.reduce(self.f) if self.f_star is None else self.f_star)

    @property
    def counts(self) -> dict[str, np.ndarray]:
        """The calls of each oracle up to each row."""
        return {name: np.asarray([row.get("#" + name, 0) for row in self.rows]) for name in self.oracle}

    def cost(self, **weights: float) -> np.ndarray:
        """Gradient-equivalents spent up to each row: a gradient 1, a value or residual 1/2, a product 2, a third
        derivative 4, a product with the metric 1, a diagonal plus rank one 1/2, a Hessian d, a Jacobian d/2, each
        back-propagated signal 1; what a batch costs is its share.

        Other weights by name, ``cost(hess=2.0)``, since what a Hessian costs depends on the problem.
        """
        unknown = set(weights) - set(ORACLES)
        if unknown:
            raise TypeError(f"unknown oracle {unknown.pop()!r}; weights are for {', '.join(ORACLES)}")
        weight = {**COSTS, "hess": float(self.d), "jac": 0.5 * self.d, "score_hessian": float(self.d), **weights}
        return sum((weight[name] * column for name, column in self.counts.items()), np.zeros(len(self)))

    @property
    def optimality(self) -> dict[str, float]:
        """How good the answer is. On a feasible set by the Frank–Wolfe gap, which for a convex f bounds :math:`f(x)-f^*`;
        without one by gradient norm, and where the Hessian is at hand its smallest eigenvalue and the
        Newton decrement :math:`\\sqrt{g^\\top H^{-1}g}` (for a positive definite Hessian). Of particles, by their distance to
        the law, see :func:`secondorder.distances.quality`. Evaluated at first access.
        """
        if self._optimality is None:
            if self._problem is None or self.x is None:
                raise ValueError("optimality was not computed before this history was saved")
            if self.particles:
                from secondorder.distances import quality

                last = self.rows[-1] if self.rows else {}
                self._optimality = quality(self._problem, self.x, last.get("alpha", 1.0), last.get("sigma", 0.0))
                return self._optimality
            ledger = Ledger(self._problem, self.x)
            grad = ledger.grad(self.x)
            answer = {"grad_norm": norm(grad)}
            if "lmo" in ledger.oracles:
                answer["gap"] = float(grad @ (self.x - ledger.lmo(grad)))
            elif "hess" in ledger.oracles:
                values, vectors = np.linalg.eigh(to_numpy(ledger.hess(self.x)))
                answer["smallest_eigenvalue"] = float(values[0])
                if values[0] > 0.0:
                    answer["newton_decrement"] = float(np.sqrt(np.sum((vectors.T @ to_numpy(grad)) ** 2 / values)))
            self._optimality = answer
        return self._optimality

    def plot(self, x: str = "step", y: str | None = None) -> Any:
        """A matplotlib figure of convergence, or of the particles; see :func:`secondorder.plots.convergence` and
        :func:`secondorder.plots.cloud`."""
        from secondorder.plots import picture

        return picture({self.method: self}, x=x, y=y)

    def to_frame(self) -> Any:
        """The scalar columns and the oracle counts as a pandas DataFrame, one row a step."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install 'secondorder[lab]'") from error
        columns = {name: self[name] for name in self.names}
        columns |= {f"{name}_calls": column for name, column in self.counts.items() if column[-1:].sum()}
        return pandas.DataFrame({name: list(c) if c.ndim > 1 else c for name, c in columns.items()}).rename_axis("step")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to an ``.npz`` file, without pickle. What is on record is kept; the problem itself is not."""
        arrays: dict[str, np.ndarray] = {}

        def plain(value: Any) -> Any:
            if isinstance(value, np.ndarray):
                arrays[f"array{len(arrays)}"] = value
                return {"array": f"array{len(arrays) - 1}"}
            return {"tuple": [plain(v) for v in value]} if isinstance(value, tuple) else value

        meta = {
            "version": 1,
            **{k: getattr(self, k) for k in _SAVED},
            "hyper": {
                k: v if isinstance(v, (int, float, str, bool, type(None))) else repr(v) for k, v in self.hyper.items()
            },
            "optimality": self._optimality,
            "x": plain(to_numpy(self.x)),
            "rows": [{name: plain(value) for name, value in row.items()} for row in self.rows],
        }
        with open(path, "wb") as file:
            np.savez_compressed(file, meta=np.asarray(json.dumps(meta)), **arrays)  # type: ignore[arg-type]

    @staticmethod
    def load(path: str | os.PathLike[str]) -> History:
        """Read what :meth:`save` wrote; ValueError for any other file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            return _restored(json.loads(str(arrays.pop("meta"))), arrays)
        except OSError:
            raise
        except Exception as error:  # a damaged file can fail in any way
            raise ValueError(f"{os.fspath(path)!r} is not a saved history") from error

    def __repr__(self) -> str:
        if not self.rows:
            return f"<History of {self.method}: no rows>"
        last = self.rows[-1]
        calls = ", ".join(f"{n:g} {name}" for name, n in self.oracle.items() if n)
        reason = f" ({self.message})" if self.message else ""
        measure = "gap" if "gap" in last else "grad_norm"
        if self.particles:
            found = f"{self.particles} particles in {self.d} dimensions"
        else:
            found = f"f={last.get('f', np.nan):.6g}, {measure}={last.get(measure, np.nan):.3g}"
        return (
            f"<History of {self.method} on {self.problem_name}: {self.status}{reason} after {len(self) - 1} steps, "
            f"{found}; {calls}; {last['seconds']:.3g} s>"
        )

    def _repr_html_(self) -> str:
        from secondorder.plots import html

        return html({self.method: self})


def _restored(meta: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> History:
    def restored(value: Any) -> Any:
        if isinstance(value, dict):
            return arrays[value["array"]] if "array" in value else tuple(restored(v) for v in value["tuple"])
        return value

    history = History(meta["method"], meta["hyper"], meta["problem_name"], meta["d"], meta["f_star"])
    history.status, history.message, history.tol = meta["status"], meta["message"], meta["tol"]
    history.oracle = meta["oracle"]
    history.x = restored(meta["x"])
    history.rows = [{name: restored(value) for name, value in row.items()} for row in meta["rows"]]
    history._optimality = meta["optimality"]
    return history


_SAVED = ("method", "problem_name", "d", "f_star", "status", "message", "tol", "oracle")
