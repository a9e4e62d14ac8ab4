"""joblib's table of backends, which the cluster's is entered in.

joblib has no entry points, and is neither to be imported by each client nor to be imported first:
what it needs to know is added once its table is there.
"""

from __future__ import annotations

import contextlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["make_known"]

_TABLE = "joblib.parallel"


def make_known() -> None:
    """Let joblib know the backend "samite": at once, or as soon as it is imported."""
    if _TABLE in sys.modules:
        _enter(sys.modules[_TABLE])
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _enter(module: ModuleType) -> None:
    backends = getattr(module, "EXTERNAL_BACKENDS", None)
    if isinstance(backends, dict):
        backends.setdefault("samite", _register)


def _register() -> None:
    """Called by joblib when the backend is first asked for."""
    import samite.distributed.joblib  # noqa: F401


class _Finder:
    """Finds one module as others do, and enters the name once that has run."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The module's spec, with a loader that does one thing more."""
        if name != _TABLE:
            return None
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self)
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader:
    """A module's loader, which enters the name afterwards."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own loader does it."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then enter the name in its table."""
        self._loader.exec_module(module)
        _enter(module)
