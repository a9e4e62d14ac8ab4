"""What a client asks of the cluster itself: its workers, its state, running functions there."""

from __future__ import annotations

from typing import Any

from samite.distributed._addresses import dashboard_link
from samite.distributed._client_base import ClientBase
from samite.distributed._options import no_default, worker_list
from samite.distributed._steps import in_thread, run_blocking, sleep
from samite.distributed._views import HeldResult, Info, SchedulerOfClient
from samite.distributed.exceptions import WorkerStartTimeoutError
from samite.distributed.future import Future, key_text


class ClusterMixin(ClientBase):
    """The part of `Client` that talks to the cluster."""

    # ---- state ----------------------------------------------------------------------------------

    def scheduler_info(self, n_workers: int = -1, **kwargs: Any) -> Any:
        """The scheduler's address, and what is known about each worker.

        On an asynchronous client it is there at once, and may be awaited as well.

        Parameters
        ----------
        n_workers:
            About how many workers at most; -1 is all of them.
        """
        info = dict(self._connected().request("scheduler_info", {}, self._timeout))
        workers = dict(info.get("workers", {}))
        limits = [worker.get("memory_limit") or 0 for worker in workers.values()]
        info["n_workers"] = len(workers)
        info["total_threads"] = sum(worker.get("nthreads", 0) for worker in workers.values())
        info["total_memory"] = sum(limits)
        if n_workers >= 0:
            workers = dict(list(workers.items())[:n_workers])
        info["workers"] = workers
        asynchronous = kwargs.get("asynchronous")
        return Info(info) if asynchronous or self.asynchronous else info

    def nthreads(self, workers: Any = None, **kwargs: Any) -> Any:
        """The number of threads of each worker."""

        async def asked() -> dict[str, int]:
            chosen = worker_list(workers)
            found = await self._request("nthreads", {} if chosen is None else {"workers": chosen})
            return dict(found)

        return self._run(asked(), kwargs.get("asynchronous"))

    ncores = nthreads

    def processing(self, workers: Any = None) -> Any:
        """The keys of the tasks that each worker was given and has not finished."""

        async def asked() -> dict[str, tuple[str, ...]]:
            chosen = worker_list(workers)
            found = await self._request("processing", {} if chosen is None else {"workers": chosen})
            return {worker: tuple(keys) for worker, keys in found.items()}

        return self._run(asked())

    def call_stack(self, futures: Any = None, keys: Any = None) -> Any:
        """What running tasks are doing: by worker and key, lines of their tracebacks."""
        wanted = self._keys(keys if keys is not None else futures)

        async def asked() -> dict[str, Any]:
            from samite.distributed._calls import answer_of, request_bytes
            from samite.distributed.worker import stacks_of_tasks

            answers = await self._request(
                "run",
                {
                    "function": request_bytes(stacks_of_tasks, (wanted,), {}),
                    "wait": True,
                    "nanny": False,
                },
            )
            found = {}
            for address, (status, data) in answers.items():
                if status == "ok":
                    kind, stacks = answer_of(_unwrapped(data))
                    if kind == "ok" and stacks:
                        found[address] = stacks
            return found

        return self._run(asked())

    def story(self, *keys_or_stimuli: Any, on_error: str = "raise") -> Any:
        """What happened to tasks, in order."""
        keys = self._keys(list(keys_or_stimuli)) or []

        async def asked() -> list[Any]:
            return [tuple(entry) for entry in await self._request("story", {"keys": keys})]

        return self._run(asked())

    def dump_cluster_state(
        self,
        filename: str = "samite-cluster-dump",
        write_from_scheduler: bool | None = None,
        exclude: Any = (),
        format: str = "msgpack",
        **storage_options: Any,
    ) -> Any:
        """Write all that the scheduler knows to a file, for finding out what is wrong.

        Parameters
        ----------
        filename:
            Where to, without its suffix: a path, or a URL that `fsspec` knows.
        format:
            ``"msgpack"`` (compressed), ``"yaml"`` or ``"json"``.

        Raises
        ------
        ValueError
            For another format.
        """
        if format not in ("msgpack", "yaml", "json"):
            raise ValueError(
                f"Unsupported format {format}. Possible values are 'msgpack', 'yaml' or 'json'."
            )

        async def dumped() -> None:
            from samite.distributed.cluster_dump import write_dump

            state = await self._request("dump_state", {"exclude": list(exclude)})
            await in_thread(lambda: write_dump(filename, state, format, storage_options))

        return self._run(dumped())

    def get_versions(self, check: bool = False, packages: Any = None) -> Any:
        """The versions of Python and packages here, on the scheduler and on the workers.

        Parameters
        ----------
        check:
            Whether to raise where they differ.
        packages:
            More packages to look at.

        Raises
        ------
        ValueError
            If ``check`` and some differ.
        """
        from samite.distributed import versions

        async def asked() -> dict[str, Any]:
            here = versions.get_versions(packages=packages)
            answers = await self._run_there(
                versions.get_versions, (), {"packages": packages}, None, False, "return"
            )
            found = {"scheduler": here, "workers": answers, "client": here}
            on_scheduler = await self._request("versions", {})
            if isinstance(on_scheduler, dict) and on_scheduler:
                found["scheduler"] = on_scheduler
            if check:
                versions.check_versions(found)
            return found

        return self._run(asked())

    def get_scheduler_logs(self, n: int | None = None) -> Any:
        """The last lines that the scheduler logged: ``(level, text)``, newest first."""

        async def asked() -> tuple[Any, ...]:
            lines = await self._request("scheduler_logs", {} if n is None else {"n": n})
            return tuple((level, text) for level, text in lines)

        return self._run(asked())

    def get_worker_logs(
        self, n: int | None = None, workers: Any = None, nanny: bool = False
    ) -> Any:
        """The last lines that each worker logged: ``(level, text)``, newest first."""
        from samite.distributed.worker import recent_logs

        return self._run(
            self._run_there(recent_logs, (n,), {}, worker_list(workers), nanny, "raise")
        )

    @property
    def dashboard_link(self) -> str:
        """Where the scheduler shows what it does, for a browser; empty where it does not."""
        if self.cluster is not None:
            link = getattr(self.cluster, "dashboard_link", None)
            if link:
                return link
        try:
            info = self._connected().request("scheduler_info", {}, 5.0)
        except (OSError, TimeoutError):
            return ""
        port = info.get("services", {}).get("dashboard")
        if not port:
            return ""
        host = self.scheduler_address.rpartition("://")[2].rpartition(":")[0]
        if self.scheduler_address.startswith(("inproc://", "unix://")):
            host = "127.0.0.1"
        return dashboard_link(host, port)

    @property
    def scheduler(self) -> SchedulerOfClient:
        """The scheduler, as far as a client knows it."""
        return SchedulerOfClient(self)

    @property
    def futures(self) -> dict[str, HeldResult]:
        """What is known of each result that futures of this client hold, by key."""
        if self._engine is None:
            return {}
        engine = self._connected()
        return {key: HeldResult(engine, key) for key, _ in engine.held()}

    @property
    def refcount(self) -> dict[str, int]:
        """How many futures of this client hold each result, by key; zero for all others."""
        from collections import defaultdict

        return defaultdict(int, {} if self._engine is None else dict(self._connected().held()))

    def _type_of(self, future: Future[Any]) -> Any:
        """The type of a finished result, from a worker that has it; None where none tells."""
        key = key_text(future.key)
        engine = self._connected()
        try:
            holders = list(engine.request("who_has", {"keys": [key]}, 5.0).get(key, ()))
            if not holders:
                return None
            asked = self._run_there(_type_there, (key,), {}, holders[:1], False, "ignore")
            return next(iter(run_blocking(asked).values()), None)
        except (OSError, TimeoutError):
            return None

    def write_scheduler_file(self, scheduler_file: str) -> None:
        """Write a file by which other clients and workers find the scheduler. It holds the
        cluster's secrets, and only its owner can read it.

        Raises
        ------
        ValueError
            If this client was made from such a file.
        """
        if self.scheduler_file:
            raise ValueError("this client was made from a scheduler file already")
        from samite.distributed.scheduler import write_scheduler_file

        write_scheduler_file(scheduler_file, self.scheduler_address, self._security)
        self.scheduler_file = scheduler_file

    # ---- running functions ----------------------------------------------------------------------

    def run(
        self,
        function: Any,
        *args: Any,
        workers: Any = None,
        wait: bool = True,
        nanny: bool = False,
        on_error: str = "raise",
        **kwargs: Any,
    ) -> Any:
        """Call a function on all workers at once, beside their tasks.

        Parameters
        ----------
        function:
            Gets the worker where it has a parameter ``dask_worker``. May be ``async``.
        workers:
            On which; by default on all.
        wait:
            Whether to wait for results.
        nanny:
            Whether it runs in the processes that watch workers.
        on_error:
            ``"raise"``, ``"return"`` (exceptions are results) or ``"ignore"`` (no result).

        Returns
        -------
        Results by the workers' addresses; None without ``wait``.
        """
        return self._run(
            self._run_there(function, args, kwargs, worker_list(workers), nanny, on_error, wait)
        )

    async def _run_there(
        self,
        function: Any,
        args: Any,
        kwargs: Any,
        workers: list[str] | None,
        nanny: bool,
        on_error: str,
        wait: bool = True,
    ) -> Any:
        from samite.distributed._calls import answer_of, request_bytes
        from samite.distributed._nanny_calls import ask_nanny

        if on_error not in ("raise", "return", "ignore"):
            raise ValueError(f"on_error must be 'raise', 'return' or 'ignore'; got {on_error!r}")
        request = request_bytes(function, args, kwargs)
        if nanny:
            request = request_bytes(ask_nanny, (request,), {})
        arguments = {
            "function": request,
            "wait": bool(wait),
            **({} if workers is None else {"workers": workers}),
        }
        answers = await self._request("run", arguments)
        if not wait:
            return None
        results = {}
        for address, (status, data) in answers.items():
            if status == "ok":
                kind, value = answer_of(_unwrapped(data))
                if nanny and kind == "ok":
                    kind, value = _answer_of_nanny(address, value)
            else:
                kind, value = "error", OSError(f"the worker {address} did not answer: {data!r}")
            if kind == "ok" or on_error == "return":
                results[address] = value
            elif on_error == "raise":
                raise value
        return results

    def run_on_scheduler(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function where the scheduler runs, in the process that started it.

        The function gets the :class:`Scheduler` where it has a parameter ``dask_scheduler``: an
        object beside the scheduler, which is no Python program. Of schedulers in other processes
        those can do this that ``samite scheduler --no-journal``, :class:`SSHCluster` or
        :class:`SubprocessCluster` has started.

        Raises
        ------
        RuntimeError
            If there is no Python where the scheduler runs.
        """
        return self._run(self._run_on_scheduler(function, args, kwargs))

    async def _run_on_scheduler(self, function: Any, args: Any, kwargs: Any) -> Any:
        from samite.distributed._calls import answer_of, request_bytes
        from samite.distributed.scheduler import local_scheduler

        scheduler = local_scheduler(self.scheduler_address)
        if scheduler is not None:
            return await in_thread(lambda: call_with_scheduler(function, scheduler, args, kwargs))
        request = {"function": request_bytes(function, args, kwargs)}
        kind, value = answer_of(await self._request("run_on_host", request))
        if kind == "error":
            raise value
        return value

    def upload_file(self, filename: str, load: bool = True) -> Any:
        """Send a module (``.py``, ``.egg``, ``.zip``) to all workers, also those that come later.

        Parameters
        ----------
        filename:
            The file.
        load:
            Whether workers import it at once.
        """
        from samite.distributed.diagnostics.plugin import UploadFile

        plugin = UploadFile(filename, load)
        return self.register_plugin(plugin, name=f"upload-file-{plugin.filename}")

    # ---- workers --------------------------------------------------------------------------------

    def wait_for_workers(self, n_workers: int, timeout: Any = None) -> Any:
        """Wait until there are so many workers.

        Raises
        ------
        TimeoutError
            If it takes too long.
        ValueError
            If ``n_workers`` is no positive number.
        """
        if not isinstance(n_workers, int) or n_workers < 1:
            raise ValueError(f"`n_workers` must be a positive integer. Instead got {n_workers}.")
        return self._run(self._workers_there(n_workers, timeout))

    async def _workers_there(self, wanted: int, timeout: Any) -> None:
        import time

        seconds = self._seconds(timeout)
        deadline = None if seconds is None else time.monotonic() + seconds
        pause = 0.001
        while True:
            there = len(await self._request("nthreads", {}))
            if there >= wanted:
                return
            if deadline is not None and time.monotonic() > deadline:
                raise WorkerStartTimeoutError(there, wanted, timeout)
            await sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def restart(self, timeout: Any = no_default, wait_for_workers: bool = True) -> Any:
        """Forget all tasks and results, and restart the workers.

        Parameters
        ----------
        timeout:
            Seconds to wait for the workers.
        wait_for_workers:
            Whether to wait for them.

        Raises
        ------
        TimeoutError
            If they do not come back.
        """
        seconds = 30.0 if timeout is no_default else self._seconds(timeout)

        async def restarted() -> Any:
            there = list(await self._request("nthreads", {}))
            await self._request("restart", {}, seconds)
            again = await self._restarted_there(None)
            if wait_for_workers:
                await self._replaced(again, len(there), seconds)
            return self

        return self._run(restarted())

    async def _restarted_there(self, workers: list[str] | None) -> dict[str, bool]:
        """Let workers that are watched end and start again; which of them do."""
        from samite.distributed.worker import restart_this_worker

        return await self._run_there(restart_this_worker, (), {}, workers, False, "ignore")

    async def _replaced(self, again: dict[str, bool], wanted: int, seconds: float | None) -> None:
        """Wait until workers that end are gone, and as many are there as before."""
        import time

        leaving = {address for address, ends in again.items() if ends}
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            there = set(await self._request("nthreads", {}))
            if not leaving & there and len(there) >= wanted:
                return
            if deadline is not None and time.monotonic() > deadline:
                raise WorkerStartTimeoutError(len(there - leaving), wanted, seconds or 0.0)
            await sleep(0.02)

    def restart_workers(
        self, workers: Any, timeout: Any = no_default, raise_for_error: bool = True
    ) -> Any:
        """Restart some workers, whose results are computed again where they are wanted.

        Returns
        -------
        ``"OK"`` or what went wrong, by address.
        """
        seconds = 30.0 if timeout is no_default else self._seconds(timeout)

        async def restarted() -> dict[str, str]:
            there = list(await self._request("nthreads", {}))
            again = await self._restarted_there(worker_list(workers))
            answers = {
                address: "OK" if ends else "it has no nanny that would start it again"
                for address, ends in again.items()
            }
            failed = {address: said for address, said in answers.items() if said != "OK"}
            if failed and raise_for_error:
                raise ValueError(
                    f"restarting workers requires a nanny to be used; these have none: {failed}"
                )
            try:
                await self._replaced(again, len(there), seconds)
            except TimeoutError:
                if raise_for_error:
                    raise
                answers.update(dict.fromkeys((one for one in again if again[one]), "timed out"))
            return answers

        return self._run(restarted())

    def retire_workers(self, workers: Any = None, close_workers: bool = True, **kwargs: Any) -> Any:
        """Take workers out of the cluster after their results have been copied to others.

        Parameters
        ----------
        workers:
            Addresses or names; by default those that are needed least.
        close_workers:
            Whether they end.
        n:
            How many, where none are named.

        Returns
        -------
        What is known about those that were retired, by address.
        """
        arguments: dict[str, Any] = {"close_workers": bool(close_workers)}
        for name in ("n", "names"):
            if kwargs.get(name) is not None:
                value = kwargs[name]
                arguments[name] = value if name == "n" else [str(one) for one in value]
        if workers is not None:
            arguments["workers"] = worker_list(workers)

        retired = self._request("retire_workers", arguments)
        return self._run(retired, kwargs.get("asynchronous"))


def _answer_of_nanny(address: str, answer: bytes | None) -> tuple[str, Any]:
    from samite.distributed._calls import answer_of

    if answer is None:
        text = f"run: the worker {address} has no nanny; leave nanny=True out, or workers= it"
        return "error", RuntimeError(text)
    return answer_of(answer)


def _unwrapped(data: Any) -> Any:
    """The bytes that a worker's answer is a pickle of."""
    from samite.distributed._calls import load_bytes

    return load_bytes(data)


def call_with_scheduler(function: Any, scheduler: Any, args: Any, kwargs: Any) -> Any:
    """Call a function that may ask for the scheduler, and may be ``async``."""
    import inspect

    kwargs = dict(kwargs)
    try:
        parameters: Any = inspect.signature(function).parameters
    except (TypeError, ValueError):
        parameters = ()
    if "dask_scheduler" in parameters:
        kwargs["dask_scheduler"] = scheduler
    result = function(*args, **kwargs)
    if inspect.iscoroutine(result):
        import asyncio

        return asyncio.run(result)
    return result


def _type_there(key: str, dask_worker: Any) -> type:
    """The type of a result, on a worker that has it."""
    return type(dask_worker.data[key])
