"""Which array library an array belongs to, and moving arrays between libraries.

Everything above this file is written against the array API standard: NumPy is what people read and test,
CuPy is the same source on a GPU, and array-api-strict in the tests proves that no hidden NumPy call is left.
"""

from __future__ import annotations

import importlib
from typing import Any

import array_api_compat
import numpy as np

Array = Any
"""An array of any library that follows the array API standard."""

_NAMESPACES: dict[type, Any] = {}


def namespace(x: Array) -> Any:
    """The array library of ``x``, cached by type.

    >>> namespace(np.zeros(3)).__name__
    'array_api_compat.numpy'
    """
    try:
        return _NAMESPACES[type(x)]
    except KeyError:
        return _NAMESPACES.setdefault(type(x), array_api_compat.array_namespace(x))


def is_array(value: object) -> bool:
    """Whether ``value`` is an array of a known library (NumPy scalars are not).

    >>> is_array(np.zeros(2)), is_array(np.float64(1.0)), is_array([1.0])
    (True, False, False)
    """
    return type(value) in _NAMESPACES or (
        not isinstance(value, np.generic) and array_api_compat.is_array_api_obj(value)
    )


def is_sparse(value: object) -> bool:
    """Whether ``value`` is a sparse matrix, of SciPy or CuPy."""
    return hasattr(value, "tocsr") and hasattr(value, "toarray")


def norm(x: Array) -> float:
    """The Euclidean norm as a Python float.

    >>> norm(np.asarray([3.0, 4.0]))
    5.0
    """
    return float(namespace(x).linalg.vector_norm(x))


def epsilon(x: Array) -> float:
    """The rounding unit of the dtype of ``x``.

    >>> epsilon(np.zeros(1)) == 2.0**-52
    True
    """
    return float(namespace(x).finfo(x.dtype).eps)


def to_numpy(x: Array) -> np.ndarray:
    """A NumPy array with the values of ``x``, copied from its device if need be."""
    return x.get() if array_api_compat.is_cupy_array(x) else np.asarray(x)


def standard_normal(rng: np.random.Generator, like: Array) -> Array:
    """Independent standard normal numbers, an array like another: drawn by NumPy, and the same on every library.

    >>> standard_normal(np.random.default_rng(0), np.zeros((1, 2), dtype=np.float32)).dtype
    dtype('float32')
    """
    return namespace(like).asarray(rng.standard_normal(tuple(like.shape)), dtype=like.dtype)


def frozen(x: Array) -> Array:
    """The array made read-only (NumPy), or a copy that nobody else holds (other libraries).

    A NumPy array that is a view of another is copied first, so that it cannot change through its base.

    >>> frozen(np.zeros(2)).flags.writeable
    False
    """
    if not isinstance(x, np.ndarray):
        return namespace(x).asarray(x, copy=True)
    if x.base is not None and x.flags.writeable:
        x = x.copy()
    x.flags.writeable = False
    return x


def read_only(x: Array) -> Array:
    """A view of ``x`` to hand to foreign code: writing to it raises (NumPy); other libraries get a copy."""
    if not isinstance(x, np.ndarray):
        return namespace(x).asarray(x, copy=True)
    view = x.view()
    view.flags.writeable = False
    return view


def library(name: str) -> Any:
    """The array namespace called ``name``: ``"numpy"``, ``"cupy"`` or ``"array_api_strict"``.

    Raises ``ImportError`` with the command that installs it when it is missing.
    """
    known = {
        "numpy": ("array_api_compat.numpy", "numpy"),
        "cupy": ("array_api_compat.cupy", "'secondorder[gpu]'"),
        "array_api_strict": ("array_api_strict", "array-api-strict"),
    }
    if name not in known:
        raise ValueError(f"array library must be one of {', '.join(known)}; got {name!r}")
    module, package = known[name]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{name} is not installed here: pip install {package}") from error
