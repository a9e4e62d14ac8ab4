"""Where schedulers are."""

from __future__ import annotations

import os
from typing import Any


def normalize_address(address: Any) -> str:
    """An address with its protocol and port.

    Raises
    ------
    ValueError
        If there is no such address.
    """
    if isinstance(address, tuple):
        address = f"{address[0]}:{address[1]}"
    if not isinstance(address, str) or not address.strip():
        raise ValueError(
            f"a scheduler's address is text such as 'tcp://host:8786', not {address!r}"
        )
    address = address.strip()
    if "://" not in address:
        address = "tcp://" + address
    protocol, _, rest = address.partition("://")
    if protocol not in ("tcp", "tls", "unix", "inproc"):
        raise ValueError(
            f"unknown protocol {protocol!r} in the address {address!r}; there are tcp, tls, unix "
            "and inproc"
        )
    if protocol in ("tcp", "tls") and ":" not in rest.rpartition("]")[2]:
        address += ":8786"
    return address.replace("://localhost:", "://127.0.0.1:")


def read_scheduler_file(path: str, timeout: float | None) -> tuple[str, Any]:
    """The address and the security of a scheduler file, which may be about to be written."""
    import json
    import time

    deadline = time.monotonic() + (timeout if timeout is not None else 30)
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise FileNotFoundError(
                f"the scheduler file {path} is not there; start 'samite scheduler "
                f"--scheduler-file {path}' first"
            )
        time.sleep(0.02)
    with open(path) as file:
        content = json.load(file)
    from samite.distributed.security import Security

    secrets = content.get("security")
    return content["address"], Security._of_file(secrets) if secrets else None


def dashboard_link(host: str, port: int) -> str:
    """Where a scheduler's page is, by the setting ``distributed.dashboard.link``, in which
    ``{scheme}``, ``{host}``, ``{port}`` and variables of the environment are filled in."""
    from samite import config

    link = config.get("distributed.dashboard.link", "{scheme}://{host}:{port}/status")
    return link.format(**{**os.environ, "scheme": "http", "host": host, "port": port})
