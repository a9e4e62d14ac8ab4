"""``samite spec``: a scheduler or workers of any class, as JSON or YAML says."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import click

import samite
from samite.distributed.cli import _shared

logger = logging.getLogger("samite.distributed.spec")


@click.command(name="spec", context_settings={"ignore_unknown_options": True})
@click.version_option(samite.__version__)
@click.argument("args", nargs=-1)
@click.option("--spec", default="", help='JSON such as \'{"cls": MODULE.CLASS, "opts": {...}}\'.')
@click.option("--spec-file", default=None, help="A file with the same, as YAML.")
@_shared.security_options
@click.option("--open", "open_to_all", is_flag=True, help="The cluster is open: use no token.")
def main(
    args: tuple[str, ...],
    spec: str,
    spec_file: str | None,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    token_file: str | None,
    open_to_all: bool,
) -> None:
    """Run what a specification says, with ARGS as the first arguments of each.

    A specification has a class and its options, or is a mapping of names to such. Workers are
    given the scheduler's address as an argument, or as the option scheduler_ip.
    """
    if bool(spec) == bool(spec_file):
        click.echo("Must specify exactly one of --spec and --spec-file")
        raise SystemExit(1)
    try:
        given = json.loads(spec) if spec else _of_file(spec_file)
        named = given if isinstance(given, dict) and "cls" not in given else {"spec": given}
        _check(named)
    except (OSError, ValueError) as error:
        _shared.fail(f"The specification cannot be used: {error}")
    _shared.log_to_stderr()
    for entry in named.values():
        scheduler = str(entry["cls"]).endswith("Scheduler")
        role = "scheduler" if scheduler else "worker"
        options = entry.setdefault("opts", {})
        if scheduler:
            options.setdefault("host", "0.0.0.0")
        if "security" not in options:
            options["security"] = (
                False
                if open_to_all
                else _shared.security_of_options(
                    role, tls_ca_file, tls_cert, tls_key, token_file, create=scheduler
                )
            )

    async def run() -> None:
        from samite.distributed.deploy.spec import made_of_spec

        told = _shared.told_to_end()
        servers = list(made_of_spec(named, *args).values())
        await _shared.started([server.start() for server in servers], told, None)
        for server in servers:
            logger.info("  %s at: %s", type(server).__name__, server.address)
        await _shared.until_told([_all_finished(servers)], False, told)
        await asyncio.gather(*(server.close() for server in servers))
        logger.info("End")

    try:
        asyncio.run(run())
    except (OSError, ValueError, TypeError, RuntimeError, ImportError, AttributeError) as error:
        _shared.fail(f"The specification could not be started: {error}")


def _of_file(path: Any) -> Any:
    import yaml

    try:
        with open(path) as file:
            return yaml.safe_load(file)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _check(named: dict[str, Any]) -> None:
    """Raises ValueError if something is not of the form of a specification."""
    if not named:
        raise ValueError("it is empty")
    for name, entry in named.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("cls"), str):
            raise ValueError(f"{name!r} is no mapping with a class as 'cls', but {entry!r}")
        if not isinstance(entry.get("opts", {}), dict):
            raise ValueError(f"'opts' of {name!r} is no mapping, but {entry['opts']!r}")
        unknown = sorted(set(entry) - {"cls", "opts"})
        if unknown:
            raise ValueError(f"{name!r} has {unknown[0]!r}; there are 'cls' and 'opts'")


async def _all_finished(servers: list[Any]) -> None:
    from samite.distributed.cli.worker import _ended
    from samite.distributed.worker import Worker

    for server in servers:
        await (_ended(server) if isinstance(server, Worker) else server.finished())


if __name__ == "__main__":
    main()
