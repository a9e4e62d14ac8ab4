"""Worker processes: ``python -m samite._worker`` runs the tasks that its parent sends.

The parent is the engine, at the other end of the socket that is file descriptor 3; messages are
lists of frames, as the engine's ``processes`` module describes them. A request holds, in groups
of frames, the settings, the task as plain data (`samite._engine`'s ``spec``), and its inputs. The
answer is a frame that says whether it worked, then the pickled result or failure.
"""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

_DESCRIPTOR = 3
_SHARED = 1 << 63
# Frames of this size and more travel as memory files.
_LARGE = 1 << 20
_MAX_SHARED = 253
# So many exceptions travel of those that one was raised from.
_LINKS = 20
_SUCCESS, _FAILURE = b"\0", b"\1"


def main() -> None:
    """Run tasks until the parent closes the socket."""
    import signal

    # Ctrl-C reaches the whole group; the parent decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=_DESCRIPTOR)
    initializer = os.environ.get("SAMITE_WORKER_INITIALIZER")
    settings = b""
    while True:
        frames = _receive(channel)
        if frames is None:
            return
        groups = _groups(frames)
        setup = bytes(next(groups)[0])
        if setup != settings:
            _apply(setup)
            if initializer and not settings:
                _initialize(initializer)
            settings = setup
        _send(channel, _answer(groups))
        del frames, groups


def _initialize(encoded: str) -> None:
    """Call the user's initializer, which may be from a module that only the settings lead to."""
    import base64

    pickle.loads(base64.b64decode(encoded))()


def _apply(setup: bytes) -> None:
    from samite import config

    settings = pickle.loads(setup)
    for folder in settings["path"]:
        if folder not in sys.path:
            sys.path.append(folder)
    _follow(settings["environment"])
    if settings["folder"] is not None:
        os.chdir(settings["folder"])
    config.config.clear()
    config.config.update(settings["config"])


# The parent's environment as it was seen last; at first it is what this process was given.
_environment = dict(os.environ)


def _follow(environment: dict[str, str]) -> None:
    """Make the changes that the parent has made; what tasks and initializers set here stays."""
    for name in _environment.keys() - environment.keys() - {"PYTHONPATH"}:
        os.environ.pop(name, None)
    for name, value in environment.items():
        if _environment.get(name) != value and name != "PYTHONPATH":
            os.environ[name] = value
    _environment.clear()
    _environment.update(environment)


def make_setup() -> bytes:
    """The settings of this process, for its workers."""
    from samite import config

    try:
        folder = os.getcwd()
    except OSError:  # it was removed
        folder = None
    settings = {
        "path": list(sys.path),
        "config": _plain(config.config),
        "environment": dict(os.environ),
        "folder": folder,
    }
    return pickle.dumps(settings, protocol=5)


def _plain(value: Any) -> Any:
    """Settings without what means something in this process only: pools, functions, clients."""
    if isinstance(value, dict):
        parts = ((name, _plain(part)) for name, part in value.items())
        return {name: part for name, part in parts if part is not _LEFT_OUT}
    if isinstance(value, (list, tuple)):
        parts = [_plain(part) for part in value]
        return type(value)(part for part in parts if part is not _LEFT_OUT)
    return value if value is None or isinstance(value, (bool, int, float, str)) else _LEFT_OUT


_LEFT_OUT = object()


def _answer(groups: Iterator[list[Any]]) -> list[Any]:
    from samite._pickling import dump, load

    try:
        task = load(next(groups))
        inputs = [load(group) for group in groups]
        return [_SUCCESS, *dump(evaluate(task, iter(inputs)))]
    except BaseException as error:
        return [_FAILURE, *dump_failure(error)]


# ---- tasks as plain data ------------------------------------------------------------------------


def evaluate(spec: tuple[Any, ...], inputs: Iterator[Any]) -> Any:
    """Run a task that is written as nested tuples, on its inputs in order."""
    kind = spec[0]
    if kind == "v":
        return spec[1]
    if kind == "i":
        return next(inputs)
    if kind == "c":
        func = evaluate(spec[1], inputs)
        args = [evaluate(item, inputs) for item in spec[2]]
        return func(*args, **{name: evaluate(item, inputs) for name, item in spec[3]})
    if kind == "m":
        target, *args = [evaluate(item, inputs) for item in spec[2]]
        kwargs = {name: evaluate(item, inputs) for name, item in spec[3]}
        return getattr(target, spec[1])(*args, **kwargs)
    if kind == "a":
        return getattr(evaluate(spec[2], inputs), spec[1])
    if kind == "d":
        return {evaluate(key, inputs): evaluate(value, inputs) for key, value in spec[1]}
    if kind == "o":
        return spec[1]({key: evaluate(item, inputs) for key, item in spec[2]})
    if kind == "g":
        _, steps, _, output, args = spec
        values = [evaluate(item, inputs) for item in args]
        for step, holes in steps:
            values.append(evaluate(step, iter([values[hole] for hole in holes])))
        return values[output]
    container = {"l": list, "t": tuple, "s": set, "f": frozenset}[kind]
    return container([evaluate(item, inputs) for item in spec[1]])


def dump_task(spec: tuple[Any, ...], name: str) -> list[Any]:
    """Pickle a task.

    Raises
    ------
    The exception of the pickler, with a note that names the task and the part of it.
    """
    from samite._pickling import dump_plainly
    from samite._unpicklable import add_note

    try:
        return dump_plainly(spec)
    except Exception as error:
        why = _why_unpicklable(spec)
        add_note(error, f"Task {name} cannot be sent to a worker process: {why}.")
        raise


def dump_batch(kind: str, *parts: Any) -> list[Any]:
    """Pickle a batch of tasks for the workers of a cluster.

    Raises
    ------
    The exception of the pickler, with a note that names the part that cannot be pickled.
    """
    from samite._pickling import dump_plainly
    from samite._unpicklable import add_note

    try:
        return dump_plainly((kind, *parts))
    except Exception as error:
        add_note(error, f"A task cannot be sent to workers: {_why_unpicklable(parts)}.")
        raise


def call_method(name: str, target: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a method of an object."""
    return getattr(target, name)(*args, **kwargs)


def get_attribute(name: str, target: Any) -> Any:
    """Get an attribute of an object."""
    return getattr(target, name)


def _why_unpicklable(spec: Any) -> str:
    """What of a spec cannot be pickled: a function, or a value among the arguments."""
    from samite._pickling import dump_plainly
    from samite._unpicklable import explain

    stack = [spec]
    while stack:
        part = stack.pop()
        if isinstance(part, (tuple, list)):
            stack.extend(part)
            continue
        try:
            dump_plainly(part)
        except Exception:
            return explain(part, dump_plainly)
    return "the call cannot be pickled"


# ---- failures -----------------------------------------------------------------------------------


def dump_failure(error: BaseException) -> list[Any]:
    """Pickle what is left of an exception and its traceback where it was raised, and of those that
    it was raised from."""
    from samite._pickling import dump

    if isinstance(error, ModuleNotFoundError):
        _say_where(error)
    frames, failure = _left_of(error)
    chain = _chain_of(error, {id(error)})
    return frames if chain is None else dump((*failure, chain))


def _chain_of(error: BaseException, seen: set[int]) -> tuple[Any, ...] | None:
    """What is left of an exception's cause and context, and whether the context is to be shown."""
    links = []
    for link in (error.__cause__, error.__context__):
        # The context of `raise ... from` is its cause, nearly always.
        if link is None or id(link) in seen or len(seen) > _LINKS:
            links.append(None)
            continue
        seen.add(id(link))
        _, failure = _left_of(link)
        links.append((*failure, _chain_of(link, seen)))
    return None if links == [None, None] else (*links, error.__suppress_context__)


def _left_of(error: BaseException) -> tuple[list[Any], tuple[Any, ...]]:
    """What is left of an exception without its chain: pickled, and as it is."""
    import traceback

    from samite._pickling import dump, load

    # The frames of this module say nothing about the task.
    here = error.__traceback__
    while here is not None and here.tb_frame.f_code.co_filename == __file__:
        here = here.tb_next
    raised = error.__traceback__ is not None
    text = "".join(traceback.format_exception(type(error), error, here)) if raised else ""
    packed = None
    try:
        import tblib.pickling_support

        packed = tblib.pickling_support.pickle_traceback(here) if here is not None else None
    except ImportError:
        pass
    if packed is None and _on_cluster():
        from samite.distributed._tracebacks import places_of, rebuilt

        packed = (rebuilt, (places_of(here),))
    for take_apart in (_take_apart, _take_bare):
        for traceback_too in (packed, None):
            try:
                failure = (take_apart(error), text, traceback_too)
                frames = dump(failure)
                # Some exceptions are pickled without complaint and cannot be made again.
                _put_together(*load(frames)[0])
            except Exception:
                continue
            return frames, failure
    kind = type(error)
    message = f"{kind.__module__}.{kind.__qualname__}: {error}"
    failure = (_take_apart(RuntimeError(message)), text, None)
    return dump(failure), failure


def _say_where(error: ModuleNotFoundError) -> None:
    """Note on which machine a module is missing: it may be there on others."""
    import socket

    from samite import _engine
    from samite._unpicklable import add_note

    worker = _engine.current_worker()
    who = "a worker process" if worker is None else f"worker {worker.address}"
    note = f"The module {error.name!r} is missing on host {socket.gethostname()!r}, in {who}"
    if note not in "".join(getattr(error, "__notes__", ())):
        add_note(error, f"{note} ({sys.executable}, process {os.getpid()}).")


def _on_cluster() -> bool:
    """Whether a worker of a cluster runs this: its clients get exceptions as they were raised."""
    from samite import _engine

    return _engine.current_worker() is not None


def _take_apart(error: BaseException) -> tuple[Any, ...]:
    """What makes an exception again. Libraries that are loaded may have changed how exceptions
    are pickled, and then lose some of it."""
    # Some classes are pickled without the notes that were added to them.
    notes = getattr(error, "__notes__", None)
    reduced = error.__reduce_ex__(5)
    if isinstance(reduced, str) or len(reduced) > 3:
        return (_itself, (error,), None, notes)
    function, args, *state = reduced
    return function, args, state[0] if state else None, notes


def _take_bare(error: BaseException) -> tuple[Any, ...]:
    """As :func:`_take_apart`, for exceptions whose class takes other arguments than it keeps, and
    without the attributes that cannot be pickled."""
    from samite._pickling import dump, load

    kept, lost = {}, []
    for name, value in vars(error).items():
        try:
            load(dump(value))
        except Exception:
            lost.append(f"{name} (a {type(value).__qualname__})")
        else:
            kept[name] = value
    notes = list(kept.pop("__notes__", ()))
    if lost:
        notes.append(f"Attributes that cannot be pickled were left behind: {', '.join(lost)}.")
    return _made_bare, (type(error), error.args), kept, notes or None


def _made_bare(kind: Any, args: tuple[Any, ...]) -> BaseException:
    return kind.__new__(kind, *args)


def _itself(error: BaseException) -> BaseException:
    return error


def _put_together(
    function: Any, args: tuple[Any, ...], state: dict[str, Any] | None, notes: list[str] | None
) -> BaseException:
    error = function(*args)
    if state:
        error.__setstate__(state)
    if notes and not hasattr(error, "__notes__"):
        error.__notes__ = notes  # type: ignore[attr-defined]
    return error


def remote_failure(failure: tuple[Any, ...]) -> BaseException:
    """The exception of a task that failed in a worker, with its traceback where that can travel,
    and with those that it was raised from."""
    from samite.multiprocessing import remote_exception

    parts, text, packed, *chain = failure
    links = _links(*chain)
    if packed is not None:
        unpickle, arguments = packed[:2]
        # The frames that are made for the traceback keep this one. No name here may stand for it or
        # for the exception, or all that they refer to stays until garbage is looked for.
        return _linked(_put_together(*parts).with_traceback(unpickle(*arguments)), links)
    error = _put_together(*parts)
    if text and isinstance(error, Exception):
        error = remote_exception(error, text)
    return _linked(error, links)


def _links(chain: tuple[Any, ...] | None = None) -> list[Any]:
    if chain is None:
        return []
    cause, context, suppressed = chain
    return [
        None if cause is None else remote_failure(cause),
        None if context is None else remote_failure(context),
        suppressed,
    ]


def _linked(error: BaseException, links: list[Any]) -> BaseException:
    """Chain exceptions, and leave nothing in the list, which frames of tracebacks may keep."""
    if links:
        suppressed, context, cause = links.pop(), links.pop(), links.pop()
        error.__cause__ = cause
        # Python's own statement makes the cause the context too.
        error.__context__ = cause if context is None else context
        error.__suppress_context__ = suppressed
    return error


# ---- pools that the user brings -----------------------------------------------------------------


def pack_task(task: Any) -> bytes:
    """A bound task as bytes, for a pool of processes."""
    import cloudpickle

    spec, inputs = task.parts()
    dump_task(spec, task.name)
    return cloudpickle.dumps((spec, inputs), protocol=5)


def run_packed(packed: bytes) -> bytes:
    """Run what `pack_task` made; the outcome as bytes."""
    import cloudpickle

    try:
        spec, inputs = pickle.loads(packed)
        return cloudpickle.dumps((True, evaluate(spec, iter(inputs))), protocol=5)
    except BaseException as error:
        return cloudpickle.dumps((False, dump_failure(error)), protocol=5)


def unpack_outcome(packed: bytes) -> Any:
    """The result in what `run_packed` made; raises the task's exception."""
    from samite._pickling import load

    succeeded, outcome = pickle.loads(packed)
    if succeeded:
        return outcome
    raise remote_failure(load(outcome))


# ---- the socket ---------------------------------------------------------------------------------


def _groups(frames: list[Any]) -> Iterator[list[Any]]:
    counts = struct.unpack(f"<{len(frames[0]) // 4}I", frames[0])
    start = 1
    for count in counts:
        yield frames[start : start + count]
        start += count


def _receive(channel: socket.socket) -> list[Any] | None:
    head, descriptors, _, _ = socket.recv_fds(channel, 8, _MAX_SHARED)
    while head and len(head) < 8:
        more = channel.recv(8 - len(head))
        if not more:
            return None
        head += more
    if not head:
        return None
    count, _ = struct.unpack("<II", head)
    lengths = struct.unpack(f"<{count}Q", _exactly(channel, 8 * count))
    shared = iter(descriptors)
    frames: list[Any] = []
    for length in lengths:
        if length & _SHARED:
            descriptor = next(shared)
            # A private mapping: the task may write to its inputs, and nobody else sees it.
            frames.append(mmap.mmap(descriptor, length & ~_SHARED, access=mmap.ACCESS_COPY))
            os.close(descriptor)
        else:
            frames.append(_exactly(channel, length))
    return frames


def _exactly(channel: socket.socket, length: int) -> bytearray:
    buffer = bytearray(length)
    view = memoryview(buffer)
    while view.nbytes:
        received = channel.recv_into(view)
        if not received:
            raise SystemExit(0)  # the parent is gone
        view = view[received:]
    return buffer


def _send(channel: socket.socket, frames: list[Any]) -> None:
    lengths: list[int] = []
    descriptors: list[int] = []
    inline: list[Any] = []
    for frame in frames:
        size = memoryview(frame).nbytes
        if size >= _LARGE and len(descriptors) < _MAX_SHARED and hasattr(os, "memfd_create"):
            descriptors.append(_memory_file(frame))
            lengths.append(size | _SHARED)
        else:
            lengths.append(size)
            inline.append(frame)
    head = struct.pack("<II", len(frames), len(descriptors))
    socket.send_fds(channel, [head], descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    channel.sendall(struct.pack(f"<{len(lengths)}Q", *lengths))
    for frame in inline:
        channel.sendall(frame)


def _memory_file(frame: Any) -> int:
    descriptor = os.memfd_create("samite-frame", os.MFD_CLOEXEC)
    view = memoryview(frame).cast("B")
    while view.nbytes:
        view = view[os.write(descriptor, view) :]
    return descriptor


if __name__ == "__main__":
    # The pickles name this module as `samite._worker`, not as `__main__`.
    from samite._worker import main as run

    run()
