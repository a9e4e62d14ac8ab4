"""Modules and scripts that a scheduler or a worker runs when it starts."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from typing import Any

__all__ = ["preload"]


def preload(names: Any, arguments: Any, server: Any) -> None:
    """Run each module or script, and its function ``dask_setup(server)``.

    Parameters
    ----------
    names:
        Names of modules, files that end in ``.py``, or Python code; one or several.
    arguments:
        Command-line arguments for a ``dask_setup`` that is a click command.
    """
    for name in [names] if isinstance(names, str) else list(names):
        module = _module(name)
        setup = getattr(module, "dask_setup", None)
        if setup is None:
            continue
        if hasattr(setup, "make_context"):
            context = setup.make_context("dask_setup", _strings(arguments), allow_extra_args=True)
            setup.callback(server, *context.args, **context.params)
            continue
        result = setup(server)
        if inspect.iscoroutine(result):
            from samite.distributed._calls import run_on_loop

            run_on_loop(result)


def _strings(arguments: Any) -> list[str]:
    if isinstance(arguments, str):
        import shlex

        return shlex.split(arguments)
    return [str(one) for one in arguments or () if not isinstance(one, (list, tuple))] + [
        str(part)
        for one in arguments or ()
        if isinstance(one, Sequence) and not isinstance(one, str)
        for part in one
    ]


def _module(name: str) -> Any:
    import importlib
    import importlib.util
    import types

    if name.endswith(".py"):
        stem = os.path.splitext(os.path.basename(name))[0]
        spec = importlib.util.spec_from_file_location(stem, name)
        if spec is None or spec.loader is None or not os.path.exists(name):
            raise FileNotFoundError(f"preload: there is no file {name}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    if name.replace(".", "").replace("_", "").isalnum():
        return importlib.import_module(name)
    module = types.ModuleType("preload")
    exec(compile(name, "<preload>", "exec"), module.__dict__)
    return module
