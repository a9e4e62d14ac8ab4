"""The program of a worker's process, which a :class:`Nanny` starts."""

from __future__ import annotations

import os
import pickle
import struct
import sys
import threading
from typing import Any


def main() -> None:
    """Run a worker until it is told to end, or its nanny is gone."""
    given, said = int(sys.argv[1]), int(sys.argv[2])
    (length,) = struct.unpack("<Q", _read(given, 8))
    arguments = _read(given, length)
    ready = threading.Event()
    threading.Thread(target=_end_without_nanny, args=(given, ready), daemon=True).start()
    try:
        worker = _started(pickle.loads(arguments))
    except BaseException as raised:
        import traceback

        text = "".join(traceback.format_exception(raised))
        _say(said, f"failed {_failure(text, raised).hex()}\n")
        os._exit(1)
    ready.set()
    _say(said, f"ready {worker.address}\n")
    arguments = (given, said, worker)
    threading.Thread(target=_end_with_nanny, args=arguments, daemon=True).start()
    worker._engine.wait(None)
    if worker.restarting:
        # Another thread ends this process.
        threading.Event().wait(10)
    worker._tear_down()
    sys.stdout.flush()
    sys.stderr.flush()
    _exit()


def _started(arguments: dict[str, Any]) -> Any:
    import asyncio

    # The modules of the nanny's process, after those that only this process was told of.
    told = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    told = [folder for folder in map(os.path.abspath, told) if folder not in arguments["path"]]
    sys.path[:] = [*told, *arguments["path"]]
    os.chdir(arguments["folder"])
    from samite import config

    config.config.clear()
    config.config.update(arguments["config"])
    from samite.distributed.worker import Worker, keep_logs, watch_this_process

    keep_logs()
    watch_this_process()
    options = pickle.loads(arguments["options"])
    cls = class_named(options.pop("worker_class", None)) or Worker
    worker = cls(
        arguments["scheduler"],
        security=arguments["security"],
        **{name: value for name, value in options.items() if value is not None}
        | {"memory_limit": options["memory_limit"]},
    )
    worker._owns_process = True
    try:
        asyncio.run(worker.start())
    except Exception as raised:
        raise RuntimeError("Worker failed to start") from raised
    return worker


def class_named(cls: Any) -> Any:
    """A class, from the class itself or from its name with its module's; None for none."""
    if not isinstance(cls, str):
        return cls
    import importlib

    module, _, name = cls.rpartition(".")
    if module in ("dask.distributed", "distributed"):
        module = "samite.distributed"
    return getattr(importlib.import_module(module or "samite.distributed"), name)


def _failure(text: str, raised: BaseException) -> bytes:
    """A traceback, and the exceptions themselves where they can be pickled."""
    chain: list[BaseException] = []
    cause: BaseException | None = raised
    while cause is not None and len(chain) < 10:
        chain.append(cause)
        cause = cause.__cause__
    try:
        data = pickle.dumps((text, chain))
        pickle.loads(data)
    except Exception:
        return pickle.dumps((text, []))
    return data


def _end_without_nanny(given: int, ready: threading.Event) -> None:
    """A worker that waits for its scheduler has nobody to tell of it once its nanny is gone."""
    import select

    waiting = select.poll()
    waiting.register(given, 0)
    while not ready.wait(0.2):
        if waiting.poll(0):
            _exit()


def _end_with_nanny(given: int, said: int, worker: Any) -> None:
    """The pipe is closed when the nanny wants the worker to end, and when it has died."""
    from samite.distributed._nanny_calls import connect

    try:
        connect(given, said)
        worker._tear_down()
        worker._engine.close(4.0)
    finally:
        _exit()


def _exit() -> None:
    """End at once: threads of user code must not hold up a worker that is to end."""
    from samite.distributed._worker_views import remove_folders
    from samite.distributed.diagnostics.plugin import remove_uploads

    # Another thread may be here already, and must have removed all before the process ends.
    _ending.acquire()
    try:
        remove_uploads()
        remove_folders()
    finally:
        os._exit(0)


_ending = threading.Lock()


def _read(descriptor: int, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = os.read(descriptor, length - len(data))
        if not part:
            os._exit(1)
        data += part
    return data


def _say(descriptor: int, text: str) -> None:
    data = text.encode()
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except BrokenPipeError:
        os._exit(1)


if __name__ == "__main__":
    main()
