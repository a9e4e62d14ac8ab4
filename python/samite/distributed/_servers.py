"""What schedulers, workers and nannies have in common as Python objects: a life that is awaited."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from samite import config
from samite.distributed.core import Status

T = TypeVar("T")

# The request of Linux for the address of an interface.
_SIOCGIFADDR = 0x8915


class Server:
    """Something that is started by ``await`` or ``async with`` and ends by ``await close()``."""

    def __init__(self) -> None:
        self.status = Status.init
        self._starting: asyncio.Lock | None = None
        self._ended: asyncio.Event | None = None

    async def start(self) -> Any:
        """Start; again does nothing."""
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self.status is not Status.init:
                if self.status is Status.failed:
                    raise RuntimeError(f"{type(self).__name__} failed to start before")
                return self
            self.status = Status.starting
            try:
                await self._start()
            except BaseException:
                self.status = Status.failed
                raise
            self.status = Status.running
        return self

    async def close(self, *args: Any, **kwargs: Any) -> str:
        """End; again does nothing."""
        if self.status in (Status.closed, Status.closing):
            await self.finished()
            return "OK"
        started = self.status not in (Status.init, Status.failed)
        self.status = Status.closing
        try:
            if started:
                await self._close(*args, **kwargs)
        finally:
            self.status = Status.closed
            if self._ended is not None:
                self._ended.set()
        return "OK"

    async def finished(self) -> None:
        """Wait until it has ended."""
        if self.status is Status.closed:
            return
        if self._ended is None:
            self._ended = asyncio.Event()
        await self._ended.wait()

    async def _start(self) -> None:
        raise NotImplementedError

    async def _close(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Any:
        await self
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.start().__await__()


async def in_executor(function: Callable[[], T]) -> T:
    """Call a function that blocks on a thread of its own."""
    return await asyncio.get_running_loop().run_in_executor(None, function)


def listen_address(
    protocol: str | None,
    host: str | None = None,
    port: Any = 0,
    interface: str | None = None,
    security: Any = None,
) -> str:
    """Where to listen.

    Raises
    ------
    ValueError
        If the protocol or the port is none, or there is no such interface.
    """
    if host is not None and "://" in host:
        protocol, _, host = host.partition("://")
    if protocol is None:
        protocol = "tls" if security is not None and security.require_encryption else None
        protocol = protocol or config.get("distributed.comm.default-scheme", "tcp")
    protocol = protocol.removesuffix("://")
    if protocol == "inproc":
        import os
        import uuid

        return f"inproc://{os.getpid()}/{uuid.uuid4().hex[:8]}"
    if protocol not in ("tcp", "tls", "unix"):
        raise ValueError(f"unknown protocol {protocol!r}; there are tcp, tls, unix and inproc")
    if interface is not None:
        host = address_of_interface(interface)
    if host is not None and ":" in host and not host.startswith("[") and host.count(":") == 1:
        host, _, port = host.partition(":")
    if isinstance(port, str):
        _ports(port)
    return f"{protocol}://{host or '127.0.0.1'}:{port or 0}"


def _ports(port: str) -> range:
    """The ports that text names: one, or a range such as ``"9000:9010"``.

    Raises
    ------
    ValueError
        If it is no port, and no range of some.
    """
    first, _, last = port.partition(":")
    try:
        ports = range(int(first), int(last or first) + 1)
    except ValueError:
        ports = range(0)
    if not ports or ports[0] < 0 or ports[-1] > 65535:
        raise ValueError(f"{port!r} is no port, and no range of ports such as '9000:9010'")
    return ports


def listening(address: str, start: Callable[[str], T]) -> T:
    """``start(address)``; where it has a range of ports, with the first one that is free.

    Raises
    ------
    OSError
        If none of them is free.
    """
    found = re.fullmatch(r"(.*):(\d+:\d+)", address)
    if found is None:
        return start(address)
    for port in _ports(found[2]):
        try:
            return start(f"{found[1]}:{port}")
        except OSError:
            if not _is_used(found[1], port):
                raise
    raise OSError(errno.EADDRINUSE, f"Not enough ports in range {found[2]}: all of them are in use")


def _is_used(host: str, port: int) -> bool:
    """Whether somebody listens at a port of a host of this machine."""
    import socket

    name = host.rpartition("//")[2].strip("[]")
    try:
        for family, kind, number, _, place in socket.getaddrinfo(
            name, port, type=socket.SOCK_STREAM
        ):
            with socket.socket(family, kind, number) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(place)
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def address_of_interface(name: str) -> str:
    """The IPv4 address of a network interface.

    Raises
    ------
    ValueError
        If there is no such interface, or it has no address.
    """
    import fcntl
    import socket
    import struct

    names = sorted(known for _, known in socket.if_nameindex())
    if name not in names:
        raise ValueError(
            f"{name!r} is not a valid network interface. Valid network interfaces are: {names}"
        )
    request = struct.pack("256s", name.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        with contextlib.suppress(OSError):
            found = fcntl.ioctl(asked.fileno(), _SIOCGIFADDR, request)
            # The kernel's ifreq: 16 bytes of name, then a sockaddr_in.
            return socket.inet_ntoa(found[20:24])
    raise ValueError(f"interface {name!r} doesn't have an IPv4 address")
