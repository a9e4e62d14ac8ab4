"""What a client tells of the work that was done: tasks, profiles, the speed of machines."""

from __future__ import annotations

from typing import Any

from samite.distributed._client_base import ClientBase
from samite.distributed._options import worker_list
from samite.distributed._steps import in_thread


class ReportsMixin(ClientBase):
    """The part of `Client` that tells what ran, and how fast."""

    def get_task_stream(
        self,
        start: Any = None,
        stop: Any = None,
        count: int | None = None,
        plot: Any = False,
        filename: str = "task-stream.html",
        bokeh_resources: Any = None,
    ) -> Any:
        """The tasks that ran: dicts with ``key``, ``worker``, ``status``, ``nbytes`` and
        ``startstops``.

        Parameters
        ----------
        start, stop:
            Seconds since the epoch, or text such as ``"5 s"`` for that long ago.
        count:
            Only the last so many.
        plot:
            True for a figure of bokeh as well: the answer is then ``(tasks, figure)``. ``"save"``
            also writes the figure to a page.
        filename:
            The page.

        Raises
        ------
        ImportError
            For a figure, if bokeh is not installed.
        """

        async def got() -> Any:
            from samite.distributed import _stream

            stream = await self._request("task_stream", {})
            found = _stream.chosen(stream, start, stop, count)
            if not plot:
                return found
            return found, await in_thread(lambda: drawn(found))

        def drawn(found: list[Any]) -> Any:
            from samite.distributed import _stream, profile

            figure = _stream.figure_of(found)
            if plot == "save":
                profile.write_figure(figure, filename, "Task stream")
            return figure

        return self._run(got())

    def profile(
        self,
        key: str | None = None,
        start: Any = None,
        stop: Any = None,
        workers: Any = None,
        merge_workers: bool = True,
        plot: Any = False,
        filename: str | None = None,
        server: bool = False,
        scheduler: bool = False,
    ) -> Any:
        """What the Python code of tasks was doing, from looks at it every 10 milliseconds (the
        setting ``distributed.worker.profile.interval``).

        Parameters
        ----------
        key:
            A kind of task: the part of keys that is a name, such as ``"inc"``.
        start, stop:
            Seconds since the epoch, or text such as ``"5 s"`` for that long ago.
        workers:
            Of which workers; by default of all.
        merge_workers:
            One profile of all; otherwise one of each worker, by address.
        plot, filename:
            True for a figure of bokeh as well: the answer is then ``(profile, figure)``. A name of
            a file lets the figure be written to a page.
        server, scheduler:
            The work of servers themselves, which is not done by Python here: such profiles are
            empty.

        Returns
        -------
        A tree of dicts: ``count`` looks in which a call was under way, ``children`` by identifier,
        ``description`` of the place in the code.

        Raises
        ------
        ImportError
            For a figure, if bokeh is not installed.
        """
        from samite.distributed import profile as profiles
        from samite.distributed._stream import moment

        if plot and not merge_workers:
            raise ValueError("profile: a picture is of one profile; leave merge_workers=False out")

        async def got() -> Any:
            if server or scheduler:
                found: dict[str, Any] = {}
            else:
                arguments = (key, moment(start), moment(stop))
                chosen = worker_list(workers)
                found = await self._run_there(
                    profiles.of_worker, arguments, {}, chosen, False, "raise"
                )
            if not merge_workers:
                return found
            state = profiles.merge(*found.values())
            if not plot and filename is None:
                return state
            return state, await in_thread(lambda: drawn(state))

        def drawn(state: dict[str, Any]) -> Any:
            figure = profiles.figure_of(state)
            name = filename or ("samite-profile.html" if plot == "save" else None)
            if name is not None:
                profiles.write_figure(figure, name, "Profile of tasks")
            return figure

        return self._run(got())

    def benchmark_hardware(self) -> Any:
        """Measure the workers: how fast they copy memory, write to disk, and send data to one
        another.

        Returns
        -------
        Bytes a second, by ``"memory"``, ``"disk"`` and ``"network"`` and by size; means over the
        workers, which are measured one after the other.
        """

        async def measured() -> dict[str, dict[str, float]]:
            from samite.distributed import _hardware

            addresses = list(await self._request("nthreads", {}))
            found: dict[str, dict[str, list[float]]] = {"memory": {}, "disk": {}, "network": {}}
            for address in addresses:
                for what, function in (("memory", _hardware.memory), ("disk", _hardware.disk)):
                    told = await self._run_there(function, (), {}, [address], False, "raise")
                    for size, speed in told[address].items():
                        found[what].setdefault(size, []).append(speed)
            for giver, taker in zip(addresses, addresses[1:] + addresses[:1], strict=True):
                if giver == taker:
                    continue
                there = await self._run_there(_hardware.listen, (), {}, [giver], False, "raise")
                told = await self._run_there(
                    _hardware.fetch, (there[giver],), {}, [taker], False, "raise"
                )
                for size, speed in told[taker].items():
                    found["network"].setdefault(size, []).append(speed)
            return {
                what: {size: sum(all_) / len(all_) for size, all_ in sizes.items()}
                for what, sizes in found.items()
            }

        return self._run(measured())
