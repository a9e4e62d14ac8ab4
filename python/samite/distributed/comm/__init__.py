"""Addresses, and what programs import of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samite.distributed.comm.addressing import (
    get_address_host,
    get_address_host_port,
    get_local_address_for,
    normalize_address,
    parse_address,
    parse_host_port,
    resolve_address,
    unparse_address,
    unparse_host_port,
)
from samite.distributed.exceptions import CommClosedError

if TYPE_CHECKING:
    from samite.distributed._rpc import connect

__all__ = [
    "CommClosedError",
    "connect",
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


def __getattr__(name: str) -> Any:
    if name == "connect":
        from samite.distributed._rpc import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
