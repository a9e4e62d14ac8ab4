"""``samite worker``: workers of a cluster, on this machine."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import click

import samite
from samite.distributed.cli import _shared

logger = logging.getLogger("samite.distributed.worker")


@click.command(name="worker", context_settings={"ignore_unknown_options": True})
@click.version_option(samite.__version__)
@click.argument("scheduler", type=str, required=False)
@_shared.security_options
@click.option(
    "--worker-port",
    default=None,
    help="The port to listen at, or a range such as 9000:9010 to take one of; by default a free "
    "one.",
)
@click.option("--nanny-port", default=None, hidden=True)
@click.option("--dashboard-address", default=None, hidden=True)
@click.option("--dashboard/--no-dashboard", default=False, hidden=True)
@click.option("--dashboard-prefix", default="", hidden=True)
@click.option("--listen-address", default=None, help="The address to listen at.")
@click.option("--contact-address", default=None, help="The address that others use.")
@click.option("--host", default=None, help="The host to listen at.")
@click.option("--interface", default=None, help="A network interface to listen at, such as eth0.")
@click.option("--protocol", default=None, help="tcp, tls or unix; by default the scheduler's.")
@click.option("--nthreads", type=int, default=None, help="Tasks at a time, of each worker.")
@click.option(
    "--nworkers",
    "--nprocs",
    "n_workers",
    default=None,
    help="How many workers to start; 'auto' for some, by the number of processors.",
)
@click.option("--name", default=None, help="How the cluster calls the worker.")
@click.option(
    "--memory-limit",
    default="auto",
    show_default=True,
    help="Of each worker: bytes, text such as '4 GiB', a share of the machine's below 1, 'auto', "
    "or 0 for none.",
)
@click.option("--nanny/--no-nanny", default=True, help="Whether workers that die are replaced.")
@click.option("--pid-file", default="", help="A file to write the process's id to.")
@click.option("--local-directory", default=None, help="For results that do not fit in memory.")
@click.option("--resources", default="", help="What tasks may ask for, such as 'GPU=2 MEM=10e9'.")
@click.option("--scheduler-file", default="", help="A file that the scheduler wrote.")
@click.option("--death-timeout", default=None, help="Time to wait for a scheduler.")
@click.option("--lifetime", default=None, help="Time after which workers end.")
@click.option("--lifetime-stagger", default=None, help="A random part of the lifetime.")
@click.option(
    "--lifetime-restart/--no-lifetime-restart", default=None, help="Whether they start again."
)
@click.option("--worker-class", default=None, help="A class of workers, as module.Class.")
@click.option("--preload", multiple=True, help="A module or script to run at the start.")
@click.option("--preload-nanny", multiple=True, help="A module or script for the nanny to run.")
@click.option(
    "--open", "open_to_all", is_flag=True, help="The cluster is open on purpose: use no token."
)
@click.option("--scheduler-sni", default=None, hidden=True)
@click.option("--on-stdin", is_flag=True, hidden=True)
@click.argument("preload_argv", nargs=-1, type=click.UNPROCESSED)
def main(
    scheduler: str | None,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    token_file: str | None,
    worker_port: Any,
    listen_address: str | None,
    host: str | None,
    interface: str | None,
    protocol: str | None,
    nthreads: int | None,
    n_workers: str | None,
    name: str | None,
    memory_limit: str,
    nanny: bool,
    pid_file: str,
    local_directory: str | None,
    resources: str,
    scheduler_file: str,
    death_timeout: str | None,
    lifetime: str | None,
    lifetime_stagger: str | None,
    lifetime_restart: bool | None,
    preload: Any,
    preload_argv: Any,
    preload_nanny: Any,
    worker_class: str | None,
    open_to_all: bool,
    on_stdin: bool,
    **ignored: Any,
) -> None:
    """Run workers of the cluster at SCHEDULER, such as tcp://host:8786."""
    _shared.log_to_stderr()
    if not scheduler and not scheduler_file:
        from samite import config

        scheduler = config.get("scheduler-address", None)
        if not scheduler:
            _shared.fail(
                "Need to provide scheduler address like\nsamite worker SCHEDULER_ADDRESS:8786"
            )
    count, threads = shape(n_workers, nthreads, nanny)
    if name and count > 1:
        names: list[Any] = [f"{name}-{number}" for number in range(count)]
    else:
        names = [name] * count
    if not nanny and count > 1:
        _shared.fail(
            "Failed to launch workers: several of them need processes of their own, so that "
            "--no-nanny cannot be given with --nworkers"
        )
    security: Any
    if on_stdin:
        security = _shared.security_of_stdin()
    elif open_to_all:
        security = False
    elif scheduler_file and not any((tls_ca_file, tls_cert, tls_key, token_file)):
        # The file says it; the user's own token may be another cluster's.
        security = None
    else:
        security = _shared.security_of_options(
            "worker", tls_ca_file, tls_cert, tls_key, token_file, create=False
        )
    try:
        amounts = parse_resources(resources)
    except ValueError as error:
        _shared.fail(str(error))
    if listen_address and "://" in listen_address:
        protocol, _, host = listen_address.partition("://")
    options: dict[str, Any] = {
        "nthreads": threads,
        "memory_limit": memory_limit,
        "resources": amounts,
        "local_directory": local_directory,
        "host": host,
        "interface": interface,
        "protocol": protocol,
        "death_timeout": death_timeout,
        "preload": list(preload) or None,
        "preload_argv": preload_argv,
        **({"preload_nanny": list(preload_nanny)} if nanny and preload_nanny else {}),
        "lifetime": lifetime,
        "lifetime_stagger": lifetime_stagger,
        "lifetime_restart": lifetime_restart,
        "security": security,
        ("worker_port" if nanny else "port"): worker_port,
        **({"scheduler_file": scheduler_file} if scheduler_file else {}),
    }

    async def run() -> None:
        from samite.distributed.nanny import Nanny
        from samite.distributed.worker import Worker

        own = chosen_class(worker_class)
        cls: Any = Nanny if nanny else (own or Worker)
        if nanny and own is not None:
            options["worker_class"] = worker_class
        while True:
            told = _shared.told_to_end()
            workers = [cls(scheduler, name=one, **options) for one in names]
            if not nanny:
                workers[0]._owns_process = True
            await _shared.started([worker.start() for worker in workers], told, pid_file)
            for worker in workers:
                logger.info("      Start worker at: %s", worker.address)
            if on_stdin:
                _shared.say_address(workers[0].address)
            await _shared.until_told([_all_ended(workers)], on_stdin, told)
            # A nanny starts its worker again by itself.
            alarm = None if nanny else workers[0]._alarm
            again = alarm is not None and alarm.is_over and alarm.again
            await asyncio.gather(*(worker.close() for worker in workers))
            if not again:
                logger.info("End worker")
                return

    with _shared.pid_file(pid_file):
        try:
            asyncio.run(run())
        except (OSError, ValueError, RuntimeError) as error:
            _shared.fail(f"The worker could not be started: {error}")


async def _all_ended(workers: list[Any]) -> None:
    for worker in workers:
        await _ended(worker)


async def _ended(worker: Any) -> None:
    """Wait until a worker has ended by itself."""
    engine = getattr(worker, "_engine", None)
    if engine is None:
        await worker.finished()
        return
    loop = asyncio.get_running_loop()
    while not await loop.run_in_executor(None, engine.wait, 0.5):
        pass


def chosen_class(name: str | None) -> Any:
    """The class of workers that an option names; None for the usual one, and for nannies."""
    from samite.distributed._worker_main import class_named
    from samite.distributed.nanny import Nanny
    from samite.distributed.worker import Worker

    try:
        found = class_named(name)
    except (ImportError, AttributeError) as error:
        _shared.fail(f"--worker-class {name} is not there: {error}")
    return None if found in (None, Nanny, Worker) else found


def shape(n_workers: str | None, nthreads: int | None, nanny: bool) -> tuple[int, int]:
    """The number of workers, and of threads of each.

    Raises
    ------
    SystemExit
        If the number is none.
    """
    from samite.distributed.deploy.local import nprocesses_nthreads
    from samite.system import CPU_COUNT

    if n_workers == "auto":
        if nthreads is not None:
            _shared.fail("With --nworkers auto, --nthreads cannot be given")
        return nprocesses_nthreads(CPU_COUNT)
    try:
        count = 1 if n_workers is None else int(n_workers)
    except ValueError:
        _shared.fail(f"--nworkers is a number or 'auto', not {n_workers!r}")
        raise
    if count < 0:
        # As with Dask, a negative number counts from the number of processors.
        count = CPU_COUNT + 1 + count
    if count <= 0:
        _shared.fail(f"Failed to launch workers: --nworkers {n_workers} is none")
    return count, nthreads or max(1, CPU_COUNT // count)


def parse_resources(text: str) -> dict[str, float]:
    """Amounts, from text such as ``"GPU=2 MEM=10e9"``, with spaces or commas.

    Raises
    ------
    ValueError
        If a part is no amount.

    >>> parse_resources("GPU=2,MEM=1e9")
    {'GPU': 2.0, 'MEM': 1000000000.0}
    """
    found = {}
    for part in text.replace(",", " ").split():
        name, equals, amount = part.partition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            raise ValueError(f"--resources: {part!r} is no amount; write 'NAME=NUMBER'") from None
        if not name or not equals:
            raise ValueError(f"--resources: {part!r} is no amount; write 'NAME=NUMBER'")
    return found


if __name__ == "__main__":
    main()
