"""What the commands have in common: security, signals, pid files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from samite.distributed.security import Security, token_file

logger = logging.getLogger("samite.distributed")

# Seconds that a program has to start in, once it has been told to end.
_NEARLY = 0.8


def security_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a command is told who may connect."""
    for option in (
        click.option("--tls-key", help="The certificate's key (PEM)."),
        click.option("--tls-cert", help="A certificate (PEM)."),
        click.option("--tls-ca-file", help="The authority's certificate (PEM)."),
        click.option(
            "--token-file",
            help="A file of the secret that members of the cluster know. By default one of the "
            "user's own, which is made when it is missing.",
        ),
    ):
        command = option(command)
    return command


def security_of_options(
    role: str, tls_ca_file: Any, tls_cert: Any, tls_key: Any, file: Any, create: bool
) -> Security | None:
    """Who may connect, by the options of a command."""
    kwargs: dict[str, Any] = {}
    if tls_ca_file:
        kwargs["tls_ca_file"] = tls_ca_file
    if tls_cert:
        kwargs[f"tls_{role}_cert"] = tls_cert
    if tls_key:
        kwargs[f"tls_{role}_key"] = tls_key
    security = Security(**kwargs)
    if security.has_certificates and file is None:
        return security
    security.token = token_file(file, create=create)
    return security if security.token or security.has_certificates else None


def security_of_stdin() -> Security | None:
    """Who may connect, as whoever started this program says."""
    content = json.loads(sys.stdin.readline() or "{}").get("security")
    return Security._of_file(content) if content else None


def say_address(address: str) -> None:
    """Tell whoever started this program where it listens."""
    print(json.dumps({"address": address}), flush=True)


def told_to_end() -> asyncio.Future[int]:
    """A future that gets the number of the first signal that tells this program to end."""
    loop = asyncio.get_running_loop()
    told = loop.create_future()

    def end(number: int) -> None:
        logger.info("Received signal %s", signal.Signals(number).name)
        if not told.done():
            told.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    return told


async def started(starting: list[Any], told: asyncio.Future[int], pid_path: str | None) -> None:
    """Wait until all have started; where a signal comes first, the program ends.

    A thread may be waiting for a scheduler that never comes, and is not waited for. What has nearly
    started can end in order.
    """
    together = asyncio.gather(*starting)
    await asyncio.wait({together, told}, return_when=asyncio.FIRST_COMPLETED)
    if not together.done():
        await asyncio.wait({together}, timeout=_NEARLY)
    if not together.done():
        if pid_path:
            with contextlib.suppress(OSError):
                os.unlink(pid_path)
        logging.shutdown()
        os._exit(128 + told.result())
    await together


async def until_told(ended: list[Any], stdin: bool, told: asyncio.Future[int]) -> None:
    """Wait for a signal, for the end of standard input, or for one of the awaitables."""
    loop = asyncio.get_running_loop()
    if stdin:
        import threading

        def end() -> None:
            if not told.done():
                told.set_result(0)

        def read() -> None:
            while sys.stdin.read(4096):
                pass
            loop.call_soon_threadsafe(end)

        threading.Thread(target=read, daemon=True).start()
    waiting = {told, *(asyncio.ensure_future(one) for one in ended)}
    _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for one in pending:
        one.cancel()


@contextlib.contextmanager
def pid_file(path: str | None) -> Iterator[None]:
    """Write this process's id to a file while it runs."""
    if not path:
        yield
        return
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def log_to_stderr() -> None:
    """Show what the package logs."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s"
    )


def fail(message: str) -> None:
    """End the program with a message."""
    click.echo(click.style(message, fg="red"), err=True)
    sys.exit(1)
