"""Data for the linear models: the bundled sets, LIBSVM files and the caller's own arrays. NumPy and SciPy only."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np

from secondorder.arrays import Array, is_array, is_sparse, to_numpy
from secondorder.catalogue import nearest

BUNDLED = ("breast_cancer", "digits", "wine")
"""The data sets of scikit-learn; (rows, columns, classes) are (569, 30, 2), (1797, 64, 10) and (178, 13, 3)."""


def load(data: Any) -> tuple[Array, Array, str]:
    """The matrix (n, d), the n labels and a name, from any of the forms of ``data``; checked, not shared.

    Parameters
    ----------
    data : str, Path or pair
        The name of a bundled set, the path of a LIBSVM file, or ``(A, y)`` with A dense or SciPy sparse.

    >>> A, y, name = load("wine")
    >>> A.shape, y.shape, name
    ((178, 13), (178,), 'wine')
    """
    if isinstance(data, str) and data in BUNDLED:
        A, y = bundled(data)
        return matrix(A), labels(y, A.shape[0]), data
    if isinstance(data, os.PathLike) or (isinstance(data, str) and _looks_like_path(data)):
        path = Path(data).expanduser()
        A, y = read_libsvm(path)
        try:
            return matrix(A), labels(y, A.shape[0]), path.name
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    if isinstance(data, str):
        raise ValueError(
            f"unknown data set {data!r}{nearest(data, BUNDLED)}; known: {', '.join(BUNDLED)}. "
            "Or give the path of a LIBSVM file, or a pair (A, y)"
        )
    if not isinstance(data, (tuple, list)):
        raise TypeError(
            f"data must be one of {', '.join(BUNDLED)}, the path of a LIBSVM file, or a pair (A, y); "
            f"got {type(data).__name__}"
        )
    if len(data) != 2:
        raise ValueError(f"data must be a pair (A, y); got {len(data)} items")
    A = matrix(data[0])
    return A, labels(data[1], A.shape[0]), ""


def bundled(name: str) -> tuple[Array, Array]:
    """A data set that comes with scikit-learn, as it is: no scaling, no column of ones."""
    return getattr(_scikit_learn(), f"load_{name}")(return_X_y=True)


def two_moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[Array, Array]:
    """Two interleaved half circles of radius 1 in the plane, evenly spaced, with Gaussian noise; n points in all.

    >>> X, y = two_moons()
    >>> X.shape, y.sum()
    ((200, 2), np.int64(100))
    """
    upper = np.linspace(0.0, np.pi, n - n // 2)
    lower = np.linspace(0.0, np.pi, n // 2)
    X = np.concatenate(
        [np.stack([np.cos(upper), np.sin(upper)], axis=1), np.stack([1.0 - np.cos(lower), 0.5 - np.sin(lower)], axis=1)]
    )
    y = np.repeat([0, 1], [n - n // 2, n // 2])
    return X + noise * np.random.default_rng(seed).standard_normal(X.shape), y


def read_libsvm(path: Path) -> tuple[Array, Array]:
    """The sparse matrix and the labels of a file of lines ``label index:value index:value …``; ``.gz`` is read too."""
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if path.is_dir():
        raise IsADirectoryError(f"data must be a LIBSVM file; {path} is a folder")
    read = _scikit_learn().load_svmlight_file
    try:
        A, y = read(str(path))
        if A.nnz == 0:
            raise ValueError("it holds no index:value")
        return A, y
    except (ValueError, IndexError, OverflowError, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path} is not a LIBSVM file (lines of 'label index:value index:value ...'): {error}"
        ) from error


def matrix(A: Any, name: str = "A") -> Array:
    """``A`` as a matrix of its own, float32 or float64: CSR if it is sparse, else dense."""
    if is_sparse(A):
        from scipy.sparse import csr_array

        if _kind(A.dtype) is None:
            raise TypeError(f"{name} must hold real numbers; got dtype {A.dtype}")
        A = csr_array(A, dtype=_kind(A.dtype), copy=True)
        A.sum_duplicates()
        entries = A.data
    else:
        A = _array(A, name)
        if _kind(A.dtype) is None:
            raise TypeError(f"{name} must hold real numbers; got dtype {A.dtype}")
        A = entries = np.array(A, dtype=_kind(A.dtype), order="C")
    if A.ndim != 2 or 0 in A.shape:
        raise ValueError(f"{name} must be a matrix with at least one row and one column; got shape {A.shape}")
    bad = int(np.sum(~np.isfinite(entries)))
    if bad:
        raise ValueError(f"{name} must be finite; got {bad} entries that are NaN or infinite")
    return A


def labels(y: Any, n: int) -> np.ndarray:
    """``y`` as a vector of ``n`` labels, numbers or strings."""
    y = _array(y, "y")
    if y.shape != (n,):
        raise ValueError(f"y must have shape ({n},), one label for each row of A; got {y.shape}")
    if y.dtype.kind == "f" and not np.all(np.isfinite(y)):
        raise ValueError(f"y must be finite; got {int(np.sum(~np.isfinite(y)))} labels that are NaN or infinite")
    return y


def classes(y: np.ndarray) -> tuple[tuple[Any, ...], np.ndarray]:
    """The distinct labels in order, and for each entry of ``y`` the index of its label.

    >>> classes(np.asarray(["no", "yes", "no"]))
    (('no', 'yes'), array([0, 1, 0]))
    """
    try:
        values, index = np.unique(y, return_inverse=True)
    except TypeError as error:
        raise TypeError(f"y must hold labels that can be ordered: {error}") from None
    if len(values) < 2:
        raise ValueError(f"y must hold at least two different labels; got only {values.tolist()[0]!r}")
    return tuple(values.tolist()), index.astype(np.int64)


def standardized(A: Array) -> Array:
    """Columns with mean 0 and variance 1; a constant column becomes 0."""
    if is_sparse(A):
        raise ValueError(
            "standardize=True needs a dense A (subtracting the means would fill a sparse one); "
            "give A.toarray(), or scale the columns yourself"
        )
    constant = np.ptp(A, axis=0) == 0.0
    A = A - np.mean(A, axis=0)
    return np.where(constant, 0.0, A / np.where(constant, 1.0, np.std(A, axis=0))).astype(A.dtype)


def _looks_like_path(text: str) -> bool:
    return Path(text).name != text or Path(text).suffix != "" or Path(text).is_file()


def _array(value: Any, name: str) -> np.ndarray:
    try:
        return to_numpy(value) if is_array(value) else np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array: {error}") from None


def _kind(dtype: np.dtype) -> type | None:
    """The floating-point type that holds ``dtype``; None for what is not a real number."""
    if dtype == np.float32:
        return np.float32
    return np.float64 if dtype.kind in "biuf" else None


def _scikit_learn() -> Any:
    try:
        import sklearn.datasets
    except ImportError as error:
        raise ImportError("data sets and LIBSVM files need scikit-learn: pip install 'secondorder[lab]'") from error
    return sklearn.datasets
