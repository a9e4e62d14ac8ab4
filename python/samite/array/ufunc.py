"""NumPy's universal functions, and functions made like them, for lazy arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise
from samite.array.core import Array
from samite.array.elementwise import elemwise
from samite.array.storage import asanyarray
from samite.base import is_dask_collection, normalize_token
from samite.utils import derived_from, funcname

_UFUNCS = (
    "abs absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and "
    "bitwise_not bitwise_or bitwise_xor cbrt ceil conj conjugate copysign cos cosh deg2rad "
    "degrees divide equal exp exp2 expm1 fabs float_power floor floor_divide fmax fmin fmod "
    "greater greater_equal hypot invert isfinite isinf isnan ldexp left_shift less less_equal log "
    "log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor maximum "
    "minimum mod multiply negative nextafter not_equal positive power rad2deg radians reciprocal "
    "remainder right_shift rint sign signbit sin sinh spacing sqrt square subtract tan tanh "
    "true_divide trunc divmod frexp modf "
    # What Dask has not; the last of them are new in NumPy 2.
    "gcd heaviside isnat lcm acos acosh asin asinh atan atan2 atanh bitwise_count bitwise_invert "
    "bitwise_left_shift bitwise_right_shift pow "
).split()
_UFUNCS = [name for name in _UFUNCS if hasattr(np, name)]
_FUNCTIONS = ("angle fix i0 iscomplex isneginf isposinf isreal nan_to_num sinc").split()

__all__ = [*_UFUNCS, *_FUNCTIONS, "frompyfunc", "imag", "real"]


class ufunc:
    """A universal function that takes lazy arrays too, and gives lazy arrays for these.

    Parameters
    ----------
    function:
        One of NumPy's, or made by :func:`numpy.frompyfunc`.

    Raises
    ------
    TypeError
        If it is not one.
    """

    _shown = ("nin", "nargs", "nout", "ntypes", "identity", "signature", "types")

    def __init__(self, function: np.ufunc) -> None:
        if not isinstance(function, (np.ufunc, _PythonUfunc)):
            raise TypeError(
                f"must be an instance of `ufunc` or `da_frompyfunc`, got `{type(function).__name__}"
            )
        self._ufunc = function
        self.__name__ = function.__name__
        if isinstance(function, np.ufunc):
            self._take_over_documentation()

    def _take_over_documentation(self) -> None:
        derived_from(np)(self)

    def __getattr__(self, name: str) -> Any:
        if name in type(self)._shown:
            return getattr(self._ufunc, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self._shown})

    def __repr__(self) -> str:
        return repr(self._ufunc)

    def __dask_tokenize__(self) -> Any:
        return ("ufunc", normalize_token(self._ufunc))

    def __reduce__(self) -> tuple[Any, ...]:
        return (ufunc, (self._ufunc,))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        lazy = [arg for arg in (*args, kwargs.get("where")) if is_dask_collection(arg)]
        if not lazy and self.nout == 1 and not isinstance(kwargs.get("out"), Array):
            return self._ufunc(*args, **kwargs)
        for arg in lazy:
            # Other kinds of collections have their own way with NumPy's functions.
            if not isinstance(arg, Array) and hasattr(type(arg), "__array_ufunc__"):
                return self._ufunc(*args, **kwargs)
        if self.nout == 1:
            return elemwise(self._ufunc, *args, **kwargs)
        return _several_results(self._ufunc, args, kwargs)

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        """The function of all pairs of elements of two arrays.

        Raises
        ------
        ValueError
            If the function does not take two arguments, or ``out`` is given.
        """
        if self.nin != 2:
            raise ValueError("outer product only supported for binary functions")
        if "out" in kwargs:
            raise ValueError("`out` kwarg not supported")
        if not any(is_dask_collection(arg) for arg in (A, B)):
            return self._ufunc.outer(A, B, **kwargs)
        left, right = _outer_operand(A), _outer_operand(B)
        ndim_left, ndim_right = np.ndim(left), np.ndim(right)
        lazy = [isinstance(operand, Array) for operand in (left, right)]
        first = tuple(range(ndim_left)) if lazy[0] else ()
        second = tuple(range(len(first), len(first) + ndim_right)) if lazy[1] else ()
        call = functools.partial(self._ufunc.outer, **kwargs) if kwargs else self._ufunc.outer
        return blockwise(
            call,
            first + second,
            left, first if lazy[0] else None,
            right, second if lazy[1] else None,
            token=f"{self.__name__}.outer",
        )  # fmt: skip

    def reduce(
        self,
        array: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = np._NoValue,
        where: Any = True,
    ) -> Any:
        """The function of all elements along axes, put together one by one.

        Raises
        ------
        ValueError
            If the function does not take two arguments, or needs ``initial`` for ``where``.
        TypeError
            If the order of the elements matters to it.
        """
        options = {"dtype": dtype, "keepdims": keepdims, "initial": initial, "where": where}
        if not is_dask_collection(array) and out is None and not is_dask_collection(where):
            return self._ufunc.reduce(array, axis=axis, **options)
        from samite.array.ufunc_reductions import reduced

        return reduced(self._ufunc, array, axis, out=_single_out(out), **options)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """The function of all elements up to each along an axis.

        Raises
        ------
        ValueError
            If the function does not take two arguments.
        TypeError
            If the order of the elements matters to it.
        """
        if not is_dask_collection(array) and out is None:
            return self._ufunc.accumulate(array, axis=axis, dtype=dtype)
        from samite.array.ufunc_reductions import accumulated

        return accumulated(self._ufunc, array, axis, dtype, _single_out(out))


def _single_out(out: Any) -> Any:
    if isinstance(out, tuple):
        return out[0] if out else None
    return out


def _outer_operand(value: Any) -> Any:
    if isinstance(value, Array) or not np.ndim(value):
        return value
    return asanyarray(value)


def _several_results(function: Any, args: Any, kwargs: Any) -> tuple[Array, ...]:
    """The results of a function with several, each an array that picks from the same tasks."""
    if kwargs.get("out") is not None:
        raise NotImplementedError("out= is not possible for functions with several results")
    metas = [
        arg._meta if isinstance(arg, Array)
        else np.asarray(arg)[(slice(0, 0),) * np.ndim(arg)] if np.ndim(arg) else arg
        for arg in args
    ]  # fmt: skip
    with np.errstate(all="ignore"):
        results = function(*metas, **kwargs)
    both = elemwise(_AsObject(function), *args, dtype=np.dtype(object), **kwargs)
    axes = tuple(range(both.ndim))
    arrays = []
    for n, meta in enumerate(results):
        name = f"{function.__name__}-{n}-{both.name.rpartition('-')[2]}"
        arrays.append(
            blockwise(
                _pick, axes, both, axes, n=n, name=name, dtype=np.asanyarray(meta).dtype, meta=meta
            )
        )
    return tuple(arrays)


class _AsObject:
    """A function whose several results are handed on as one."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.__name__ = function.__name__

    def __dask_tokenize__(self) -> Any:
        return ("several", normalize_token(self._function))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)


def _pick(results: Any, n: int) -> Any:
    return results[n]


class _PythonUfunc:
    """What :func:`numpy.frompyfunc` makes, with the function kept, so that it can be pickled."""

    def __init__(self, func: Callable, nin: int, nout: int) -> None:
        self._ufunc = np.frompyfunc(func, nin, nout)
        self._func, self.nin, self.nout = func, nin, nout
        self._name = funcname(func)
        self.__name__ = f"frompyfunc-{self._name}"

    def __repr__(self) -> str:
        return f"da.frompyfunc<{self._name}, {self.nin}, {self.nout}>"

    def __dask_tokenize__(self) -> Any:
        return (normalize_token(self._func), self.nin, self.nout)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_PythonUfunc, (self._func, self.nin, self.nout))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ufunc(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_ufunc":
            raise AttributeError(name)
        return getattr(self._ufunc, name)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *dir(self._ufunc)})


da_frompyfunc = _PythonUfunc


def frompyfunc(func: Callable, nin: int, nout: int) -> ufunc:
    """A universal function for lazy arrays from a function of Python objects.

    Parameters
    ----------
    func:
        A function of ``nin`` values.
    nout:
        The number of its results; only one is possible.

    Raises
    ------
    NotImplementedError
        If it has more.
    """
    if nout > 1:
        raise NotImplementedError("frompyfunc with more than one output")
    return ufunc(_PythonUfunc(func, nin, nout))


def _function(name: str) -> Callable:
    """A function that NumPy has for arrays and that works element by element."""
    original = getattr(np, name)

    def function(x: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_dask_collection(x):
            return original(x, *args, **kwargs)
        return elemwise(original, x, *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    return derived_from(np)(function)


def real(val: Any) -> Any:
    """The real part of the elements."""
    return elemwise(np.real, val) if is_dask_collection(val) else np.real(val)


def imag(val: Any) -> Any:
    """The imaginary part of the elements."""
    return elemwise(np.imag, val) if is_dask_collection(val) else np.imag(val)


globals().update({name: ufunc(getattr(np, name)) for name in _UFUNCS})
globals().update({name: _function(name) for name in _FUNCTIONS})
