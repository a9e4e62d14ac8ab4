"""Numbers about the tasks of a graph that colours can stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from samite._draw.color import color_map
from samite._draw.picture import Picture

_ALIASES = {"ages": "age", "critical": "cpath"}
_KNOWN = ("age", "freed", "memoryincreases", "memorydecreases", "memorypressure", "cpath")


@dataclass
class Values:
    """One number for the function of each key, one for its result, and how the first is written."""

    of_function: dict[Any, float]
    of_data: dict[Any, float]
    labels: dict[Any, str]

    def paint(self, picture: Picture) -> None:
        """Give the nodes of a picture their numbers."""
        for node in picture.nodes.values():
            numbers = self.of_function if node.kind == "function" else self.of_data
            if node.key in numbers:
                node.value = numbers[node.key]
            if node.kind == "function" and node.key in self.labels:
                node.note = self.labels[node.key]

    def attributes(self, cmap: Any, maxval: float | None) -> dict[str, dict]:
        """The same as attributes for the engines that know nothing of numbers."""
        colors = color_map(cmap)
        scale = max(1.0, maxval if maxval is not None else max(self.of_function.values()))
        return {
            "function_attributes": {
                key: {"color": colors(value / scale), "label": self.labels[key]}
                for key, value in self.of_function.items()
            },
            "data_attributes": {
                key: {"color": colors(value / scale)} for key, value in self.of_data.items()
            },
        }


def values_for(dsk: Mapping, color: str, order: Mapping | None = None) -> Values:
    """The numbers of every key of a graph.

    Parameters
    ----------
    dsk : mapping
    color : str
        ``"order"``, or one of age(s), freed, memoryincreases, memorydecreases, memorypressure and
        cpath (or critical), each also with the prefix ``order-``.
    order : mapping, optional
        Priorities by key, plain or with statistics.

    Raises
    ------
    NotImplementedError
        For another word.
    """
    kind = color.removeprefix("order-")
    kind = _ALIASES.get(kind, kind)
    if kind != "order" and kind not in _KNOWN:
        raise NotImplementedError(
            f"unknown value color={color!r}: there are 'order', {', '.join(map(repr, _KNOWN))}"
        )
    from samite.order import diagnostics
    from samite.order import order as find_order

    dsk = dict(dsk)
    if order is None or (kind == "cpath" and not _has_statistics(order)):
        order = find_order(dsk, return_stats=True)
    priorities = {key: getattr(entry, "priority", entry) for key, entry in order.items()}
    if kind == "order":
        functions, data = priorities, priorities
    elif kind == "cpath":
        functions = data = {key: entry.critical_path for key, entry in order.items()}
    else:
        functions, data = _from_diagnostics(kind, diagnostics(dsk, priorities)[0])
    if color.startswith("order-"):
        labels = {key: f"{priorities[key]}-{value:g}" for key, value in functions.items()}
    else:
        labels = {key: f"{value:g}" for key, value in functions.items()}
    return Values(dict(functions), dict(data), labels)


def _has_statistics(order: Mapping) -> bool:
    return all(hasattr(entry, "critical_path") for entry in order.values())


def _from_diagnostics(kind: str, info: Mapping) -> tuple[dict, dict]:
    if kind == "age":
        numbers = {key: entry.age for key, entry in info.items()}
    elif kind == "freed":
        numbers = {key: entry.num_dependencies_freed for key, entry in info.items()}
    elif kind == "memorypressure":
        running = {key: entry.num_data_when_run for key, entry in info.items()}
        return running, {key: entry.num_data_when_released for key, entry in info.items()}
    else:
        sign = 1 if kind == "memoryincreases" else -1
        numbers = {
            key: max(0, sign * (entry.num_data_when_released - entry.num_data_when_run))
            for key, entry in info.items()
        }
    return numbers, numbers
