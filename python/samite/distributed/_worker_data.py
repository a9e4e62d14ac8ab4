"""The results that a worker holds, as a mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["WorkerData"]


class WorkerData(Mapping[str, Any]):
    """The results that a worker holds, by key, at the time when it is looked at.

    Values come from wherever the cluster has them: what a worker holds is the engine's.
    """

    def __init__(self, address: str, ask: Callable[[], Any]) -> None:
        self._address = address
        self._ask = ask

    def _keys(self) -> list[str]:
        found = self._ask().request("has_what", {"workers": [self._address]}, 30.0)
        return list(found.get(self._address, ()))

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys():
            raise KeyError(key)
        client = self._ask()
        client.retain([key])
        try:
            return client.gather([key], 30.0)[0]
        finally:
            client.release([key])

    def __contains__(self, key: object) -> bool:
        return key in self._keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __repr__(self) -> str:
        return f"<WorkerData of {self._address}: {self._keys()}>"
