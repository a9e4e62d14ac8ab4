"""The memory of a cluster over time."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from samite.distributed._current import default_client

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MemorySampler"]

_MEASURES = ("process", "managed", "unmanaged", "spilled", "optimistic")


class MemorySampler:
    """Notes now and then how much memory all workers together take.

    Attributes
    ----------
    samples:
        By label, pairs of seconds since the epoch and bytes.

    Examples
    --------
    >>> sampler = MemorySampler()
    >>> with sampler.sample("sum"):  # doctest: +SKIP
    ...     client.submit(sum, [1, 2]).result()
    >>> sampler.to_pandas()  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self.samples: dict[str, list[tuple[float, int]]] = {}

    def sample(
        self,
        label: str | None = None,
        *,
        client: Any = None,
        measure: str = "process",
        interval: float = 0.5,
    ) -> _Sampling:
        """Note the memory while a block of code runs: ``with``, or ``async with`` for asynchronous
        clients.

        Parameters
        ----------
        label:
            How the samples are called; by default something random.
        client:
            Of which cluster; by default the current client's.
        measure:
            ``"process"`` (of the workers' processes), ``"managed"`` (of results), ``"unmanaged"``
            (of all else), ``"spilled"`` (of results on disk) or ``"optimistic"`` (of results, on
            disk too, without what is else).
        interval:
            Seconds from one look to the next.

        Raises
        ------
        ValueError
            For another measure, or if there is no client.
        """
        if measure not in _MEASURES:
            raise ValueError(
                f"MemorySampler.sample: measure is one of {', '.join(_MEASURES)}, not {measure!r}"
            )
        samples: list[tuple[float, int]] = []
        self.samples[label or str(uuid.uuid4())] = samples
        return _Sampling(client or default_client(), samples, measure, float(interval))

    def to_pandas(self, *, align: bool = False) -> pd.DataFrame:
        """The samples as a frame: a column of bytes for each label, by time.

        Parameters
        ----------
        align:
            Whether each label's time begins with zero.
        """
        import pandas as pd

        columns = {}
        for label, samples in self.samples.items():
            times = [moment for moment, _ in samples]
            index: Any = pd.to_datetime(times, unit="s")
            if align:
                first = times[0] if times else 0.0
                index = pd.to_timedelta([moment - first for moment in times], unit="s")
            columns[label] = pd.Series([size for _, size in samples], index, name=label)
        frame = pd.DataFrame(columns)
        # Between its looks, a label has what it had at the look before.
        inside = {
            label: (frame.index >= column.index.min()) & (frame.index <= column.index.max())
            for label, column in columns.items()
        }
        filled = frame.ffill()
        return pd.DataFrame({label: filled[label].where(inside[label]) for label in columns})

    def plot(self, *, align: bool = False, **kwargs: Any) -> Any:
        """Draw the samples in GiB with pandas' and so matplotlib's means.

        Parameters
        ----------
        align:
            Whether each label's time begins with zero.
        **kwargs:
            For :meth:`pandas.DataFrame.plot`.
        """
        frame = self.to_pandas(align=align) / 2**30
        if align:
            frame.index = frame.index.total_seconds()  # type: ignore[attr-defined]
        options = {"xlabel": "seconds" if align else "time", "ylabel": "Cluster memory (GiB)"}
        return frame.plot(**{**options, **kwargs})


class _Sampling:
    """Looks at the memory, on a thread, while a block of code runs."""

    def __init__(self, client: Any, samples: Any, measure: str, interval: float) -> None:
        self.client = client
        self.samples = samples
        self.measure = measure
        self.interval = interval
        self.stopped = threading.Event()
        self.thread: threading.Thread | None = None

    def _look(self) -> None:
        info = self.client._connected().request("scheduler_info", {}, 30.0)
        total = sum(_bytes(worker["metrics"], self.measure) for worker in info["workers"].values())
        self.samples.append((time.time(), total))

    def _run(self) -> None:
        while not self.stopped.wait(self.interval):
            try:
                self._look()
            except (OSError, TimeoutError):
                return

    def _begin(self) -> None:
        self._look()
        self.thread = threading.Thread(target=self._run, name="samite-memory", daemon=True)
        self.thread.start()

    def _end(self) -> None:
        self.stopped.set()
        if self.thread is not None:
            self.thread.join(30.0)

    def __enter__(self) -> None:
        if self.client.asynchronous:
            raise TypeError("the client is asynchronous: use 'async with' for its samples")
        self._begin()

    def __exit__(self, *_: object) -> None:
        self._end()

    async def __aenter__(self) -> None:
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, self._begin)

    async def __aexit__(self, *_: object) -> None:
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, self._end)


def _bytes(metrics: dict[str, Any], measure: str) -> int:
    process = int(metrics.get("memory") or 0)
    managed = int(metrics.get("managed_bytes") or 0)
    spilled = int((metrics.get("spilled_bytes") or {}).get("disk") or 0)
    return {
        "process": process,
        "managed": managed,
        "unmanaged": max(0, process - managed),
        "spilled": spilled,
        "optimistic": managed + spilled,
    }[measure]
