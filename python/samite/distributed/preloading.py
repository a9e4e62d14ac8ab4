"""Modules and scripts that a scheduler, a worker, a nanny or a client runs when it starts."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Sequence
from typing import Any

__all__ = ["Preload", "load", "start", "tear_down"]

logger = logging.getLogger("samite.distributed.preloading")


class Preload:
    """A module whose ``dask_setup(server)`` is called at the start, and ``dask_teardown(server)``
    at the end. What these raise is logged, and does not hold up the server.

    Parameters
    ----------
    name:
        The name of a module, a file that ends in ``.py``, Python code, or a URL of such code.
    arguments:
        Command-line arguments for a ``dask_setup`` that is a click command.

    Raises
    ------
    ImportError, OSError
        If there is no such module, file or page.
    """

    def __init__(self, server: Any, name: str, arguments: Any = ()) -> None:
        self.dask_server = server
        self.name = name
        self.argv = _strings(arguments)
        self.module = _module(name)

    def start(self) -> None:
        """Call ``dask_setup``, where there is one."""
        setup = getattr(self.module, "dask_setup", None)
        if setup is None:
            return
        logger.info("Run preload setup: %s", _short(self.name))
        try:
            if hasattr(setup, "make_context"):
                context = setup.make_context("dask_setup", list(self.argv), allow_extra_args=True)
                result = setup.callback(self.dask_server, *context.args, **context.params)
            else:
                result = setup(self.dask_server)
            _wait_for(result)
        except Exception:
            logger.exception("Preload: dask_setup of %s failed", _short(self.name))

    def teardown(self) -> None:
        """Call ``dask_teardown``, where there is one."""
        function = getattr(self.module, "dask_teardown", None)
        if function is None:
            return
        logger.info("Run preload teardown: %s", _short(self.name))
        try:
            _wait_for(function(self.dask_server))
        except Exception:
            logger.exception("Preload: dask_teardown of %s failed", _short(self.name))


def load(server: Any, names: Any, arguments: Any) -> list[Preload]:
    """Load modules and scripts, whose code runs now; :func:`start` calls their functions.

    Parameters
    ----------
    names:
        What :class:`Preload` takes; one or several.
    arguments:
        Command-line arguments for all of them; or a list of lists, with one for each.
    """
    names = [names] if isinstance(names, str) else list(names or ())
    lists = isinstance(arguments, Sequence) and not isinstance(arguments, str)
    if lists and len(arguments) == len(names) and all(isinstance(one, list) for one in arguments):
        given = list(arguments)
    else:
        given = [arguments] * len(names)
    return [Preload(server, name, one) for name, one in zip(names, given, strict=True)]


def start(preloads: list[Preload]) -> None:
    """Call ``dask_setup`` of each."""
    for one in preloads:
        one.start()


def tear_down(preloads: list[Preload]) -> None:
    """Call ``dask_teardown`` of each, once."""
    while preloads:
        preloads.pop(0).teardown()


def _wait_for(result: Any) -> None:
    if inspect.iscoroutine(result):
        from samite.distributed._calls import run_on_loop

        run_on_loop(result)


def _short(name: str) -> str:
    return name if len(name) <= 80 and "\n" not in name else "a text"


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
    import sys

    if name.startswith(("http://", "https://")):
        return _executed(_downloaded(name), name)
    if name.endswith(".py"):
        stem = os.path.splitext(os.path.basename(name))[0]
        spec = importlib.util.spec_from_file_location(stem, name)
        if spec is None or spec.loader is None or not os.path.exists(name):
            raise FileNotFoundError(f"preload: there is no file {name}")
        module = importlib.util.module_from_spec(spec)
        # Tasks import it by its name, and get the one that was set up.
        sys.modules[stem] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(stem, None)
            raise
        return module
    if name.replace(".", "").replace("_", "").isalnum():
        return importlib.import_module(name)
    return _executed(name, "<preload>")


def _executed(text: str, place: str) -> Any:
    import types

    module = types.ModuleType("preload")
    exec(compile(text, place, "exec"), module.__dict__)
    return module


def _downloaded(address: str) -> str:
    """Python code from the web; tried again while the server there has not begun to answer."""
    import time
    import urllib.error
    import urllib.request

    tries = 5
    logger.info("Downloading preload at %s", address)
    for number in range(1, tries + 1):
        try:
            with urllib.request.urlopen(address) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            if number == tries:
                raise OSError(f"preload: {address} cannot be read: {error}") from error
            time.sleep(0.2 * number)
    raise AssertionError("unreachable")
