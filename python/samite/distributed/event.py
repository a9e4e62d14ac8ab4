"""An event for the whole cluster."""

from __future__ import annotations

from typing import Any

from samite.distributed._named import Named, seconds_of

__all__ = ["Event"]


class Event(Named):
    """Something that has happened or not, for which all of the cluster can wait.

    Parameters
    ----------
    name:
        Events of the same name are one event.
    client:
        By default the current one.
    """

    _prefix = "event"

    def wait(self, timeout: Any = None) -> Any:
        """Wait until it is set.

        Returns
        -------
        Whether it is set; false where the time was over before.
        """
        return self._run(self._ask("wait", timeout=seconds_of(timeout)))

    def set(self) -> Any:
        """Set it, and wake all who wait."""
        return self._run(self._told("set"))

    def clear(self) -> Any:
        """Unset it."""
        return self._run(self._told("clear"))

    async def _told(self, request: str) -> None:
        await self._ask(request)

    def is_set(self) -> Any:
        """Whether it is set."""
        return self._run(self._ask("is_set"))

    def __await__(self) -> Any:
        async def itself() -> Event:
            return self

        return itself().__await__()
