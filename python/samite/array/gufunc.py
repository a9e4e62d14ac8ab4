"""Generalized ufuncs: functions of vectors, matrices and so on, over all other axes.

A signature such as ``"(i,j),(j)->(i)"`` names the core axes of each argument and result; all
axes in front of them are looped over, and broadcast as in elementwise functions. Core axes lie in
one chunk, loop axes need not.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from samite.array._shuffle import shrunk
from samite.array.blockwise import blockwise, unify_chunks
from samite.array.calls import by_graphs
from samite.array.chunks import has_unknown, is_unknown
from samite.array.core import Array
from samite.array.shaping import transpose
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array
from samite.base import is_dask_collection, tokenize
from samite.utils import funcname

__all__ = ["apply_gufunc", "as_gufunc", "gufunc"]

_NAME = r"\w+"
_CORE = rf"\((?:{_NAME}(?:,{_NAME})*)?\)"
_SIDE = rf"{_CORE}(?:,{_CORE})*"
_SIGNATURE = re.compile(rf"^(?:{_SIDE})?->{_SIDE}$")

Core = tuple[str, ...]


def _parse_gufunc_signature(signature: str) -> tuple[list[Core], Any]:
    """The core axes of the arguments, and of the results: one tuple, or a list of them."""
    plain = re.sub(r"\s+", "", signature)
    if not _SIGNATURE.match(plain):
        raise ValueError(f"Not a valid gufunc signature: {signature}")
    left, right = plain.split("->")
    inputs, outputs = (
        [tuple(re.findall(_NAME, core)) for core in re.findall(_CORE, side)]
        for side in (left, right)
    )
    if len(outputs) == 1:
        return inputs, outputs[0]
    return inputs, outputs


def _validate_normalize_axes(
    axes: Any,
    axis: int | None,
    keepdims: bool,
    inputs: list[Core],
    output: Any,
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Where the core axes of the arguments are, and where those of the results shall be.

    Raises
    ------
    ValueError
        If ``axis`` or ``axes`` do not fit the core axes.
    """
    outputs = output if isinstance(output, list) else [output]
    if axes is not None and axis is not None:
        raise ValueError("Only one of `axis` or `axes` keyword arguments should be given")
    if axes is not None and not isinstance(axes, list):
        raise ValueError("`axes` has to be of type list")
    filtered = [core for core in outputs if core] if not keepdims else outputs
    core_counts = [len(core) for core in inputs]
    if keepdims:
        if any(core for core in outputs) or len(set(inputs)) > 1:
            raise ValueError(
                "If `keepdims`, results cannot have core axes, and all arguments need the same"
            )
        out_counts = [core_counts[0] if core_counts else 0] * len(outputs)
    else:
        out_counts = [len(core) for core in outputs]
    if axis is not None:
        if not isinstance(axis, (int, np.integer)):
            raise ValueError(f"`axis` has to be an integer value, not {axis!r}")
        names = {name for core in [*inputs, *filtered] for name in core}
        if len(names) > 1 or any(count > 1 for count in core_counts):
            raise ValueError("`axis` can be used only, if one core axis is present")
        return (
            [(int(axis),) * count for count in core_counts],
            [(int(axis),) * count for count in out_counts],
        )
    if axes is None:
        return (
            [tuple(range(-count, 0)) for count in core_counts],
            [tuple(range(-count, 0)) for count in out_counts],
        )
    given = [(a,) if isinstance(a, (int, np.integer)) else tuple(a) for a in axes]
    left, right = given[: len(core_counts)], given[len(core_counts) :]
    if [len(a) for a in left] != core_counts:
        raise ValueError(
            f"The entries of `axes` {axes} do not fit the core axes of the arguments {inputs}"
        )
    if not right and keepdims and left:
        right = [left[0]] * len(outputs)
    elif not right and not any(out_counts):
        right = [()] * len(outputs)
    if [len(a) for a in right] != out_counts:
        raise ValueError(
            f"The entries of `axes` {axes} do not fit the core axes of the results {outputs}"
        )
    return left, right


def apply_gufunc(
    func: Callable,
    signature: str,
    *args: Any,
    axes: Any = None,
    axis: int | None = None,
    keepdims: bool = False,
    output_dtypes: Any = None,
    output_sizes: Mapping[str, int] | None = None,
    vectorize: bool | None = None,
    allow_rechunk: bool = False,
    meta: Any = None,
    **kwargs: Any,
) -> Any:
    """Call a function of core axes over all other axes of arrays.

    Parameters
    ----------
    func:
        Called with chunks, whose core axes are the last ones. It returns arrays whose core axes
        are the last ones, as many as the signature has results.
    signature:
        The core axes of the arguments and results, such as ``"(i),(i)->()"`` or ``"(i)->(i),()"``.
    *args:
        Arrays, or values that become arrays.
    axes:
        A list with the places of the core axes for each argument and each result, where they are
        not the last ones.
    axis:
        The place of the only core axis, in all arguments and results.
    keepdims:
        Core axes of the arguments are axes of length one in the results.
    output_dtypes:
        The dtype, or dtypes, of the results; by default found by calling the function on small
        arrays.
    output_sizes:
        The lengths of core axes that only results have.
    vectorize:
        Whether the function is called for each element of the loop axes alone, by
        :func:`numpy.vectorize`.
    allow_rechunk:
        Core axes of several chunks are joined; otherwise they are an error.
    meta:
        An empty array, or one for each result, like the results.
    **kwargs:
        For the function.

    Returns
    -------
    An array, or a tuple of arrays if the signature has several results.

    Raises
    ------
    ValueError
        If arguments do not fit the signature, or core axes have several chunks.

    Examples
    --------
    >>> import samite.array as da
    >>> x = da.ones((4, 6), chunks=(2, 6))
    >>> apply_gufunc(lambda a: a.sum(axis=-1), "(i)->()", x).compute()
    array([6., 6., 6., 6.])
    """
    inputs, outputs_or_one = _parse_gufunc_signature(signature)
    several = isinstance(outputs_or_one, list)
    outputs: list[Core] = outputs_or_one if several else [outputs_or_one]
    if len(inputs) != len(args):
        raise ValueError(
            f"According to `signature`, `func` requires {len(inputs)} arguments, "
            f"but {len(args)} given"
        )
    output_sizes = dict(output_sizes or {})
    in_axes, out_axes = _validate_normalize_axes(axes, axis, keepdims, inputs, outputs_or_one)
    arrays = [asanyarray(arg) for arg in args]
    for n, (x, core) in enumerate(zip(arrays, inputs)):
        if x.ndim < len(core):
            raise ValueError(
                f"argument {n} has the shape {x.shape}, but the core axes {core} in {signature!r}"
            )
    metas, dtypes = _result_metas(
        func, meta, output_dtypes, vectorize, arrays, inputs, outputs, several, kwargs
    )
    if vectorize:
        func = np.vectorize(func, signature=re.sub(r"\s+", "", signature), otypes=list(dtypes))
    arrays = [_core_last(x, places) for x, places in zip(arrays, in_axes)]
    arrays = _core_whole(arrays, inputs, signature, allow_rechunk)

    # Loop axes are numbered from the last one, as they are broadcast.
    loops = [tuple(range(x.ndim - len(core) - 1, -1, -1)) for x, core in zip(arrays, inputs)]
    _check_loops(arrays, loops, [allow_rechunk or not isinstance(arg, Array) for arg in args])
    count = max(map(len, loops), default=0)
    out_loop = tuple(range(count - 1, -1, -1))
    cores = [tuple(("core", name) for name in core) for core in inputs]
    indices = [loop + core for loop, core in zip(loops, cores)]
    pairs: list[Any] = [part for pair in zip(arrays, indices) for part in pair]
    chunks_of, arrays = unify_chunks(*pairs) if pairs else ({}, arrays)
    pairs = [part for pair in zip(arrays, indices) for part in pair]

    sizes = {name: sum(chunks_of["core", name]) for core in inputs for name in core} | output_sizes
    missing = [name for core in outputs for name in core if name not in sizes]
    if missing:
        raise ValueError(
            f"the lengths of the core axes {missing} of {signature!r} are in no argument; "
            "output_sizes has to give them"
        )
    token = tokenize(func, signature, arrays, metas, sizes, kwargs)
    # Options of blockwise are arguments of the function here.
    own = {name: kwargs.pop(name) for name in _OPTIONS & set(kwargs)}
    call = functools.partial(func, **own) if own else func
    common = {"concatenate": True, **kwargs}
    if not several:
        new_axes = {("result", k): sizes[name] for k, name in enumerate(outputs[0])}
        together = blockwise(
            functools.partial(_as_array, call),
            out_loop + tuple(new_axes),
            *pairs,
            name=f"{_label(func)}-{token}",
            new_axes=new_axes,
            dtype=dtypes[0],
            meta=meta_from_array(metas[0], ndim=count + len(new_axes), dtype=dtypes[0]),
            **common,
        )
        results = [together]
    else:
        with by_graphs():
            together = blockwise(
                call, out_loop, *pairs, name=f"{_label(func)}-{token}", dtype=dtypes[0],
                meta=meta_from_array(metas[0], ndim=count, dtype=dtypes[0]), **common,
            )  # fmt: skip
        results = []
        for n, core in enumerate(outputs):
            new_axes = {("result", k): sizes[name] for k, name in enumerate(core)}
            results.append(
                blockwise(
                    _pick,
                    out_loop + tuple(new_axes),
                    together,
                    out_loop,
                    n,
                    None,
                    name=f"{_label(func)}-{n}-{token}",
                    new_axes=new_axes,
                    dtype=dtypes[n],
                    meta=meta_from_array(metas[n], ndim=count + len(new_axes), dtype=dtypes[n]),
                )
            )
    if keepdims:
        results = [y[(Ellipsis,) + (None,) * len(a)] for y, a in zip(results, out_axes)]
    results = [_core_placed(y, a) for y, a in zip(results, out_axes)]
    return tuple(results) if several else results[0]


_OPTIONS = {
    "adjust_chunks", "align_arrays", "concatenate", "dtype", "func", "meta", "name", "new_axes",
    "out_ind", "token",
}  # fmt: skip


def _as_array(func: Callable, *blocks: Any, **kwargs: Any) -> Any:
    result = func(*blocks, **kwargs)
    return result if hasattr(result, "ndim") else np.asarray(result)


def _pick(results: Any, number: int) -> Any:
    result = results[number]
    return result if hasattr(result, "ndim") else np.asarray(result)


def _label(func: Callable) -> str:
    return funcname(func).strip("_") or "apply_gufunc"


def _core_last(x: Array, places: tuple[int, ...]) -> Array:
    """The array with its core axes moved to the end, in their order."""
    normal = []
    for place in places:
        if not -x.ndim <= place < x.ndim:
            raise ValueError(f"the core axis {place} is out of bounds for the shape {x.shape}")
        normal.append(place % x.ndim)
    if len(set(normal)) != len(normal):
        raise ValueError(f"an axis is named twice as a core axis: {places}")
    order = [a for a in range(x.ndim) if a not in normal] + normal
    return x if order == list(range(x.ndim)) else transpose(x, order)


def _core_placed(y: Array, places: tuple[int, ...]) -> Array:
    """The reverse of :func:`_core_last`."""
    normal = [place % y.ndim for place in places]
    if not normal:
        return y
    order: list[int] = [-1] * y.ndim
    for n, place in enumerate(normal):
        order[place] = y.ndim - len(normal) + n
    loop = iter(range(y.ndim - len(normal)))
    order = [next(loop) if source < 0 else source for source in order]
    return y if order == list(range(y.ndim)) else transpose(y, order)


def _core_whole(
    arrays: list[Array],
    inputs: list[Core],
    signature: str,
    allow_rechunk: bool,
) -> list[Array]:
    """Check the lengths of core axes, and join their chunks.

    Chunks that grow by that are cut along the loop axes, to be about as large as before.
    """
    lengths: dict[str, set[Any]] = {}
    result = []
    for x, core in zip(arrays, inputs):
        start = x.ndim - len(core)
        whole: dict[int, Any] = {}
        growth = 1.0
        for axis, name in enumerate(core, start):
            if not is_unknown(x.shape[axis]):
                lengths.setdefault(name, set()).add(x.shape[axis])
            if len(x.chunks[axis]) > 1:
                if not allow_rechunk:
                    raise ValueError(
                        f"Core dimension `'{name}'` consists of multiple chunks. To fix, rechunk "
                        "into a single chunk along this dimension or set `allow_rechunk=True`, "
                        "but beware that this may increase memory usage significantly."
                    )
                whole[axis] = -1
                if not has_unknown(x.chunks[axis]):
                    growth *= x.shape[axis] / max(1, *x.chunks[axis])
        whole.update(shrunk(x.chunks, range(start), growth))
        result.append(x.rechunk(whole) if whole else x)
    for name, found in lengths.items():
        if len(found) > 1:
            raise ValueError(
                f"Dimension `'{name}'` of {signature!r} with different lengths in arrays: "
                f"{sorted(found)}"
            )
    return result


def _check_loops(arrays: list[Array], loops: list[tuple[int, ...]], free: list[bool]) -> None:
    """Check the lengths of loop axes, and that arrays that may not be cut anew are cut alike."""
    lengths: dict[int, set[Any]] = {}
    found: dict[int, list[tuple]] = {}
    for x, loop, may_be_cut in zip(arrays, loops, free):
        for axis, index in enumerate(loop):
            if x.shape[axis] == 1:
                continue
            if not is_unknown(x.shape[axis]):
                lengths.setdefault(index, set()).add(x.shape[axis])
            if not may_be_cut:
                found.setdefault(index, []).append(x.chunks[axis])
    for index, known in lengths.items():
        if len(known) > 1:
            raise ValueError(
                f"Loop dimension {index} (from the last one) with different lengths in arrays: "
                f"{sorted(known)}"
            )
    for index, chunks in found.items():
        # Lengths that are not known are compared by their text, for nan is not nan.
        if len({str(sizes) for sizes in chunks}) > 1:
            raise ValueError(
                f"Loop dimension {index} (from the last one) with different chunksize present: "
                f"{chunks}. Rechunk the arrays alike, or set `allow_rechunk=True`"
            )


def _result_metas(
    func: Callable,
    meta: Any,
    output_dtypes: Any,
    vectorize: bool | None,
    arrays: list[Array],
    inputs: list[Core],
    outputs: list[Core],
    several: bool,
    kwargs: Mapping[str, Any],
) -> tuple[list[Any], list[np.dtype]]:
    """A meta and a dtype for each result."""
    if meta is not None and output_dtypes is not None:
        raise ValueError("Only one of `meta` and `output_dtypes` should be given")
    if meta is not None:
        given = list(meta) if isinstance(meta, (tuple, list)) else [meta]
        if len(given) != len(outputs):
            raise ValueError(f"meta has {len(given)} entries for {len(outputs)} results")
        metas = [m if hasattr(m, "dtype") else meta_from_array(None, dtype=m) for m in given]
        return metas, [m.dtype for m in metas]
    if output_dtypes is None:
        found = _called_on_ones(func, vectorize, arrays, inputs, outputs, several, kwargs)
        return found, [m.dtype for m in found]
    if isinstance(output_dtypes, (tuple, list)):
        dtypes = [np.dtype(d) for d in output_dtypes]
        if len(dtypes) != len(outputs):
            raise ValueError(f"output_dtypes has {len(dtypes)} entries for {len(outputs)} results")
    else:
        dtypes = [np.dtype(output_dtypes)] * len(outputs)
    first = next((x._meta for x in arrays if type(x._meta) is not np.ndarray), None)
    like = None if vectorize else first
    ndim = 0 if like is None else None
    return [meta_from_array(like, ndim=ndim, dtype=dtype) for dtype in dtypes], dtypes


def _called_on_ones(
    func: Callable,
    vectorize: bool | None,
    arrays: list[Array],
    inputs: list[Core],
    outputs: list[Core],
    several: bool,
    kwargs: Mapping[str, Any],
) -> list[Any]:
    """What the function makes of arrays of ones; one element along loop axes."""
    names = {name for core in inputs for name in core}
    ones = []
    for x, core in zip(arrays, inputs):
        loop = 0 if vectorize else x.ndim - len(core)
        shape = (1,) * (loop + len(core))
        try:
            ones.append(np.ones_like(x._meta, shape=shape, dtype=x.dtype))
        except TypeError:
            ones.append(np.ones(shape, dtype=x.dtype))
    if any(is_dask_collection(value) for value in kwargs.values()):
        raise ValueError(
            "`dtype` inference failed: keyword arguments are lazy. Please specify the dtype "
            "explicitly using the `output_dtypes` kwarg"
        )
    try:
        with np.errstate(all="ignore"):
            result = func(*ones, **kwargs)
    except Exception as error:
        raise ValueError(
            f"`dtype` inference failed in `apply_gufunc`.\n\nPlease specify the dtype explicitly "
            f"using the `output_dtypes` kwarg.\n\nThe function was called on arrays of ones, with "
            f"one element along each of the core axes {sorted(names)}, and raised\n"
            f"{type(error).__name__}: {error}"
        ) from error
    if not several:
        result = (result,)
    elif not isinstance(result, (tuple, list)) or len(result) != len(outputs):
        raise ValueError(f"the function should return {len(outputs)} results, not {result!r}")
    return [r if hasattr(r, "dtype") and hasattr(r, "ndim") else np.asarray(r) for r in result]


class gufunc:
    """A function that :func:`apply_gufunc` calls, with the options given once.

    Parameters
    ----------
    pyfunc:
        The function.
    signature, vectorize, axes, axis, keepdims, output_dtypes, output_sizes, allow_rechunk, meta:
        See :func:`apply_gufunc`.

    Examples
    --------
    >>> import samite.array as da
    >>> largest = da.gufunc(lambda a: a.max(axis=-1), signature="(i)->()", output_dtypes=float)
    >>> largest(da.ones((2, 3), chunks=(1, 3))).compute()
    array([1., 1.])
    """

    def __init__(
        self,
        pyfunc: Callable,
        *,
        signature: str,
        vectorize: bool = False,
        axes: Any = None,
        axis: int | None = None,
        keepdims: bool = False,
        output_sizes: Mapping[str, int] | None = None,
        output_dtypes: Any = None,
        allow_rechunk: bool = False,
        meta: Any = None,
    ) -> None:
        self.pyfunc = pyfunc
        self.signature = signature
        self.vectorize = vectorize
        self.axes = axes
        self.axis = axis
        self.keepdims = keepdims
        self.output_sizes = output_sizes
        self.output_dtypes = output_dtypes
        self.allow_rechunk = allow_rechunk
        self.meta = meta
        functools.update_wrapper(self, pyfunc, updated=())
        note = f"Called chunk by chunk, with the signature ``{signature}``."
        self.__doc__ = f"{pyfunc.__doc__}\n\n{note}" if pyfunc.__doc__ else note

    def __call__(self, *args: Any, allow_rechunk: bool | None = None, **kwargs: Any) -> Any:
        """The function's results for some arrays; options given here are its own arguments."""
        return apply_gufunc(
            self.pyfunc,
            self.signature,
            *args,
            vectorize=self.vectorize,
            axes=self.axes,
            axis=self.axis,
            keepdims=self.keepdims,
            output_sizes=self.output_sizes,
            output_dtypes=self.output_dtypes,
            allow_rechunk=self.allow_rechunk if allow_rechunk is None else allow_rechunk,
            meta=self.meta,
            **kwargs,
        )


def as_gufunc(signature: str | None = None, **kwargs: Any) -> Callable[[Callable], gufunc]:
    """A decorator that makes a :class:`gufunc` of a function; takes its options.

    Examples
    --------
    >>> import samite.array as da
    >>> @da.as_gufunc("(i),(i)->()", output_dtypes=float)
    ... def inner(a, b):
    ...     return (a * b).sum(axis=-1)
    >>> inner(da.ones((2, 3)), da.ones((2, 3))).compute()
    array([3., 3.])
    """
    if signature is None:
        raise ValueError("as_gufunc needs a signature, such as '(i)->()'")

    def decorate(pyfunc: Callable) -> gufunc:
        return gufunc(pyfunc, signature=signature, **kwargs)

    return decorate
