"""A cluster on machines that are reached by ssh."""

from __future__ import annotations

import asyncio
import json
import shlex
from typing import Any

from samite.distributed.core import Status
from samite.distributed.deploy.spec import ProcessInterface, SpecCluster
from samite.distributed.security import Security, as_security

__all__ = ["SSHCluster"]


class Program(ProcessInterface):
    """A program of Samite in another process, here or at the other end of an ssh session.

    Secrets are written to the program's standard input. It ends when that is closed.
    """

    def __init__(self, host: str, command: list[str], security: Security | None, name: Any) -> None:
        super().__init__(name=name)
        self.host = host
        self.security = security
        self._command = command
        self._process: Any = None
        self._watcher: Any = None

    async def start(self) -> None:
        """Start the program, and wait for its address."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        secrets = None if self.security is None else self.security._to_file()
        self._process.stdin.write(json.dumps({"security": secrets}).encode() + b"\n")
        await self._process.stdin.drain()
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        except asyncio.TimeoutError:
            await self._end()
            raise TimeoutError(f"nothing came from {self.host} within 60 seconds") from None
        try:
            self.address = json.loads(line)["address"]
        except (ValueError, KeyError, TypeError):
            said = await self._process.stderr.read()
            await self._end()
            raise RuntimeError(
                f"starting {' '.join(self._command)} failed: "
                f"{(line + said).decode(errors='replace').strip()}"
            ) from None
        self.status = Status.running
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        """What it logs is read, since a full pipe would hold it up."""

        async def drained(stream: Any) -> None:
            while await stream.read(65536):
                pass

        await asyncio.gather(drained(self._process.stdout), drained(self._process.stderr))
        await self._process.wait()
        self.status = Status.closed
        self._event_finished.set()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()

    async def close(self, *args: Any, **kwargs: Any) -> None:
        """End the program."""
        await self._end()
        if self._watcher is not None:
            await asyncio.wait([self._watcher], timeout=5)
        await super().close()


class _RemoteScheduler(Program):
    def __init__(
        self,
        host: str,
        security: Security,
        connect_options: dict[str, Any],
        remote_python: str,
        kwargs: dict[str, Any],
    ) -> None:
        arguments = scheduler_arguments({"host": host, "port": 0, "dashboard": False, **kwargs})
        command = _command(host, arguments, connect_options, remote_python)
        super().__init__(host, command, security, "scheduler")


class _RemoteWorker(Program):
    def __init__(
        self,
        scheduler: str,
        host: str,
        security: Security,
        connect_options: dict[str, Any],
        remote_python: str,
        kwargs: dict[str, Any],
        name: Any = None,
    ) -> None:
        arguments = worker_arguments(scheduler, name, {"host": host, **kwargs})
        command = _command(host, arguments, connect_options, remote_python)
        super().__init__(host, command, security, name)


def scheduler_arguments(options: dict[str, Any]) -> list[str]:
    """What `samite` is called with for a scheduler that is told its secrets."""
    return ["scheduler", *_flags(options), "--on-stdin"]


def worker_arguments(scheduler: str, name: Any, options: dict[str, Any]) -> list[str]:
    """What `samite` is called with for a worker that is told its secrets."""
    options = dict(options)
    count = options.pop("n_workers", None)
    if count is not None:
        options["nworkers"] = count
    return ["worker", scheduler, "--name", str(name), *_flags(options), "--on-stdin"]


def _flags(options: dict[str, Any]) -> list[str]:
    """Options of the command line."""
    flags: list[str] = []
    for name, value in options.items():
        if value is None:
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            flags.append(flag if value else "--no-" + flag[2:])
        elif isinstance(value, dict):
            flags += [flag, " ".join(f"{key}={amount}" for key, amount in value.items())]
        else:
            flags += [flag, str(value)]
    return flags


def _command(
    host: str, arguments: list[str], connect_options: dict[str, Any], remote_python: str
) -> list[str]:
    """The command line that runs a program on a host.

    Raises
    ------
    ValueError
        If a host could be taken for an option of ssh.
    """
    if host.startswith("-"):
        raise ValueError(f"{host!r} is no name of a host")
    command = [connect_options.get("command", "ssh"), "-o", "BatchMode=yes"]
    if connect_options.get("port"):
        command += ["-p", str(connect_options["port"])]
    if connect_options.get("username"):
        command += ["-l", str(connect_options["username"])]
    if connect_options.get("client_keys"):
        command += ["-i", str(connect_options["client_keys"])]
    if connect_options.get("known_hosts", "") is None:
        command += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    for option in connect_options.get("options", ()):
        command += ["-o", str(option)]
    program = [remote_python, "-m", "samite", *arguments]
    return [*command, host, shlex.join(program)]


def SSHCluster(
    hosts: list[str] | None = None,
    connect_options: dict[str, Any] | list[dict[str, Any]] | None = None,
    worker_options: dict[str, Any] | None = None,
    scheduler_options: dict[str, Any] | None = None,
    worker_class: str = "samite.distributed.Nanny",
    remote_python: str | list[str] | None = None,
    security: Any = None,
    **kwargs: Any,
) -> SpecCluster:
    """A cluster on machines that are reached by ssh, without questions.

    Parameters
    ----------
    hosts:
        The first is the scheduler's machine, the others are the workers'.
    connect_options:
        ``username``, ``port``, ``client_keys`` (a file), ``known_hosts=None`` (ask nobody),
        ``options`` (for ``ssh -o``), ``command`` (in place of ``ssh``); or a list of such, one for
        each host.
    worker_options, scheduler_options:
        Options of ``samite worker`` and ``samite scheduler``, with underscores.
    remote_python:
        The Python there, or one for each host.
    security:
        By default a token that is made now.
    **kwargs:
        As of :class:`SpecCluster`.

    Raises
    ------
    ValueError
        If there are fewer than two hosts, or lists have another length.
    """
    if not hosts or len(hosts) < 2:
        raise ValueError(
            "SSHCluster takes at least two hosts: the first for the scheduler, the others for "
            "workers"
        )
    options, pythons = (
        _one_each(hosts, connect_options or {}, "connect_options"),
        _one_each(hosts, remote_python or "python3", "remote_python"),
    )
    security = as_security(security) or Security._with_token()
    scheduler = {
        "cls": _RemoteScheduler,
        "options": {
            "host": hosts[0],
            "security": security,
            "connect_options": options[0],
            "remote_python": pythons[0],
            "kwargs": dict(scheduler_options or {}),
        },
    }
    workers = {
        number: {
            "cls": _RemoteWorker,
            "options": {
                "host": host,
                "security": security,
                "connect_options": options[number + 1],
                "remote_python": pythons[number + 1],
                "kwargs": dict(worker_options or {}),
            },
        }
        for number, host in enumerate(hosts[1:])
    }
    kwargs.setdefault("name", "SSHCluster")
    return SpecCluster(workers, scheduler, security=security, **kwargs)


def _one_each(hosts: list[str], given: Any, what: str) -> list[Any]:
    if not isinstance(given, list):
        return [given] * len(hosts)
    if len(given) != len(hosts):
        raise RuntimeError(
            f"When specifying a list of {what} you must provide a value for each address."
        )
    return given
