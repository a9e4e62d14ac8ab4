"""Parallel and distributed computing for Python, with its engine in Rust.

>>> from samite import delayed
>>> @delayed
... def square(x):
...     return x * x
>>> delayed(sum)([square(i) for i in range(10)]).compute()
285
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from samite import config
from samite._engine import __version__
from samite.base import (
    annotate,
    compute,
    get_annotations,
    is_dask_collection,
    optimize,
    persist,
    visualize,
)
from samite.core import istask
from samite.delayed import delayed
from samite.threaded import get

if TYPE_CHECKING:
    from samite._expr import Expr, HLGExpr, LLGExpr, SingletonExpr

__all__ = [
    "__version__",
    "annotate",
    "compute",
    "config",
    "delayed",
    "get",
    "get_annotations",
    "is_dask_collection",
    "istask",
    "optimize",
    "persist",
    "visualize",
]

# Names that are imported when somebody asks for them, so that `import samite` stays quick.
_LAZY = {
    "Expr": "samite._expr",
    "HLGExpr": "samite._expr",
    "LLGExpr": "samite._expr",
    "SingletonExpr": "samite._expr",
    "sql": "samite.dataframe.queries",
}
_SUBMODULES = frozenset(
    "array backends bag base bytes cache callbacks cli context core datasets diagnostics "
    "distributed dot exceptions graph_manipulation hashing highlevelgraph layers local "
    "multiprocessing optimization order rewrite sizeof system task_spec threaded tokenize typing "
    "utils widgets".split()
)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"samite.{name}")
    raise AttributeError(f"module 'samite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_SUBMODULES})
