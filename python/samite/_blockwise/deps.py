"""Inputs of a blockwise operation that are made for each block, not computed by tasks."""

from __future__ import annotations

from typing import Any


class BlockwiseDep:
    """A value for every block.

    Attributes
    ----------
    numblocks:
        The number of blocks in each dimension.
    produces_tasks:
        Whether the values are computations rather than data.
    """

    numblocks: tuple[int, ...]
    produces_tasks: bool = False

    def __getitem__(self, idx: tuple[int, ...]) -> Any:
        """The value for the block at these coordinates."""
        raise NotImplementedError(f"{type(self).__name__} has no values")

    def get(self, idx: tuple[int, ...], default: Any = None) -> Any:
        """The value for a block, or ``default`` where there is none."""
        try:
            return self[idx]
        except KeyError:
            return default

    @property
    def produces_keys(self) -> bool:
        """Whether the values refer to other tasks."""
        return False

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (type(self).__qualname__, sorted(vars(self).items()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.numblocks}>"


class BlockwiseDepDict(BlockwiseDep):
    """Values for blocks from a dict.

    Parameters
    ----------
    mapping:
        Values by coordinates. A block that is absent gets its coordinates as value.
    numblocks:
        The number of blocks in each dimension; by default the values are in one row.
    produces_tasks, produces_keys:
        See :class:`BlockwiseDep`.
    """

    def __init__(
        self,
        mapping: dict[tuple[int, ...], Any],
        numblocks: tuple[int, ...] | None = None,
        produces_tasks: bool = False,
        produces_keys: bool = False,
    ) -> None:
        self.mapping = mapping
        self.produces_tasks = produces_tasks
        self.numblocks = numblocks or (len(mapping),)
        self._produces_keys = produces_keys

    @property
    def produces_keys(self) -> bool:
        return self._produces_keys

    def __getitem__(self, idx: tuple[int, ...]) -> Any:
        try:
            return self.mapping[idx]
        except KeyError:
            # An input with fewer dimensions than the output is asked with all coordinates.
            first = next(iter(self.mapping))
            if not isinstance(first, tuple) or len(first) == len(idx):
                raise
            return self.mapping[idx[: len(first)]]

    def __len__(self) -> int:
        return len(self.mapping)


class BlockIndex(BlockwiseDep):
    """The coordinates of each block.

    Parameters
    ----------
    numblocks:
        The number of blocks in each dimension.
    """

    def __init__(self, numblocks: tuple[int, ...]) -> None:
        self.numblocks = numblocks

    def __getitem__(self, idx: tuple[int, ...]) -> tuple[int, ...]:
        return idx
