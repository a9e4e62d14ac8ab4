"""Measuring the machine that a worker runs on."""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

_SECONDS = 0.2
_MEMORY = ("2 kiB", "10 kiB", "100 kiB", "1 MiB", "10 MiB", "100 MiB")
_DISK = ("1 kiB", "100 kiB", "1 MiB", "10 MiB", "100 MiB")
_NETWORK = ("1 kiB", "10 kiB", "100 kiB", "1 MiB", "10 MiB", "50 MiB")


def _bytes(size: str) -> int:
    from samite.utils import parse_bytes

    return int(parse_bytes(size))


def memory() -> dict[str, float]:
    """Bytes a second at which memory is copied, by the size of a copy."""
    found = {}
    for size in _MEMORY:
        data, began, copied = os.urandom(_bytes(size)), time.perf_counter(), 0
        view = memoryview(data)
        while time.perf_counter() < began + _SECONDS:
            copied += len(bytearray(view))
        found[size] = copied / (time.perf_counter() - began)
    return found


def disk(dask_worker: Any = None) -> dict[str, float]:
    """Bytes a second at which files are written where results are spilled to, by their size."""
    found = {}
    parent = getattr(dask_worker, "local_directory", None) or None
    with tempfile.TemporaryDirectory(dir=parent, prefix="samite-measuring-") as folder:
        for size in _DISK:
            data, began, written = os.urandom(_bytes(size)), time.perf_counter(), 0
            while time.perf_counter() < began + _SECONDS:
                with open(os.path.join(folder, "data"), "wb") as file:
                    written += file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            found[size] = written / (time.perf_counter() - began)
    return found


def listen(dask_worker: Any) -> tuple[str, int, bytes]:
    """Serve, to one peer that knows the secret and for a minute at most, as many bytes as it asks
    for; where, and the secret."""
    import secrets
    import socket
    import threading

    host = getattr(dask_worker, "ip", "127.0.0.1")
    if str(dask_worker.address).startswith(("inproc:", "unix:")):
        host = "127.0.0.1"
    listener = socket.create_server((host, 0))
    secret = secrets.token_bytes(32)

    def serve() -> None:
        import hmac

        listener.settimeout(60)
        with listener, listener.accept()[0] as peer:
            peer.settimeout(60)
            if not hmac.compare_digest(_received(peer, len(secret)), secret):
                return
            data = memoryview(os.urandom(_bytes(_NETWORK[-1])))
            while asked := int.from_bytes(_received(peer, 8), "little"):
                peer.sendall(data[:asked])

    threading.Thread(target=_quietly, args=(serve,), name="samite-measuring", daemon=True).start()
    return host, listener.getsockname()[1], secret


def fetch(where: tuple[str, int, bytes]) -> dict[str, float]:
    """Bytes a second at which data come from a peer that :func:`listen` s, by their size."""
    import socket

    host, port, secret = where
    found = {}
    with socket.create_connection((host, port), timeout=60) as peer:
        peer.sendall(secret)
        for size in _NETWORK:
            asked, began, got = _bytes(size), time.perf_counter(), 0
            while time.perf_counter() < began + _SECONDS:
                peer.sendall(asked.to_bytes(8, "little"))
                got += len(_received(peer, asked))
            found[size] = got / (time.perf_counter() - began)
        peer.sendall(bytes(8))
    return found


def _received(peer: Any, length: int) -> bytearray:
    data = bytearray(length)
    view, got = memoryview(data), 0
    while got < length:
        count = peer.recv_into(view[got:])
        if not count:
            raise ConnectionError("the other worker ended the measurement")
        got += count
    return data


def _quietly(function: Any) -> None:
    import contextlib

    with contextlib.suppress(OSError):
        function()
