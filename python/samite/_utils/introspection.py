"""What an object is: names of functions and types, arguments, duck types."""

from __future__ import annotations

import functools
import sys
import types
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


# ---- names -----------------------------------------------------------------------------------


def funcname(func: Any) -> str:
    """A short name for a callable, at most 50 characters.

    >>> funcname(len), funcname(lambda x: x), funcname(functools.partial(len))
    ('len', 'lambda', 'len')
    """
    if type(func) is not types.FunctionType:
        while isinstance(func, functools.partial):
            func = func.func
        special = _special_name(func)
        if special is not None:
            return special[:50]
    name = getattr(func, "__name__", None)
    if not isinstance(name, str):
        return str(func)[:50]
    return "lambda" if name == "<lambda>" else name[:50]


def _special_name(func: Any) -> str | None:
    from samite._utils.callables import methodcaller

    if isinstance(func, methodcaller):
        return func.method
    module = getattr(type(func), "__module__", "") or ""
    kind = type(func).__name__
    if module.startswith(("toolz", "cytoolz")) and kind == "curry":
        return funcname(func.func)
    if "multipledispatch" in module:
        return getattr(func, "name", None)
    if module.startswith("numpy") and kind == "vectorize":
        return "vectorize_" + funcname(func.pyfunc)
    return None


def typename(typ: Any, short: bool = False) -> str:
    """The name of a type, or of an object's type, with its module; `short`: with its package.

    >>> typename(int), typename(functools.partial), typename(functools.partial, short=True)
    ('int', 'functools.partial', 'functools.partial')
    """
    if not isinstance(typ, type):
        typ = type(typ)
    module = typ.__module__
    if not isinstance(module, str) or not module or module == "builtins":
        return typ.__name__
    if short:
        module = module.partition(".")[0]
    return f"{module}.{typ.__name__}"


# ---- arguments -------------------------------------------------------------------------------


def getargspec(func: Any) -> Any:
    """``inspect.getfullargspec`` that looks through partials, wrappers and classes."""
    import inspect

    if isinstance(func, functools.partial):
        return getargspec(func.func)
    func = inspect.unwrap(func)
    return inspect.getfullargspec(func.__init__ if isinstance(func, type) else func)


def get_named_args(func: Callable) -> list[str]:
    """The names of the arguments that `func` can be given, without ``*args`` and ``**kwargs``."""
    if type(func) is types.FunctionType and not hasattr(func, "__wrapped__"):
        # Asked for each method of a collection while it is imported: inspect would be slow.
        code = func.__code__
        return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    import inspect

    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(func).parameters
    return [name for name, parameter in parameters.items() if parameter.kind not in variadic]


def has_keyword(func: Callable, keyword: str) -> bool:
    """Does `func` have an argument of that name? False where it cannot be found out."""
    import inspect

    try:
        return keyword in inspect.signature(func).parameters
    except (TypeError, ValueError):
        return False


# Functions written in C often have no signature to look at.
_ONE_ARGUMENT = frozenset({
    abs, all, any, ascii, bool, bytearray, bytes, callable, chr, classmethod, complex, dict, dir,
    enumerate, eval, float, format, frozenset, hash, hex, id, int, iter, len, list, max, min, next,
    oct, open, ord, range, repr, reversed, round, set, slice, sorted, staticmethod, str, sum, tuple,
    type, vars, zip, memoryview,
})  # fmt: skip
_MANY_ARGUMENTS = frozenset({
    compile, delattr, divmod, filter, getattr, hasattr, isinstance, issubclass, map, pow, setattr,
})  # fmt: skip


def takes_multiple_arguments(func: Callable, varargs: bool = True) -> bool:
    """Does `func` need more than one argument?

    Parameters
    ----------
    varargs
        The answer for functions with ``*args``.

    >>> takes_multiple_arguments(map), takes_multiple_arguments(len)
    (True, False)
    """
    try:
        if func in _ONE_ARGUMENT:
            return False
        if func in _MANY_ARGUMENTS:
            return True
    except TypeError:  # Unhashable.
        pass
    try:
        spec = getargspec(func)
    except (TypeError, ValueError):
        return False
    is_class = isinstance(func, type)
    if is_class and spec.defaults is None and func.__init__ is object.__init__:
        return False
    if spec.varargs:
        return varargs
    required = len(spec.args) - len(spec.defaults or ())
    return required - (1 if is_class or isinstance(func, types.MethodType) else 0) > 1


# ---- duck types ------------------------------------------------------------------------------


def is_integer(i: Any) -> bool:
    """Is `i` a whole number, of Python or NumPy? Floats may be, texts never are.

    >>> is_integer(6), is_integer(42.0), is_integer(5.5), is_integer("6")
    (True, True, False, False)
    """
    if isinstance(i, int):
        return True
    from numbers import Integral

    return isinstance(i, Integral) or (isinstance(i, float) and i.is_integer())


def is_arraylike(x: Any) -> bool:
    """Is `x` an array by its behaviour: NumPy's protocols, a known shape, a dtype?"""
    if isinstance(x, type):
        return False
    kind = type(x)
    if not (hasattr(kind, "__array_function__") or hasattr(kind, "__array_ufunc__")):
        return False
    shape = getattr(x, "shape", None)
    if not isinstance(shape, tuple) or not hasattr(x, "dtype"):
        return False
    # A lazy scalar in the shape means that this is a data frame's column in disguise.
    return not any(hasattr(type(length), "__dask_graph__") for length in shape)


def _has_all(obj: Any, names: tuple[str, ...]) -> bool:
    return all(hasattr(obj, name) for name in names)


def is_dataframe_like(df: Any) -> bool:
    """Does `df` behave like a ``pandas.DataFrame``?"""
    kind = df.__class__
    return (
        _has_all(kind, ("groupby", "head", "merge", "mean"))
        and _has_all(df, ("dtypes", "columns"))
        and not any(hasattr(kind, name) for name in ("name", "dtype"))
    )


def is_series_like(s: Any) -> bool:
    """Does `s` behave like a ``pandas.Series``?"""
    kind = s.__class__
    return (
        _has_all(kind, ("groupby", "dtype"))
        and _has_all(s, ("name", "dtype"))
        and "index" not in kind.__name__.lower()
    )


def is_index_like(s: Any) -> bool:
    """Does `s` behave like a ``pandas.Index``?"""
    return _has_all(s, ("name", "dtype")) and "index" in s.__class__.__name__.lower()


def is_cupy_type(x: Any) -> bool:
    """Is `x` from CuPy?"""
    return "cupy" in str(type(x))


def is_namedtuple_instance(obj: Any) -> bool:
    """Is `obj` an instance of a named tuple's class?"""
    return isinstance(obj, tuple) and hasattr(obj, "_fields") and type(obj) is not tuple


def is_empty(obj: Any) -> bool:
    """Is there nothing in `obj`: by its length, else by ``nnz``, else by a 0 in its shape?

    False where none of them gives an answer.
    """
    questions = (lambda: len(obj) == 0, lambda: obj.nnz == 0, lambda: 0 in obj.shape)
    for question in questions:
        try:
            return bool(question())
        except Exception:  # Whatever a foreign object's attributes raise, the next one is asked.
            continue
    return False


# ---- modules ---------------------------------------------------------------------------------


def import_required(mod_name: str, error_msg: str) -> types.ModuleType:
    """Import a module, or raise a ``RuntimeError`` that says how to get it."""
    try:
        return import_module(mod_name)
    except ImportError as error:
        raise RuntimeError(error_msg) from error


def get_meta_library(like: Any) -> types.ModuleType:
    """The package that the pieces of a collection, or an object or type, come from."""
    like = getattr(like, "_meta", like)
    return import_module(typename(like).partition(".")[0])


def show_versions() -> None:
    """Print, as JSON, the versions of Python, Samite and what it works with."""
    import json
    import platform
    from importlib.metadata import PackageNotFoundError, version

    names = ("numpy", "pandas", "cloudpickle", "fsspec", "pyarrow", "dask", "distributed", "xarray")
    result: dict[str, str | None] = {
        "Python": ".".join(map(str, sys.version_info[:3])),
        "Platform": platform.system(),
    }
    for name in ("samite", *names):
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            result[name] = None
    print(json.dumps(result, indent=2))
