"""Parts of addresses such as ``tcp://host:8786``."""

from __future__ import annotations

from typing import Any

__all__ = [
    "get_address_host",
    "get_address_host_port",
    "get_local_address_for",
    "normalize_address",
    "parse_address",
    "parse_host_port",
    "resolve_address",
    "unparse_address",
    "unparse_host_port",
]


def parse_address(addr: str, strict: bool = False) -> tuple[str, str]:
    """The protocol of an address, by default ``tcp``, and the rest.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If it has no protocol, and `strict` says that it must.
    """
    if not isinstance(addr, str):
        raise TypeError(f"expected str, got {type(addr).__name__!r}")
    protocol, separator, place = addr.rpartition("://")
    if strict and not separator:
        raise ValueError(f"the address {addr!r} has no protocol: it is written as tcp://host:port")
    return protocol or "tcp", place


def unparse_address(scheme: str, loc: str) -> str:
    """An address of a protocol and the rest."""
    return f"{scheme}://{loc}"


def normalize_address(addr: str) -> str:
    """The address with its protocol."""
    return unparse_address(*parse_address(addr))


def parse_host_port(address: str, default_port: int | None = None) -> tuple[str, int]:
    """Host and port of what stands behind the protocol.

    Raises
    ------
    ValueError
        If there is no port, and no default, or it is no number.
    """
    if isinstance(address, tuple):
        return address
    host, port = address, ""
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        if not bracket or rest[:1] not in ("", ":"):
            raise ValueError(f"the IPv6 address in {address!r} has to be within brackets")
        port = rest[1:]
    elif address.count(":") == 1:
        host, _, port = address.partition(":")
    elif ":" in address:
        raise ValueError(f"the IPv6 address in {address!r} has to be within brackets")
    if not port and default_port is None:
        raise ValueError(f"the address {address!r} has no port")
    if port and not port.isdigit():
        raise ValueError(f"the port of the address {address!r} is no number")
    return host, int(port) if port else int(default_port or 0)


def unparse_host_port(host: str, port: Any = None) -> str:
    """Host and port as they stand behind the protocol."""
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"


def get_address_host_port(addr: str, strict: bool = False) -> tuple[str, int]:
    """Host and port of an address.

    Raises
    ------
    ValueError
        If its protocol has none, or it has no port.
    """
    protocol, place = parse_address(addr, strict)
    if protocol not in ("tcp", "tls"):
        raise ValueError(f"the address {addr!r} has no host and port")
    return parse_host_port(place)


def get_address_host(addr: str) -> str:
    """The host of an address; of one without hosts, this machine's."""
    protocol, place = parse_address(addr)
    if protocol not in ("tcp", "tls"):
        return "127.0.0.1"
    return parse_host_port(place, 0)[0]


def resolve_address(addr: str) -> str:
    """The address with its host as a number.

    Raises
    ------
    OSError
        If there is no such host.
    """
    import socket

    protocol, place = parse_address(addr)
    if protocol not in ("tcp", "tls"):
        return addr
    host, port = parse_host_port(place, 0)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    return unparse_address(protocol, unparse_host_port(str(found), port or None))


def get_local_address_for(addr: str) -> str:
    """The address of this machine by which whoever is at an address can reach it; a port is to be
    added.

    Raises
    ------
    OSError
        If there is no way to that address.
    """
    import socket

    protocol, place = parse_address(addr)
    if protocol not in ("tcp", "tls"):
        return f"{protocol}://"
    host, port = parse_host_port(place, 1)
    kind, _, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    # Connecting a datagram socket sends nothing: it only chooses the way.
    with socket.socket(kind, socket.SOCK_DGRAM) as asked:
        asked.connect(target)
        return unparse_address(protocol, unparse_host_port(asked.getsockname()[0]))
