"""``samite scheduler``: a scheduler for others to connect to."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import click

import samite
from samite.distributed.cli import _shared

logger = logging.getLogger("samite.distributed.scheduler")


@click.command(name="scheduler", context_settings={"ignore_unknown_options": True})
@click.version_option(samite.__version__)
@click.option("--host", default=None, help="The address or name to listen at; by default all.")
@click.option(
    "--port",
    default=None,
    help="The port to listen at (default: 8786), or a range such as 9000:9010 to take one of.",
)
@click.option("--interface", default=None, help="A network interface to listen at, such as eth0.")
@click.option("--protocol", default=None, help="tcp, tls or unix.")
@_shared.security_options
@click.option(
    "--open", "open_to_all", is_flag=True, help="Let everybody connect who reaches the port."
)
@click.option(
    "--dashboard-address",
    default="127.0.0.1:8787",
    show_default=True,
    help="Where to show what happens.",
)
@click.option("--dashboard/--no-dashboard", default=True, help="Whether to show what happens.")
@click.option("--show/--no-show", default=False, hidden=True)
@click.option("--jupyter/--no-jupyter", default=False, hidden=True)
@click.option("--pid-file", default="", help="A file to write the process's id to.")
@click.option("--scheduler-file", default="", help="A file to write for workers and clients.")
@click.option(
    "--journal",
    default=None,
    help="The folder where to write down what it takes to go on after a crash; by default "
    "samite/journal-PORT in the user's folder for state (~/.local/state).",
)
@click.option("--no-journal", is_flag=True, help="Write nothing down: a crash loses all work.")
@click.option("--preload", multiple=True, help="A module or script to run at the start.")
@click.option("--idle-timeout", default=None, help="Time without work after which to end.")
@click.option("--on-stdin", is_flag=True, hidden=True)
@click.argument("preload_argv", nargs=-1, type=click.UNPROCESSED)
def main(
    host: str | None,
    port: Any,
    interface: str | None,
    protocol: str | None,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    token_file: str | None,
    open_to_all: bool,
    dashboard_address: str,
    dashboard: bool,
    show: bool,
    jupyter: bool,
    pid_file: str,
    scheduler_file: str,
    journal: str | None,
    no_journal: bool,
    preload: Any,
    idle_timeout: str | None,
    on_stdin: bool,
    preload_argv: Any,
) -> None:
    """Run a scheduler, to which `samite worker` and clients connect.

    Only members of the cluster may connect: those who know its token, which is in a file that only
    you can read, or who have its certificates.
    """
    from samite.distributed.scheduler import Scheduler

    _shared.log_to_stderr()
    security: Any
    if on_stdin:
        security = _shared.security_of_stdin()
    elif open_to_all:
        security = False
    else:
        security = _shared.security_of_options(
            "scheduler", tls_ca_file, tls_cert, tls_key, token_file, create=True
        )
    if port is None:
        port = 0 if on_stdin else 8786
    elif port.isdigit():
        port = int(port)

    if journal is not None and no_journal:
        _shared.fail("Give either --journal or --no-journal")
    if journal is None and not no_journal and isinstance(port, int) and port != 0:
        journal = default_journal(port)

    async def run() -> None:
        scheduler = Scheduler(
            host=host if host or interface else "0.0.0.0",
            port=port,
            interface=interface,
            protocol=protocol,
            security=security,
            dashboard_address=dashboard_address if dashboard else None,
            dashboard=dashboard,
            scheduler_file=scheduler_file or None,
            journal=journal,
            preload=list(preload) or None,
            preload_argv=preload_argv,
            idle_timeout=idle_timeout,
        )
        told = _shared.told_to_end()
        await _shared.started([scheduler.start()], told, pid_file)
        async with scheduler:
            if scheduler.journal is None:
                # The next scheduler would wait for the client that carries them out.
                await scheduler.serve_calls()
            if on_stdin:
                _shared.say_address(scheduler.address)
            logger.info("  Scheduler at: %s", scheduler.address)
            await _shared.until_told([scheduler.finished()], on_stdin, told)
            logger.info("End scheduler")

    with _shared.pid_file(pid_file):
        try:
            asyncio.run(run())
        except (OSError, ValueError) as error:
            _shared.fail(f"The scheduler could not be started: {error}")


def default_journal(port: int) -> str:
    """The folder of the journal of this user's scheduler at a port of this machine."""
    import os

    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "samite", f"journal-{port}")


if __name__ == "__main__":
    main()
