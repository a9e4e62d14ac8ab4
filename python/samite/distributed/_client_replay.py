"""Running a task of the cluster once more, in the client's process, to find out why it failed."""

from __future__ import annotations

from typing import Any

from samite.distributed._client_base import ClientBase
from samite.distributed._steps import in_thread


class ReplayMixin(ClientBase):
    """The part of `Client` that runs tasks of the cluster here."""

    def recreate_error_locally(self, future: Any) -> Any:
        """Run the task here that made a result fail, so that a debugger can look at it.

        Waits for the result. What the task needs comes from the workers, or is computed here where
        they do not have it any more.

        Parameters
        ----------
        future:
            A future that failed, or a container or collection of futures: its first one that
            failed.

        Raises
        ------
        ValueError
            If none failed; or if data is needed that is gone.
        Exception
            What the task raises.

        Examples
        --------
        >>> future = client.submit(divide, 1, 0)  # doctest: +SKIP
        >>> client.recreate_error_locally(future)  # doctest: +SKIP
        ZeroDivisionError: division by zero
        """
        return self._run(self._recreated(future, True))

    def recreate_task_locally(self, future: Any) -> Any:
        """Run the task of a result here, and return what it returns.

        Parameters
        ----------
        future:
            A future, or a container or collection of futures: its first one.

        Raises
        ------
        ValueError
            If there is no future; or if data is needed that is gone.
        Exception
            What the task raises.
        """
        return self._run(self._recreated(future, False))

    async def _recreated(self, future: Any, failed: bool) -> Any:
        from samite.distributed._waiting import futures_of
        from samite.distributed.future import key_text

        futures = futures_of(future)
        if futures:
            await self._wait_step(futures, None)
        if failed:
            futures = [one for one in futures if one.status == "error"]
            if not futures:
                raise ValueError("No errored futures passed")
        elif not futures:
            raise ValueError("recreate_task_locally: there are no futures in what was given")
        key = key_text(futures[0].key)
        told = await self._request("task_specs", {"key": key, "failing": failed})
        engine = self._connected()

        def run() -> Any:
            held = {one["id"]: one["key"] for one in told["tasks"] if one["held"]}
            keys = list(dict.fromkeys(held.values()))
            engine.retain(keys)
            try:
                found = dict(zip(keys, engine.gather(keys, None), strict=True)) if keys else {}
            finally:
                engine.release(keys)
            return _replayed(told, {task: found[key] for task, key in held.items()})

        return await in_thread(run)


def _replayed(told: dict[str, Any], values: dict[str, Any]) -> Any:
    """The value of the root, from the values that workers held."""
    tasks = {task["id"]: task for task in told["tasks"]}
    batches: dict[str, Any] = {}
    waiting = [told["root"]]
    while waiting:
        task = tasks[waiting[-1]]
        if task["id"] in values:
            waiting.pop()
            continue
        missing = [one for one in task["dependencies"] if one not in values]
        if missing:
            waiting += missing
            continue
        given = [values[one] for one in task["dependencies"]]
        results: list[Any] = []
        for place, index, inputs in task["steps"]:
            if place not in batches:
                batches[place] = _loaded(task["key"], *told["operations"][place])
            chosen = [given[one] if one >= 0 else results[-1 - one] for one in inputs]
            results.append(_called(batches[place], index, chosen))
        values[task["id"]] = results[-1]
    return values[told["root"]]


def _loaded(key: str, kind: int, frames: list[bytes]) -> Any:
    if kind != 0:
        raise ValueError(
            f"the task {key!r} is a block of an array that was in memory, which cannot be made "
            "again here; scatter or persist the array first"
        )
    from samite._pickling import load

    return load(frames)


def _called(batch: Any, index: int, inputs: list[Any]) -> Any:
    """Make a call of a batch, as workers do."""
    from samite._worker import evaluate

    if batch[0] == "calls":
        _, function, arguments, keywords, _ = batch
        return function(*arguments[index], **(keywords or {}))
    spec = batch[1][index]
    if spec[0] == "c" and not spec[2] and not spec[3] and type(spec[1][1]).__name__ == "ArrayTask":
        return spec[1][1](*inputs)
    return evaluate(spec, iter(inputs))
