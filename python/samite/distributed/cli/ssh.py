"""``samite ssh``: a cluster on machines that are reached by ssh."""

from __future__ import annotations

import asyncio
from typing import Any

import click

import samite
from samite.distributed.cli import _shared


@click.command(name="ssh")
@click.version_option(samite.__version__)
@click.option("--scheduler", default=None, help="The scheduler's host; by default the first one.")
@click.option("--nthreads", default=0, type=int, help="Tasks at a time, of each worker.")
@click.option("--nworkers", default=1, type=int, show_default=True, help="Workers of each host.")
@click.option("--hostfile", default=None, type=click.File("r"), help="A file with a host a line.")
@click.option("--ssh-username", default=None, help="The user's name there.")
@click.option("--ssh-port", default=None, type=int, help="The port of ssh.")
@click.option("--ssh-private-key", default=None, help="A file with a private key.")
@click.option("--ssh-option", multiple=True, help="An option of ssh, as after its -o; repeatable.")
@click.option("--memory-limit", default="auto", show_default=True, help="As of samite worker.")
@click.option("--remote-python", default="python3", show_default=True, help="The Python there.")
@click.option("--local-directory", default=None, help="As of samite worker.")
@click.argument("hostnames", nargs=-1, type=str)
def main(
    scheduler: str | None,
    nthreads: int,
    nworkers: int,
    hostfile: Any,
    ssh_username: str | None,
    ssh_port: int | None,
    ssh_private_key: str | None,
    ssh_option: tuple[str, ...],
    memory_limit: str,
    remote_python: str,
    local_directory: str | None,
    hostnames: tuple[str, ...],
) -> None:
    """Run a cluster on HOSTNAMES until Ctrl-C."""
    from samite.distributed.deploy.ssh import SSHCluster

    hosts = list(hostnames)
    if hostfile:
        hosts += [line.strip() for line in hostfile if line.strip()]
    if not hosts:
        _shared.fail("Give the names of hosts, or --hostfile")
    _shared.log_to_stderr()

    async def run() -> None:
        cluster = SSHCluster(
            [scheduler or hosts[0], *hosts],
            connect_options={
                "username": ssh_username,
                "port": ssh_port,
                "client_keys": ssh_private_key,
                "options": ssh_option,
            },
            worker_options={
                "nthreads": nthreads or None,
                "n_workers": nworkers if nworkers != 1 else None,
                "memory_limit": memory_limit,
                "local_directory": local_directory,
            },
            remote_python=remote_python,
            asynchronous=True,
        )
        async with cluster:
            ending = asyncio.ensure_future(_shared.until_told([], False, _shared.told_to_end()))
            await asyncio.sleep(0)  # Whoever reads the next line may answer with Ctrl-C.
            click.echo(f"Scheduler at {cluster.scheduler_address}")
            await ending

    try:
        asyncio.run(run())
    except (OSError, RuntimeError, ValueError) as error:
        _shared.fail(f"The cluster could not be started: {error}")


if __name__ == "__main__":
    main()
