"""Moving rows between partitions, choosing rows by label."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections.mixin import Mixin
from samite.dataframe.metadata import no_default


class PartitionMethods(Mixin):
    """Moving rows between partitions, choosing rows by label. For frames and series alike."""

    expr: Any

    def repartition(
        self,
        divisions: Any = None,
        npartitions: int | None = None,
        partition_size: Any = None,
        freq: Any = None,
        force: bool = False,
    ) -> Any:
        """The same rows in other partitions.

        Parameters
        ----------
        divisions:
            Bounds of the new partitions; the first and the last are those of the frame.
        npartitions:
            How many partitions to make. More are made by cutting between the divisions where
            they are numbers or dates, and by numbers of rows otherwise.
        partition_size:
            The bytes that a partition has at most, as a number or like "100MB". The sizes of
            the partitions are computed for it.
        freq:
            The span of time of a partition, as pandas writes it.
        force:
            Whether ``divisions`` may reach further than those of the frame.

        Raises
        ------
        ValueError
            Not exactly one of these is given, divisions do not ascend or leave rows out, or
            those of the frame are needed and not known.
        TypeError
            ``freq`` is given and the index is no time series.
        """
        from samite.dataframe.repartitioning import repartitioned

        return repartitioned(self, divisions, npartitions, partition_size, freq, force)

    def clear_divisions(self) -> Any:
        """The same rows; their divisions are not known any more."""
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.bounds import ClearDivisions

        return new_collection(ClearDivisions(self.expr))

    def enforce_runtime_divisions(self) -> Any:
        """The same rows; computing them fails if they do not lie within the divisions.

        Raises
        ------
        ValueError
            The divisions are not known.
        """
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.bounds import EnforceRuntimeDivisions

        if not self.expr.known_divisions:
            raise ValueError("No known divisions to enforce!")
        return new_collection(EnforceRuntimeDivisions(self.expr))

    def compute_current_divisions(self, col: Any = None, set_divisions: bool = False) -> Any:
        """The divisions that the partitions have, found by computing their least and greatest
        values.

        Parameters
        ----------
        col:
            The column to look at, in place of the index.
        set_divisions:
            Whether to return the frame with these divisions, in place of the divisions.

        Raises
        ------
        ValueError
            The partitions are not in order, or ``set_divisions`` is given for a column.
        """
        from samite.dataframe.divisions import current_divisions

        return current_divisions(self, col, set_divisions)

    def shuffle(
        self,
        on: Any = None,
        ignore_index: bool = False,
        npartitions: int | None = None,
        shuffle_method: str | None = None,
        on_index: bool = False,
        force: bool = False,
        **options: Any,
    ) -> Any:
        """The same rows, moved so that those with equal keys are in one partition.

        Parameters
        ----------
        on:
            Labels of columns, or a series or frame with the same rows.
        ignore_index:
            Whether the index need not be kept.
        npartitions:
            How many partitions to make; as many as there are by default.
        shuffle_method:
            "tasks" moves rows in memory, "disk" through files.
        on_index:
            Whether the index is the key, in place of ``on``.
        force:
            Whether to move rows although the partitioning is as asked for already.
        options:
            ``max_branch``: how many pieces a task makes or joins at most.

        Raises
        ------
        TypeError
            Both or neither of ``on`` and ``on_index`` are given, or ``on`` has other rows.
        KeyError
            There are no such columns.
        """
        from samite.dataframe.shuffle import shuffled

        return shuffled(
            self, on, ignore_index, npartitions, shuffle_method, on_index, force, options
        )

    @property
    def loc(self) -> Any:
        """Rows by label, slices of labels, lists of labels or conditions; for frames also
        columns: ``df.loc["a":"c", ["x"]]``. A single label gives rows as well."""
        from samite.dataframe.indexing import LocIndexer

        return LocIndexer(self)

    def map_overlap(
        self,
        func: Any,
        before: Any,
        after: Any,
        *args: Any,
        meta: Any = no_default,
        enforce_metadata: bool = True,
        transform_divisions: bool = True,
        clear_divisions: bool = False,
        align_dataframes: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Apply a function to partitions that have rows of their neighbours; see
        :func:`samite.dataframe.map_overlap`."""
        from samite.dataframe.map_overlap import map_overlap

        return map_overlap(
            func,
            self,
            before,
            after,
            *args,
            meta=meta,
            enforce_metadata=enforce_metadata,
            transform_divisions=transform_divisions,
            clear_divisions=clear_divisions,
            align_dataframes=align_dataframes,
            **kwargs,
        )

    def shift(self, periods: int = 1, freq: Any = None, axis: Any = 0) -> Any:
        """The rows moved by ``periods`` against their index, or the index by that many steps of
        ``freq``."""
        from samite.dataframe.map_overlap import moved, shifted_by_frequency

        if freq is not None:
            return shifted_by_frequency(self, periods, freq)
        return moved(self, "shift", periods, axis)

    def diff(self, periods: int = 1, axis: Any = 0) -> Any:
        """The difference to the row ``periods`` before."""
        from samite.dataframe.map_overlap import moved

        return moved(self, "diff", periods, axis)

    def ffill(self, axis: Any = 0, limit: int | None = None) -> Any:
        """Missing values replaced by the last value before them, at most ``limit`` in a row."""
        from samite.dataframe.map_overlap import filled

        return filled(self, True, axis, limit)

    def bfill(self, axis: Any = 0, limit: int | None = None) -> Any:
        """Missing values replaced by the next value after them, at most ``limit`` in a row."""
        from samite.dataframe.map_overlap import filled

        return filled(self, False, axis, limit)

    def sample(
        self,
        n: Any = None,
        frac: float | None = None,
        replace: bool = False,
        random_state: Any = None,
    ) -> Any:
        """A fraction of the rows of each partition, chosen at random.

        Raises
        ------
        ValueError
            A number of rows ``n`` is given, or no fraction between 0 and 1.
        """
        from samite.dataframe.sampling import sample

        return sample(self, n, frac, replace, random_state)

    def random_split(self, frac: Any, random_state: Any = None, shuffle: bool = False) -> list[Any]:
        """The rows divided at random in parts of the fractions ``frac``, which sum to 1.

        ``shuffle`` also brings the rows of each partition in a random order.

        Raises
        ------
        ValueError
            The fractions do not sum to 1.
        """
        from samite.dataframe.sampling import random_split

        return random_split(self, frac, random_state, shuffle)


class PartitionMethodsOfFrame(Mixin):
    """Moving rows between partitions, choosing rows by label. For frames."""

    @property
    def iloc(self) -> Any:
        """Columns by position: ``df.iloc[:, [0, 2]]``."""
        from samite.dataframe.indexing import ILocIndexer

        return ILocIndexer(self)

    def drop_duplicates(
        self,
        subset: Any = None,
        split_every: Any = None,
        split_out: Any = True,
        shuffle_method: str | None = None,
        ignore_index: bool = False,
        keep: Any = "first",
    ) -> Any:
        """The rows whose values are not there already.

        Parameters
        ----------
        subset:
            Labels of the columns to look at; all by default.
        split_out:
            How many partitions the result has; True for as many as there are.
        split_every:
            How many partitions are joined at a time where the result is one.
        keep:
            Which of equal rows stays, "first" or "last".

        Raises
        ------
        NotImplementedError
            ``keep`` is False.
        """
        from samite.dataframe.duplicates import dropped

        return dropped(self, subset, split_every, split_out, shuffle_method, ignore_index, keep)

    def explode(self, column: Any) -> Any:
        """A row for each element of the lists in a column."""
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.explode import Explode

        return new_collection(Explode(self.expr, column))

    def set_index(
        self,
        other: Any,
        drop: bool = True,
        sorted: bool = False,
        npartitions: int | str | None = None,
        divisions: Any = None,
        sort: bool = True,
        shuffle_method: str | None = None,
        upsample: float = 1.0,
        partition_size: float = 128e6,
        append: bool = False,
        **options: Any,
    ) -> Any:
        """The rows sorted by a column, which becomes the index, with known divisions.

        Parameters
        ----------
        other:
            The label of a column, or a series with the same rows.
        drop:
            Whether the column is left out of the columns.
        sorted:
            Whether the rows are in order already, so that none has to be moved.
        npartitions:
            How many partitions to make; as many as there are by default, fewer if there are not
            enough different values; "auto" for partitions of ``partition_size`` bytes.
        divisions:
            The bounds of the partitions. By default they are found from samples of all
            partitions, which are computed when the divisions are needed.
        sort:
            Whether to sort; otherwise no row is moved, and divisions are not known.
        upsample:
            How many times more values than usual to take into the samples.
        append:
            Whether the levels of the index are kept; with ``sort=False`` only.
        shuffle_method, options:
            See :meth:`shuffle`.

        Raises
        ------
        KeyError
            There is no such column.
        NotImplementedError
            The index would have several levels, or missing values that are no numbers.
        ValueError
            Divisions do not ascend, or do not fit the partitions.
        """
        from samite.dataframe.sorting import set_index

        return set_index(
            self,
            other,
            drop,
            sorted,
            npartitions,
            divisions,
            sort,
            shuffle_method,
            upsample,
            partition_size,
            append,
            options,
        )

    def sort_values(
        self,
        by: Any,
        npartitions: int | str | None = None,
        ascending: Any = True,
        na_position: str = "last",
        sort_function: Any = None,
        sort_function_kwargs: Any = None,
        upsample: float = 1.0,
        partition_size: float = 128e6,
        ignore_index: bool = False,
        shuffle_method: str | None = None,
        **options: Any,
    ) -> Any:
        """The rows sorted by columns; rows that are equal in them keep their order.

        Parameters
        ----------
        by:
            A label or a list of labels.
        npartitions:
            How many partitions to make; as many as there are by default.
        ascending:
            A boolean, or one for each label.
        na_position:
            Whether missing values come "first" or "last".
        sort_function, sort_function_kwargs:
            What sorts a partition in place of pandas' method, and its keywords.
        ignore_index:
            Whether each partition gets a new index.
        upsample, partition_size, shuffle_method, options:
            See :meth:`set_index`.

        Raises
        ------
        KeyError
            There are no such columns.
        NotImplementedError
            ``by`` has other things than labels.
        ValueError
            The numbers of labels and of directions differ, or ``na_position`` is unknown.
        """
        from samite.dataframe.sorting import sort_values

        return sort_values(
            self,
            by,
            npartitions,
            ascending,
            na_position,
            sort_function,
            sort_function_kwargs,
            upsample,
            partition_size,
            ignore_index,
            shuffle_method,
            options,
        )


class PartitionMethodsOfSeries(Mixin):
    """Moving rows between partitions, choosing rows by label. For series."""

    def drop_duplicates(
        self,
        split_every: Any = None,
        split_out: Any = True,
        shuffle_method: str | None = None,
        ignore_index: bool = False,
        keep: Any = "first",
    ) -> Any:
        """The values that are not there already; see :meth:`DataFrame.drop_duplicates`."""
        from samite.dataframe.duplicates import dropped

        return dropped(self, None, split_every, split_out, shuffle_method, ignore_index, keep)

    def unique(
        self, split_every: Any = None, split_out: Any = True, shuffle_method: str | None = None
    ) -> Any:
        """The different values, as a series; in the order in which they first occur if
        ``split_out`` is 1. See :meth:`drop_duplicates` for the parameters."""
        from samite.dataframe.duplicates import unique_values

        return unique_values(self, split_every, split_out, shuffle_method)

    def explode(self) -> Any:
        """A row for each element of the lists."""
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.explode import Explode

        return new_collection(Explode(self.expr, None))
