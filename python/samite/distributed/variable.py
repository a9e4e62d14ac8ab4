"""A variable for the whole cluster."""

from __future__ import annotations

from typing import Any

from samite.distributed._named import Named, seconds_of, value_kept, value_to_keep

__all__ = ["Variable"]


class Variable(Named):
    """A future or a small value that clients and tasks share by name.

    Parameters
    ----------
    name:
        Variables of the same name are one.
    client:
        By default the current one.
    """

    _prefix = "variable"

    def set(self, value: Any, timeout: Any = "30 s", **kwargs: Any) -> Any:
        """Set it to a future, or a small value."""
        kept = value_to_keep(value)

        async def was_set() -> None:
            await self._ask("set", value=kept)

        return self._run(was_set())

    def get(self, timeout: Any = None, **kwargs: Any) -> Any:
        """Its value; waits until it has one.

        Raises
        ------
        TimeoutError
            If it has none for so long.
        """

        async def got() -> Any:
            kept = await self._ask("get", timeout=seconds_of(timeout))
            if kept is None or kept is False:
                raise TimeoutError(f"the variable {self.name!r} had no value for {timeout} seconds")
            return await value_kept(kept, self.client)

        return self._run(got())

    def delete(self) -> Any:
        """Forget it on the scheduler, and its value."""

        async def deleted() -> None:
            await self._ask("delete")

        return self._run(deleted())
