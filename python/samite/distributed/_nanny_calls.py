"""How a worker's process asks the nanny that watches it to carry something out.

Nannies have no connection with the scheduler. What clients want of them goes to their workers, and
from there through the two pipes that tie a worker's process to its nanny: one message is eight
bytes with its length, and then a pickle of a number and a request, or of the number and its answer.
"""

from __future__ import annotations

import os
import pickle
import struct
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["ask_nanny", "messages", "send", "set_up_on_nanny", "tear_down_on_nanny"]


def send(descriptor: int, message: Any) -> None:
    """Write one message; the caller sees to it that nobody else writes meanwhile."""
    data = pickle.dumps(message, protocol=5)
    view = memoryview(struct.pack("<Q", len(data)) + data)
    while view:
        view = view[os.write(descriptor, view) :]


def messages(descriptor: int, begun: bytes, handle: Callable[[Any], None]) -> None:
    """Handle each message until the other side is gone; `begun` was read before."""
    held = bytearray(begun)
    while True:
        while len(held) >= 8 and len(held) >= 8 + struct.unpack_from("<Q", held)[0]:
            (length,) = struct.unpack_from("<Q", held)
            message = pickle.loads(memoryview(held)[8 : 8 + length].tobytes())
            del held[: 8 + length]
            handle(message)
        part = os.read(descriptor, 1 << 20)
        if not part:
            return
        held += part


class _Line:
    """A worker's end of the pipes."""

    def __init__(self, said: int) -> None:
        self._said = said
        self._lock = threading.Lock()
        self._next = 0
        self._open: dict[int, tuple[threading.Event, list[bytes]]] = {}

    def ask(self, request: bytes) -> bytes:
        answered: tuple[threading.Event, list[bytes]] = (threading.Event(), [])
        with self._lock:
            self._next += 1
            number = self._next
            self._open[number] = answered
            send(self._said, (number, request))
        # The nanny may take its time. This process ends with it, so nobody waits for ever.
        answered[0].wait()
        return answered[1][0]

    def hear(self, message: tuple[int, bytes]) -> None:
        number, answer = message
        with self._lock:
            event, answers = self._open.pop(number)
        answers.append(answer)
        event.set()


_line: _Line | None = None
_connected = threading.Event()


def connect(given: int, said: int) -> None:
    """Take the pipes of this process; returns when the nanny is gone, or wants it to end."""
    global _line
    _line = line = _Line(said)
    _connected.set()
    messages(given, b"", line.hear)


def ask_nanny(request: bytes) -> bytes | None:
    """Have the nanny of this process carry out a call; None where there is no nanny."""
    from samite.distributed.worker import is_watched

    if not is_watched():
        return None
    _connected.wait()  # The scheduler may call before the nanny knows that its worker is up.
    assert _line is not None
    return _line.ask(request)


# ---- what clients ask workers to have done -------------------------------------------------------


def set_up_on_nanny(request: bytes) -> tuple[bytes | None, bool]:
    """Have the nanny set up a plugin; its answer, and whether this process ends because of it."""
    from samite.distributed._calls import load_bytes
    from samite.distributed.worker import restart_this_worker

    answer = ask_nanny(request)
    if answer is None:
        return None, False
    kind, restart = load_bytes(answer)
    return answer, kind == "ok" and restart and restart_this_worker()


def tear_down_on_nanny(request: bytes) -> tuple[bytes | None, bool]:
    """Have the nanny take a plugin away; its answer, and that this process stays."""
    return ask_nanny(request), False


# ---- what nannies do -----------------------------------------------------------------------------


def add_plugin(plugin: Any, name: str, registration: str, dask_worker: Any) -> bool:
    """Set up a plugin on a nanny; whether its worker is to be started again.

    A worker that is started again hands its nanny the plugins of its cluster once more, which are
    told by `registration` to be there already.
    """
    return bool(dask_worker.add_plugin(plugin, name, registration))


def remove_plugin(name: str, dask_worker: Any) -> None:
    """Take a plugin away from a nanny."""
    dask_worker.remove_plugin(name)
