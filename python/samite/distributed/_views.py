"""What clients show of the scheduler and of results, as objects, text and HTML."""

from __future__ import annotations

from collections.abc import Generator
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samite.distributed.client import Client


class SchedulerOfClient:
    """The scheduler, as far as a client knows it.

    It has the operations that Dask's schedulers answer, such as ``who_has``, ``retire_workers`` or
    ``check_idle``: they take keywords and are awaited, in an event loop or in a function that
    :meth:`Client.sync` runs.

    Attributes
    ----------
    address:
        Where the client is connected to.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.address = client.scheduler_address

    def identity(self, n_workers: int = -1) -> Any:
        """What :meth:`Client.scheduler_info` tells: there at once, and may be awaited as well."""
        found = self._client.scheduler_info(n_workers)
        return found if isinstance(found, Info) else Info(found)

    def __getattr__(self, name: str) -> Any:
        # Operations of the scheduler, to be called with keywords and awaited.
        if name.startswith("_"):
            raise AttributeError(name)
        from samite.distributed._rpc import SCHEDULER, operation

        return operation(SCHEDULER, name, self._client, f"the scheduler {self.address}")

    def __dir__(self) -> list[str]:
        from samite.distributed._rpc import SCHEDULER

        return sorted({*super().__dir__(), *SCHEDULER})

    def __repr__(self) -> str:
        return f"<Scheduler {self.address!r}>"


class Info(dict[str, Any]):
    """What is known already, for those who await it too."""

    def __await__(self) -> Generator[Any, None, Info]:
        return self
        yield


class HeldResult:
    """A result that futures of a client hold."""

    __slots__ = ("_engine", "key")

    def __init__(self, engine: Any, key: str) -> None:
        self._engine = engine
        self.key = key

    @property
    def status(self) -> str:
        """As :attr:`Future.status`."""
        return self._engine.status(self.key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r}: {self.status}>"


def totals(client: Any) -> tuple[int, int, str] | None:
    """The numbers of workers and threads, and all memory as text; None without an answer."""
    try:
        info = client._engine.request("scheduler_info", {}, 5.0)
    except (OSError, TimeoutError, RuntimeError):
        return None
    workers = info.get("workers", {})
    limits = [worker.get("memory_limit") for worker in workers.values()]
    memory = ""
    if limits and all(limits):
        from samite.utils import format_bytes

        memory = format_bytes(sum(limits))
    return len(workers), sum(worker.get("nthreads", 0) for worker in workers.values()), memory


def client_as_html(client: Client) -> str:
    """A table for notebooks."""
    rows = [f"<tr><td>{escape(type(client).__name__)}</td><td>{escape(str(client.id))}</td></tr>"]
    if client._engine is None:
        rows.append("<tr><td><em>No scheduler connected.</em></td></tr>")
        return f"<div><table>{''.join(rows)}</table></div>"
    cells = [("Scheduler", client.scheduler_address)]
    link = client.dashboard_link
    found = totals(client)
    if found is not None:
        workers, threads, memory = found
        cells += [("Workers", str(workers)), ("Total threads", str(threads))]
        cells += [("Total memory", memory)] if memory else []
    rows += [
        f"<tr><td><strong>{name}: </strong> {escape(value)}</td></tr>" for name, value in cells
    ]
    if link:
        shown = escape(link, quote=True)
        rows.append(f'<tr><td><strong>Dashboard: </strong> <a href="{shown}">{shown}</a></td></tr>')
    return f"<div><table>{''.join(rows)}</table></div>"
