"""A table that is not computed yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from samite.dataframe.assignment import check_column, column_operand
from samite.dataframe.collections.elementwise_methods import ElementwiseMethodsOfFrame
from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.collections.grouping_methods import GroupingMethodsOfFrame
from samite.dataframe.collections.joining_methods import JoiningMethodsOfFrame
from samite.dataframe.collections.output_methods import OutputMethodsOfFrame
from samite.dataframe.collections.partition_methods import PartitionMethodsOfFrame
from samite.dataframe.collections.reduction_methods import ReductionMethodsOfFrame
from samite.dataframe.elementwise import aligned, filtered
from samite.dataframe.expressions.elementwise import Assign
from samite.dataframe.expressions.selection import Projection


class DataFrame(
    ElementwiseMethodsOfFrame,
    ReductionMethodsOfFrame,
    GroupingMethodsOfFrame,
    PartitionMethodsOfFrame,
    JoiningMethodsOfFrame,
    OutputMethodsOfFrame,
    FrameBase,
):
    """A table of columns, in partitions by rows, each of which is a pandas frame when computed."""

    _accessors: ClassVar[set[str]] = set()

    @property
    def columns(self) -> Any:
        """The labels of the columns."""
        schema = self._expr._derived_schema
        return self._meta.columns if schema is None else schema.columns

    @columns.setter
    def columns(self, labels: Any) -> None:
        from samite.dataframe.renaming import with_columns

        self._expr = with_columns(self, labels).expr

    @property
    def dtypes(self) -> Any:
        """The dtypes of the columns."""
        return self._meta.dtypes

    @property
    def ndim(self) -> int:
        return 2

    @property
    def empty(self) -> Any:
        """Not known before computation, so it is refused.

        Raises
        ------
        AttributeNotImplementedError
            Always, unless there is no column.
        """
        from samite.dataframe.errors import AttributeNotImplementedError

        if not len(self.columns):
            return True
        raise AttributeNotImplementedError(
            "Checking whether a data frame has any rows may be expensive. To do so, calculate "
            "the length explicitly: `len(df) == 0`."
        )

    def __bool__(self) -> bool:
        raise ValueError("The truth value of a DataFrame is ambiguous. Use a.any() or a.all().")

    @property
    def nbytes(self) -> Any:
        raise NotImplementedError("nbytes is not implemented on DataFrame; use memory_usage()")

    def keys(self) -> Any:
        """The labels of the columns."""
        return self.columns

    def __iter__(self) -> Iterator[Any]:
        return iter(self._meta)

    def __contains__(self, label: object) -> bool:
        return label in self.columns

    def __dir__(self) -> list[str]:
        names = set(super().__dir__())
        names.update(c for c in self.columns if isinstance(c, str) and c.isidentifier())
        return sorted(names)

    def _ipython_key_completions_(self) -> list[Any]:
        return [str(c) for c in self.columns]

    def __getattr__(self, name: str) -> Any:
        # Only called when the usual way fails.
        if name.startswith("__") or name == "_expr":
            raise AttributeError(name)
        if self._has_column(name):
            return self[name]
        return super().__getattr__(name)

    def _has_column(self, name: str) -> bool:
        schema = self._expr._derived_schema
        return name in (self._expr._meta.columns if schema is None else schema.places)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_expr" or hasattr(type(self), name) or not self._has_column(name):
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, DataFrame):
            return self.where(key)
        expr = getattr(key, "expr", None)
        if expr is not None and isinstance(key, FrameBase):
            if key.ndim == 1:
                return filtered(self, key)
            self._meta[key._meta]  # raises pandas' error
        if hasattr(type(key), "numblocks"):
            return filtered(self, key)
        if isinstance(key, slice):
            return self._slice_rows(key)
        if isinstance(key, tuple) and key not in self._meta.columns:
            key = list(key)
        if not isinstance(key, (str, tuple, int)) and hasattr(key, "__len__"):
            import numpy as np

            if isinstance(key, np.ndarray) and key.dtype == bool:
                key = list(self._meta.columns[key])
            key = list(key)
        projection = Projection(self.expr, key)
        if projection._derived_schema is not None:
            return new_collection(projection)
        try:
            self._meta[key]  # raises pandas' error for labels that are not there
        except KeyError as error:
            _note_near_names(error, key, self._meta.columns)
            raise
        return new_collection(projection)

    def _slice_rows(self, key: slice) -> Any:
        from samite.dataframe.arguments import is_label_slice

        if is_label_slice(key, self._meta.index):
            return self.loc[key]
        raise NotImplementedError(
            "df[a:b] with positions would need the lengths of all partitions; use `.loc` for "
            "labels, `.partitions` or `.head`"
        )

    def __setitem__(self, key: Any, value: Any) -> None:
        import pandas as pd

        if isinstance(key, (tuple, list, pd.Index)) and not (
            isinstance(key, tuple) and key in self._meta.columns
        ):
            if isinstance(value, DataFrame):
                pairs = dict(zip(key, [value[c] for c in value.columns], strict=True))
            else:
                pairs = dict.fromkeys(key, value)
            result = self._assigned(pairs)
        elif isinstance(key, FrameBase) or callable(key):
            result = self.mask(key, value) if not callable(key) else self.where(~key(self), value)
        else:
            result = self._assigned({key: value})
        self._expr = result.expr

    def __delitem__(self, key: Any) -> None:
        if key not in self._meta.columns:
            raise KeyError(key)
        self._expr = self.drop(columns=key).expr

    def _assigned(self, pairs: dict[Any, Any]) -> Any:
        result = self
        for label, value in pairs.items():
            if callable(value) and not isinstance(value, FrameBase):
                value = value(result)
            check_column(label, value)
            result = result._with_column(label, value)
        return result

    def _with_column(self, label: Any, value: Any) -> Any:
        frame, operand = aligned(self.expr, column_operand(self, value))
        if isinstance(frame, Assign) and not _reads(operand, frame):
            return new_collection(Assign(*frame.operands, label, operand))
        return new_collection(Assign(frame, label, operand))

    def assign(self, **pairs: Any) -> Any:
        """A frame with columns added or replaced.

        Parameters
        ----------
        pairs:
            By label a series with the same rows, an array of one-dimensional chunks, a scalar,
            or a function of the frame that gives one of these.

        Raises
        ------
        TypeError
            A value is of another kind.
        """
        return self._assigned(pairs)

    def items(self) -> Iterator[tuple[Any, Any]]:
        """The columns: pairs of label and series."""
        for position, label in enumerate(self.columns):
            yield label, self.iloc[:, position] if not self.columns.is_unique else self[label]


def _reads(operand: Any, frame: Any) -> bool:
    """Whether an expression has ``frame`` below it."""
    walk = getattr(operand, "walk", None)
    return walk is not None and any(node._name == frame._name for node in walk())


def _note_near_names(error: KeyError, key: Any, columns: Any) -> None:
    """Say which columns there are, and which have names like those that are not there."""
    import difflib

    wanted = key if isinstance(key, list) else [key]
    names = [str(name) for name in columns]
    near = [
        match
        for label in wanted
        if isinstance(label, str) and label not in columns
        for match in difflib.get_close_matches(label, names, 3)
    ]
    hint = f"did you mean {', '.join(map(repr, dict.fromkeys(near)))}?" if near else ""
    shown = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
    from samite._unpicklable import add_note

    add_note(error, f"df[...]: the columns are {shown}{'; ' if hint else ''}{hint}")
