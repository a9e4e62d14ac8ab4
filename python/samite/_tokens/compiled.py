"""Forms of functions that Numba compiled: their source function, signatures and options."""

from __future__ import annotations

from samite.tokenize import _normalize, _once, _register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _source(x: Any) -> Any:
    """The Python function that was compiled."""
    builder = getattr(x, "gufunc_builder", None) or getattr(x, "_builder", None) or x
    return getattr(builder, "py_func", None)


@_once
def _jitted(x: Any) -> tuple:
    signatures = [str(signature) for signature in getattr(x, "signatures", ())]
    return (
        "numba",
        ("source", _normalize(_source(x))),
        _normalize(getattr(x, "signature", None)),
        _normalize(dict(getattr(x, "targetoptions", {}))),
        # Those that a call has compiled meanwhile do not count, only those that were asked for.
        _normalize(signatures) if not getattr(x, "_can_compile", True) else (),
    )


@_once
def _universal(x: Any) -> tuple:
    dispatcher = getattr(x, "_dispatcher", x)
    return (
        "numba",
        ("source", _normalize(getattr(dispatcher, "py_func", None) or _source(x))),
        type(x).__name__,
        _normalize(getattr(x, "signature", None)),
        _normalize([str(each) for each in getattr(x, "types", ())] if x._frozen else None),
    )


@_once
def _stencil(x: Any) -> tuple:
    # The rest of it is the compiler.
    source = x.kernel_ir.func_id.func
    return ("numba", ("source", _normalize(source)), x.mode, _normalize(x.options))


def register() -> None:
    """Tell the dispatcher about Numba's types."""
    import numba.core.dispatcher
    import numba.np.ufunc.dufunc
    import numba.np.ufunc.gufunc
    import numba.stencils.stencil

    _register(numba.core.dispatcher.Dispatcher)(_jitted)
    _register(numba.np.ufunc.dufunc.DUFunc, numba.np.ufunc.gufunc.GUFunc)(_universal)
    _register(numba.stencils.stencil.StencilFunc)(_stencil)
