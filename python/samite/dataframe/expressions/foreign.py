"""Lazy values and arrays as operands of data frames."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._task_spec import Alias, convert_legacy_graph
from samite.dataframe.expressions.node import FrameExpr


class LazyValue(FrameExpr):
    """One lazy value, of which nothing is known before computation."""

    _parameters = ["value"]

    @property
    def ndim(self) -> int:  # type: ignore[override]
        return 0

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        raise TypeError(
            "What a lazy value will be is not known, so neither is what comes of it. Compute the "
            "value first, or use `map_partitions(function, frame, value, meta=...)`."
        )

    def _divisions(self) -> Sequence[Any]:
        return (None, None)

    def _layer(self) -> Mapping[Any, Any]:
        value = self.value
        graph = dict(convert_legacy_graph(dict(value.__dask_graph__())))
        key = (self._name, 0)
        graph[key] = Alias(key, value.key)
        return graph


class ArrayBlocks(FrameExpr):
    """The blocks of a lazy array of one or two axes, which are partitions along the first."""

    _parameters = ["array"]

    @functools.cached_property
    def _meta(self) -> Any:
        meta = self.array._meta
        if meta.ndim == 2 and self.array.shape[1] == self.array.shape[1]:
            import numpy as np

            return np.empty((0, int(self.array.shape[1])), dtype=self.array.dtype)
        return meta

    def _divisions(self) -> Sequence[Any]:
        count = self.array.numblocks[0] if self.array.ndim else 1
        return (None,) * (count + 1)

    def _layer(self) -> Mapping[Any, Any]:
        from samite.base import optimize
        from samite.core import flatten

        (array,) = optimize(self.array)
        graph = dict(convert_legacy_graph(dict(array.__dask_graph__())))
        for index, key in enumerate(flatten(array.__dask_keys__())):
            graph[(self._name, index)] = Alias((self._name, index), key)
        return graph

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            array = self.array
            self._determ_token = tokenize(
                type(self).__name__, array.name, array.chunks, array.dtype
            )
        return self._determ_token

    def _operands_for_repr(self) -> list[str]:
        return [f"array={self.array.name}"]
