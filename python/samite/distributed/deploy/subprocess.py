"""A cluster on this machine whose scheduler has a process of its own, too."""

from __future__ import annotations

import sys
from typing import Any

from samite.distributed.deploy.spec import SpecCluster
from samite.distributed.deploy.ssh import Program, scheduler_arguments, worker_arguments
from samite.distributed.security import Security, as_security

__all__ = ["SubprocessCluster"]


class SubprocessScheduler(Program):
    """A scheduler in a process of its own.

    Parameters
    ----------
    security:
        Who may connect.
    scheduler_kwargs:
        Options of ``samite scheduler``, with underscores.
    """

    def __init__(self, security: Security, scheduler_kwargs: dict[str, Any]) -> None:
        command = [sys.executable, "-m", "samite", *scheduler_arguments(scheduler_kwargs)]
        super().__init__(scheduler_kwargs["host"], command, security, "scheduler")


class SubprocessWorker(Program):
    """A worker in a process of its own.

    Parameters
    ----------
    scheduler:
        The scheduler's address.
    security:
        As the scheduler's.
    worker_kwargs:
        Options of ``samite worker``, with underscores.
    """

    def __init__(
        self,
        scheduler: str,
        security: Security,
        worker_kwargs: dict[str, Any],
        name: Any = None,
    ) -> None:
        arguments = worker_arguments(scheduler, name, worker_kwargs)
        command = [sys.executable, "-m", "samite", *arguments]
        super().__init__(worker_kwargs.get("host", "127.0.0.1"), command, security, name)


def SubprocessCluster(
    host: str | None = None,
    scheduler_port: int = 0,
    scheduler_kwargs: dict[str, Any] | None = None,
    dashboard_address: str | None = ":8787",
    worker_class: str = "samite.distributed.Nanny",
    n_workers: int | None = None,
    threads_per_worker: int | None = None,
    worker_kwargs: dict[str, Any] | None = None,
    silence_logs: Any = None,
    security: Any = None,
    **kwargs: Any,
) -> SpecCluster:
    """A cluster on this machine whose scheduler and workers have processes of their own, so that
    nothing of it shares this one's interpreter.

    Parameters
    ----------
    host:
        Where the scheduler listens; by default on this machine alone.
    scheduler_port:
        By default a free one.
    scheduler_kwargs, worker_kwargs:
        Options of ``samite scheduler`` and ``samite worker``, with underscores.
    dashboard_address:
        Where the live page is; None for none.
    worker_class:
        ``"samite.distributed.Nanny"`` or ``"samite.distributed.Worker"``.
    n_workers, threads_per_worker:
        By default as :class:`LocalCluster` has them.
    security:
        By default a token that is made now.
    **kwargs:
        As of :class:`SpecCluster`.

    Raises
    ------
    ValueError
        If ``worker_class`` is another one.
    """
    from samite.distributed.deploy.local import shape_of

    kind = worker_class.rpartition(".")[2]
    if kind not in ("Nanny", "Worker"):
        raise ValueError(
            f"SubprocessCluster: worker_class is 'samite.distributed.Nanny' or "
            f"'samite.distributed.Worker', not {worker_class!r}"
        )
    host = host or "127.0.0.1"
    given = dict(worker_kwargs or {})
    n_workers, threads = shape_of(n_workers, threads_per_worker, processes=True)
    given.setdefault("nthreads", threads)
    given.setdefault("host", host)
    given.setdefault("nanny", kind == "Nanny")
    security = as_security(security) or Security._with_token()
    pages: dict[str, Any] = {"dashboard": False}
    if dashboard_address is not None:
        pages = {"dashboard_address": dashboard_address}
    scheduler = {
        "cls": SubprocessScheduler,
        "options": {
            "security": security,
            "scheduler_kwargs": {
                "host": host,
                "port": scheduler_port,
                **pages,
                **(scheduler_kwargs or {}),
            },
        },
    }
    worker = {
        "cls": SubprocessWorker,
        "options": {"security": security, "worker_kwargs": given},
    }
    kwargs.setdefault("name", "SubprocessCluster")
    return SpecCluster(
        workers=dict.fromkeys(range(n_workers), worker),
        scheduler=scheduler,
        worker=worker,
        security=security,
        **kwargs,
    )
