"""A cluster on this machine."""

from __future__ import annotations

import math
from typing import Any

from samite.distributed.deploy.spec import SpecCluster
from samite.distributed.nanny import Nanny
from samite.distributed.scheduler import Scheduler
from samite.distributed.security import as_security
from samite.distributed.worker import Worker, parse_memory_limit

__all__ = ["LocalCluster"]


class LocalCluster(SpecCluster):
    """A scheduler and workers on this machine.

    Nobody else can connect: workers in this process have no socket, and those in processes of
    their own show a token that is made now.

    Parameters
    ----------
    n_workers:
        How many workers; by default some, by the number of processors.
    threads_per_worker:
        How many tasks each runs at a time.
    processes:
        Whether workers have processes of their own, or are threads of this one. By default they
        have, unless ``worker_class`` or ``protocol="inproc"`` say otherwise.
    memory_limit:
        Of each worker: bytes, text such as ``"2 GiB"``, a share below 1 of the machine's,
        ``"auto"``, or 0 for no limit.
    host, scheduler_port, protocol, interface:
        Where the scheduler listens.
    dashboard_address:
        Where the scheduler shows what it does, such as ``":8787"``.
    asynchronous:
        Whether methods that wait are to be awaited.
    security:
        A :class:`Security`; True makes temporary certificates.
    worker_class:
        :class:`Worker` or :class:`Nanny`, or another class with their arguments.
    **worker_kwargs:
        For the workers: ``resources``, ``local_directory``, ``env``, ``preload``, ...

    Raises
    ------
    ValueError
        If an argument contradicts another.
    """

    def __init__(
        self,
        name: str | None = None,
        n_workers: int | None = None,
        threads_per_worker: int | None = None,
        processes: bool | None = None,
        loop: Any = None,
        start: Any = None,
        host: str | None = None,
        ip: Any = None,
        scheduler_port: Any = 0,
        silence_logs: Any = None,
        dashboard_address: Any = None,
        worker_dashboard_address: Any = None,
        services: Any = None,
        worker_services: Any = None,
        service_kwargs: Any = None,
        asynchronous: bool = False,
        security: Any = None,
        protocol: str | None = None,
        blocked_handlers: Any = None,
        interface: str | None = None,
        worker_class: Any = None,
        scheduler_kwargs: dict[str, Any] | None = None,
        scheduler_sync_interval: float = 1,
        **worker_kwargs: Any,
    ) -> None:
        if ip is not None:
            host = ip
        for what, value in (("n_workers", n_workers), ("threads_per_worker", threads_per_worker)):
            if value is not None and (not isinstance(value, int) or value < 0):
                raise ValueError(f"LocalCluster: {what} is a number from zero up, not {value!r}")
        if threads_per_worker == 0:
            threads_per_worker = None
        if security is not None and security is not False:
            security = as_security(security)
        if processes is None:
            processes = worker_class is None or _is_nanny(worker_class)
            if protocol is not None and protocol.startswith("inproc"):
                processes = False
        if worker_class is None:
            worker_class = Nanny if processes else Worker
        if protocol is None:
            if host is not None and "://" in host:
                protocol = host.partition("://")[0]
            elif security is not None and getattr(security, "require_encryption", False):
                protocol = "tls"
            elif not processes and not scheduler_port and host is None and interface is None:
                protocol = "inproc"
            else:
                protocol = "tcp"
        protocol = protocol.removesuffix("://")
        n_workers, threads = shape_of(n_workers, threads_per_worker, processes)
        worker_kwargs.pop("ncores", None)
        worker_kwargs.pop("quiet", None)
        # The workers share the machine, however many they are.
        memory_limit = parse_memory_limit(
            worker_kwargs.pop("memory_limit", "auto"), threads, threads * n_workers
        )
        worker = {
            "cls": worker_class,
            "options": {
                "nthreads": threads,
                "memory_limit": memory_limit,
                "interface": interface,
                "protocol": protocol,
                "host": host if protocol != "inproc" else None,
                "security": security,
                **worker_kwargs,
            },
        }
        scheduler = {
            "cls": Scheduler,
            "options": {
                "host": host,
                "port": scheduler_port,
                "protocol": protocol,
                "interface": interface,
                "security": security,
                "dashboard_address": dashboard_address,
                **(scheduler_kwargs or {}),
            },
        }
        self.processes = processes
        super().__init__(
            name=name,
            scheduler=scheduler,
            workers=dict.fromkeys(range(n_workers), worker),
            worker=worker,
            asynchronous=asynchronous,
            security=security if security is not False else None,
            silence_logs=silence_logs,
            scheduler_sync_interval=scheduler_sync_interval,
        )

    def start_worker(self, *args: Any, **kwargs: Any) -> None:
        """Gone; see :meth:`scale`."""
        raise NotImplementedError("start_worker is gone: use cluster.scale(n) for more workers")


def _is_nanny(worker_class: Any) -> bool:
    if isinstance(worker_class, str):
        return worker_class.endswith("Nanny")
    return isinstance(worker_class, type) and issubclass(worker_class, Nanny)


def shape_of(n_workers: int | None, threads: int | None, processes: bool) -> tuple[int, int]:
    """The number of workers, and of threads of each."""
    from samite.system import CPU_COUNT

    if n_workers is None and threads is None:
        return nprocesses_nthreads(CPU_COUNT) if processes else (1, CPU_COUNT)
    if n_workers is None:
        assert threads is not None
        return max(1, CPU_COUNT // threads), threads
    if threads is None:
        return n_workers, max(1, CPU_COUNT // n_workers) if n_workers else CPU_COUNT
    return n_workers, threads


def nprocesses_nthreads(n: int | None = None) -> tuple[int, int]:
    """A number of processes, and of threads of each, for so many processors; by default this
    machine's.

    >>> nprocesses_nthreads(4), nprocesses_nthreads(32)
    ((4, 1), (8, 4))
    """
    if n is None:
        from samite.system import CPU_COUNT

        n = CPU_COUNT
    if n <= 4:
        processes = n
    else:
        processes = min(
            number for number in range(1, n + 1) if n % number == 0 and number >= math.sqrt(n)
        )
    return max(1, processes), max(1, n // max(1, processes))
