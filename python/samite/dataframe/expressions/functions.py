"""Functions of users, called on partitions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

from samite._expr import Expr
from samite._task_spec import Task
from samite.dataframe import methods
from samite.dataframe.expressions.node import Partitionwise, partitionwise_divisions


class MapPartitions(Partitionwise):
    """``function`` of one partition of each frame at a time.

    The operands after the named ones are its arguments; the last ``len(names)`` are given by
    name.
    """

    _parameters = [
        "function",
        "given_meta",
        "enforce_metadata",
        "new_divisions",
        "wants_place",
        "names",
        "label",
    ]
    # `new_divisions`: None keeps them, a sequence takes their place.
    _hidden: ClassVar[tuple[str, ...]] = tuple(_parameters)

    @functools.cached_property
    def _funcname(self) -> str:
        from samite.utils import funcname

        return self.label or funcname(self.function)

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.given_meta

    @property
    def _knows_position(self) -> bool:  # type: ignore[override]
        return self.wants_place

    def _divisions(self) -> Sequence[Any]:
        found = partitionwise_divisions(self)
        return found if self.new_divisions is None else self.new_divisions

    def _is_broadcast(self, dependency: Expr) -> bool:
        return dependency.npartitions == 1 and (
            getattr(dependency, "ndim", 0) == 0 or self.npartitions != 1
        )

    def _task(self, key: Any, index: int) -> Task:
        arguments = [self._argument(o, index) for o in self.operands[len(self._parameters) :]]
        positional = arguments[: len(arguments) - len(self.names)]
        keywords = dict(zip(self.names, arguments[len(positional) :], strict=True))
        if self.wants_place:
            keywords["partition_info"] = {"number": index, "division": self.divisions[index]}
        if self.enforce_metadata:
            return Task(
                key, methods.called_with_meta, self.function, self._meta, *positional, **keywords
            )
        return Task(key, self.function, *positional, **keywords)

    def _readable(self) -> str:
        from samite.utils import funcname

        return f"MapPartitions({funcname(self.function)})"
