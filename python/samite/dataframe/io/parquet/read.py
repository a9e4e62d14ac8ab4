"""Reading Parquet files: the node of an expression, and the function that makes it."""

from __future__ import annotations

import collections
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from samite import config
from samite._expr import Expr
from samite._task_spec import Task
from samite.dataframe.creation import dataframe_creation_dispatch
from samite.dataframe.expressions.node import FrameExpr, columns_wanted
from samite.dataframe.io.filesystems import Filesystem, find_filesystem
from samite.dataframe.io.parquet.arrow import NULL_INDEX, ReadSettings
from samite.dataframe.io.parquet.core import get_engine
from samite.dataframe.io.parquet.dataset import Listing, ParquetDataset, list_files, open_dataset
from samite.dataframe.io.parquet.filters import (
    checked_filters,
    columns_of,
    combined,
    filters_of_predicate,
)
from samite.dataframe.io.parquet.plan import Piece, Plan, plan_partitions
from samite.dataframe.io.parquet.pruning import may_lose_partitions

EXTENSIONS = (".parq", ".parquet", ".pq")
DEFAULT_BLOCKSIZE = 256 * 2**20


class ReadParquet(FrameExpr):
    """The rows of Parquet files.

    Operands, all of them plain values:

    - ``filesystem``, ``listing``: where the files are (``listing.files``, in order);
    - ``columns``: labels in order, None for all that are not in the index;
    - ``filters``: conjunctions of which one has to hold for a row, as ``(column, operator,
      value)``; a missing value is unequal to every value;
    - ``index``: the columns of the index, False for none, None for what the files note;
    - ``split_row_groups``, ``blocksize``, ``aggregate_files``: what makes a partition; see
      :meth:`partition_pieces` for the outcome;
    - ``engine``: the class that reads; ``options``: for it, by kind;
    - ``keeps_labels``: whether filtered rows without an index column have the labels that they
      have without the filter, their positions in the file;
    - ``_partitions``: the positions of the partitions that are wanted, None for all.
    """

    _makes_partitions = True
    _parameters = [
        "filesystem",
        "listing",
        "columns",
        "filters",
        "index",
        "categories",
        "dtype_backend",
        "calculate_divisions",
        "split_row_groups",
        "blocksize",
        "aggregate_files",
        "convert_string",
        "engine",
        "options",
        "keeps_labels",
        "_partitions",
    ]
    _defaults = {
        "columns": None,
        "filters": None,
        "index": None,
        "categories": None,
        "dtype_backend": None,
        "calculate_divisions": False,
        "split_row_groups": "infer",
        "blocksize": DEFAULT_BLOCKSIZE,
        "aggregate_files": None,
        "convert_string": None,
        "engine": None,
        "options": None,
        "keeps_labels": False,
        "_partitions": None,
    }

    @functools.cached_property
    def _funcname(self) -> str:
        return "read_parquet"

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            # Options may hold functions that have no token of their own.
            self._determ_token = tokenize(type(self).__name__, *self.operands)
        return self._determ_token

    # -- what the files hold -----------------------------------------------------------

    @property
    def dataset(self) -> ParquetDataset:
        """The files, their schema and their footers."""
        # Kept beside the cached properties, which travel with a pickled expression.
        found = self.__dict__.get("_opened")
        if found is None:
            options = (self.operand("options") or {}).get("dataset", {})
            found = open_dataset(self.operand("filesystem"), self.operand("listing"), options)
            self.__dict__["_opened"] = found
        return found

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, in order."""
        return self.operand("listing").files

    @functools.cached_property
    def index_columns(self) -> list[str]:
        """The columns that make the index; none for a range, or the positions."""
        index = self.operand("index")
        if index is False:
            return []
        if index is not None:
            return list(index)
        chosen = self.operand("columns") or ()
        return [c for c in self.noted_index_columns if c not in chosen]

    @property
    def noted_index_columns(self) -> list[str]:
        """The columns that pandas noted to be those of the index."""
        noted = (self.dataset.schema.pandas_metadata or {}).get("index_columns", [])
        names = set(self.dataset.schema.names)
        return [c for c in noted if isinstance(c, str) and c in names]

    @functools.cached_property
    def data_columns(self) -> list[str]:
        """The columns of the result, in order, without those of the index."""
        chosen = self.operand("columns")
        if chosen is not None:
            return list(chosen)
        left_out = {*self.index_columns, NULL_INDEX}
        first = [c for c in self.noted_index_columns if c not in left_out]
        if self.operand("index") is not False:
            first = []
        return first + [c for c in self.dataset.schema.names if c not in {*left_out, *first}]

    @property
    def kinds_of_columns(self) -> dict[str, str]:
        """By column "int", "float", "bool", "text" or "time" (without a zone), where values of
        Python compare to it as they do to the pandas column."""
        import pyarrow as pa

        kinds = {}
        for field in self.dataset.schema:
            kind = field.type
            if pa.types.is_integer(kind):
                kinds[field.name] = "int"
            elif pa.types.is_floating(kind):
                kinds[field.name] = "float"
            elif pa.types.is_boolean(kind):
                kinds[field.name] = "bool"
            elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
                kinds[field.name] = "text"
            elif pa.types.is_timestamp(kind) and kind.tz is None:
                kinds[field.name] = "time"
        return kinds

    def reads_rows_of(self, other: ReadParquet) -> bool:
        """Whether both read the same rows, maybe of other columns."""
        return self.name_of_rows == other.name_of_rows

    @functools.cached_property
    def name_of_rows(self) -> str:
        """What tells the rows apart, whatever columns of them are read."""
        from samite.tokenize import tokenize

        names = type(self)._parameters
        operands = [o for n, o in zip(names, self.operands, strict=True) if n != "columns"]
        return f"rows-{tokenize(operands)}"

    # -- partitions --------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """All partitions, before ``_partitions`` chooses."""
        found = self.__dict__.get("_planned")
        if found is None:
            index = self.index_columns
            found = self.__dict__["_planned"] = plan_partitions(
                self.dataset,
                self.operand("filters"),
                index[0] if len(index) == 1 else None,
                bool(self.operand("calculate_divisions")),
                self.operand("split_row_groups"),
                self.operand("blocksize"),
                self.operand("aggregate_files"),
            )
        return found

    def partition_pieces(self) -> Sequence[tuple[Piece, ...]]:
        """By partition the pieces of files that make it, in order: ``(path, row_groups,
        folder_values)``, where ``row_groups`` is None for a whole file.

        Row groups that statistics rule out are left out; ``filters`` still have to be applied
        to the rows of the others.
        """
        pieces = self.plan.pieces
        chosen = self.operand("_partitions")
        return pieces if chosen is None else [pieces[i] for i in chosen]

    def _row_counts(self) -> list[int] | None:
        """The numbers of rows by partition, from the footers; None where filters choose rows."""
        if self.operand("filters"):
            return None
        counts = {}
        for position, fragment in enumerate(self.dataset.fragments):
            counts[fragment.path] = position
        self.dataset.read_footers(self.dataset.fragments)
        found = []
        for pieces in self.partition_pieces():
            total = 0
            for piece in pieces:
                groups = self.dataset.fragments[counts[piece.path]].row_groups
                wanted = None if piece.row_groups is None else set(piece.row_groups)
                total += sum(g.num_rows for g in groups if wanted is None or g.id in wanted)
            found.append(total)
        return found

    def _divisions(self) -> Sequence[Any]:
        plan, chosen = self.plan, self.operand("_partitions")
        divisions = plan.divisions()
        if chosen is None:
            return divisions
        ascending = all(a < b for a, b in zip(chosen, chosen[1:], strict=False))
        if divisions[0] is None or not chosen or not ascending:
            return (None,) * (len(chosen) + 1)
        return [divisions[i] for i in chosen] + [divisions[chosen[-1] + 1]]

    # -- reading -----------------------------------------------------------------------

    @functools.cached_property
    def settings(self) -> ReadSettings:
        """What each task needs to know beside its pieces of files."""
        options = self.operand("options") or {}
        fields = self.dataset.fields_of_folders
        return ReadSettings(
            filesystem=self.operand("filesystem"),
            schema=self.dataset.schema,
            columns=self.data_columns,
            index=self.index_columns,
            filters=self.operand("filters"),
            categories=self._categorical_columns(),
            decodes=self.operand("categories") is not None,
            folder_fields=fields,
            first_file=self.paths[0] if self.paths else "",
            keeps_range_index=self.operand("index") is None,
            keeps_labels=self.operand("keeps_labels"),
            dtype_backend=self.operand("dtype_backend"),
            convert_string=self.operand("convert_string"),
            arrow_to_pandas=options.get("arrow_to_pandas", {}),
            read_options=options.get("read", {}),
        )

    def _categorical_columns(self) -> list[str]:
        chosen = self.operand("categories")
        if chosen is not None:
            return list(chosen)
        noted = (self.dataset.schema.pandas_metadata or {}).get("columns", ())
        if self.operand("dtype_backend") == "pyarrow":
            return []
        return [c["field_name"] for c in noted if c["pandas_type"] == "categorical"]

    @functools.cached_property
    def _meta(self) -> Any:
        settings = self.settings
        meta = get_engine(self.operand("engine")).read_partition((), settings)
        known = {name for name, values in settings.folder_fields.items() if values is not None}
        return with_unknown_categories(meta, known)

    def _task(self, key: Any, index: int) -> Task:
        chosen = self.operand("_partitions")
        position = index if chosen is None else chosen[index]
        reader = get_engine(self.operand("engine")).read_partition
        pieces = self.plan.pieces[position]
        return Task(key, reader, pieces, self.settings, _data_producer=True)

    # -- rewriting ---------------------------------------------------------------------

    def _with(self, **operands: Any) -> ReadParquet:
        return self.substitute_parameters(operands)  # type: ignore[return-value]

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        from samite.dataframe.expressions.reductions import Length
        from samite.dataframe.expressions.selection import (
            Filter,
            IndexOf,
            Partitions,
            Projection,
        )

        if isinstance(parent, Projection):
            wanted = columns_wanted(self, dependents)
            if wanted is None or wanted == self.data_columns:
                return None
            return Projection(self._with(columns=wanted), parent.operand("columns"))
        if isinstance(parent, Length) and self.data_columns:
            # Rows are counted without their values; what filters need is read all the same.
            readers = [reference() for reference in dependents[self._name]]
            if all(isinstance(reader, Length) for reader in readers if reader is not None):
                return Length(self._with(columns=[], index=False, keeps_labels=False))
            return None
        if isinstance(parent, IndexOf) and self.data_columns:
            readers = [reference() for reference in dependents[self._name]]
            if all(isinstance(reader, IndexOf) for reader in readers if reader is not None):
                return IndexOf(self._with(columns=[]))
            return None
        if isinstance(parent, Filter) and parent.frame._name == self._name:
            return self.filtered_by(parent, dependents)
        if isinstance(parent, Partitions):
            before = self.operand("_partitions")
            chosen = list(parent.partitions)
            return self._with(_partitions=chosen if before is None else [before[i] for i in chosen])
        return None

    def filtered_by(self, parent: Any, dependents: Mapping[str, Any]) -> ReadParquet | None:
        """This, reading only the rows that the predicate of ``parent``, a filter, lets pass; None
        where that would change more than rows."""
        predicate = parent.predicate
        if self.operand("_partitions") is not None or self.known_divisions:
            return None
        found = filters_of_predicate(predicate, self)
        if found is None or not _same_for_missing(found, self._meta_of_all):
            return None
        if not may_lose_partitions(parent, dependents):
            return None
        if self.index_columns:
            return self._with(filters=combined(self.operand("filters"), found))
        # Rows are labelled by their place among the rows of the partition.
        if self.plan.splits_files or (self.operand("filters") and not self.operand("keeps_labels")):
            return None
        return self._with(filters=combined(self.operand("filters"), found), keeps_labels=True)

    def name_of_rows_filtered_by(self, predicate: Any) -> str | None:
        """The :attr:`name_of_rows` of what :meth:`filtered_by` answers for a filter; None where the
        predicate has no form for files."""
        found = filters_of_predicate(predicate, self)
        if found is None:
            return None
        filters = combined(self.operand("filters"), found)
        labels = {} if self.index_columns else {"keeps_labels": True}
        return self._with(filters=filters, **labels).name_of_rows

    @functools.cached_property
    def _meta_of_all(self) -> Any:
        return self._with(columns=None, _partitions=None)._meta

    def _operands_for_repr(self) -> list[str]:
        parts = [f"files={len(self.paths)}"]
        for name in ("columns", "filters", "index"):
            if self.operand(name) is not None:
                parts.append(f"{name}={self.operand(name)!r}")
        return parts


def _same_for_missing(filters: Any, meta: Any) -> bool:
    """Whether missing values pass the filters as they pass the predicate of pandas: dtypes that
    have a missing value of their own say neither yes nor no to inequality."""
    for group in filters:
        for column, operator, _ in group:
            if operator != "!=":
                continue
            dtype = meta[column].dtype if column in meta.columns else meta.index.dtype
            if isinstance(dtype, pd.api.extensions.ExtensionDtype):
                missing = getattr(dtype, "na_value", None)
                if missing is pd.NA:
                    return False
    return True


def with_unknown_categories(meta: Any, known: Any = ()) -> Any:
    """Metadata in which the categories of columns, but those named ``known``, are not known."""
    from samite.dataframe.known_categories import clear_known_categories

    columns = [
        column
        for column, dtype in meta.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype) and column not in known
    ]
    index = isinstance(meta.index.dtype, pd.CategoricalDtype) and meta.index.name not in known
    return clear_known_categories(meta, cols=columns, index=index)


_LEGACY_OPTIONS = {
    "read_from_paths",
    "gather_statistics",
    "chunksize",
    "file_path",
    "open_file_options",
    "use_nullable_dtypes",
    "require_extension",
}


@dataframe_creation_dispatch.register_inplace("pandas")
def read_parquet(
    path: Any = None,
    columns: Any = None,
    filters: Any = None,
    categories: Any = None,
    index: Any = None,
    storage_options: Any = None,
    dtype_backend: str | None = None,
    calculate_divisions: bool | None = False,
    ignore_metadata_file: bool = False,
    metadata_task_size: int | None = None,
    split_row_groups: Any = "infer",
    blocksize: Any = "default",
    aggregate_files: Any = None,
    parquet_file_extension: Any = EXTENSIONS,
    filesystem: Any = "fsspec",
    engine: Any = None,
    arrow_to_pandas: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """A data frame of Parquet files.

    Parameters
    ----------
    path:
        A folder, a file, a pattern with ``*``, or a list of them. Folders named like
        ``year=2024`` give categorical columns.
    columns:
        The columns to read, in order; one label alone gives a series. By default all that are
        not in the index.
    filters:
        Which rows to read: a list of ``(column, operator, value)``, all of which have to hold, or
        a list of such lists, one of which has to hold. Row groups of which statistics say that no
        row passes are not read.
    categories:
        Columns that become categorical; by default those that pandas wrote as such.
    index:
        The column, or columns, of the index; False for none. By default what pandas noted.
    calculate_divisions:
        Whether to find the divisions in the statistics of the footers, which are all read then.
    split_row_groups:
        What makes a partition: False, a file; True, a row group; a number of row groups;
        "adaptive", row groups of ``blocksize`` bytes together; "infer", False unless the
        first file has more than twice ``blocksize``.
    blocksize:
        Bytes, uncompressed, of a partition; 256 MiB by default.
    aggregate_files:
        Whether files may be joined to a partition; or up to which column of the folders' names
        they have to agree for that.
    parquet_file_extension:
        What the names of files in a folder end with; None to take all.
    filesystem:
        "fsspec", "arrow", or a filesystem of either.
    engine:
        "auto", "pyarrow" or a class of engine.
    arrow_to_pandas:
        Options for ``pyarrow.Table.to_pandas``.
    kwargs:
        ``dataset=`` and ``read=`` are dicts of options for pyarrow's datasets and for reading;
        the others are for engines of one's own.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder.
    ValueError
        Columns are not there, an option has no such value, or schemas do not fit together.
    TypeError
        Filters have the wrong form.
    """
    if path is None:
        raise TypeError("read_parquet needs a path")
    chosen_engine = get_engine(engine)
    unknown = [k for k, v in kwargs.items() if k not in _LEGACY_OPTIONS and not isinstance(v, dict)]
    if unknown:
        raise TypeError(f"read_parquet has no arguments {unknown}")
    checked = checked_filters(filters)
    options = {
        "dataset": dict(kwargs.get("dataset") or {}),
        "read": dict(kwargs.get("read") or {}),
        "arrow_to_pandas": dict(arrow_to_pandas or {}),
    }
    extension = options["dataset"].pop("require_extension", parquet_file_extension)
    given_filesystem = options["dataset"].pop("filesystem", None)
    if filesystem in (None, "fsspec") and given_filesystem is not None:
        filesystem = given_filesystem
    found, paths = find_filesystem(path, filesystem, storage_options)
    many = not isinstance(path, str) and isinstance(path, Sequence)
    listing = list_files(found, paths, extension, ignore_metadata_file or many)
    expr = ReadParquet(
        found,
        listing,
        _listed(columns),
        checked,
        False if index is False else _listed(index),
        _listed_categories(categories),
        dtype_backend,
        bool(calculate_divisions),
        _checked_split(split_row_groups),
        _bytes(blocksize),
        aggregate_files,
        config.get("dataframe.convert-string", None),
        None if chosen_engine is get_engine(None) else chosen_engine,
        {kind: given for kind, given in options.items() if given},
    )
    _check_columns(expr)
    if index is None and expr.noted_index_columns:
        # Settled here, so that it stays what it is when fewer columns are read.
        expr = expr._with(index=expr.index_columns or False)
    from samite.dataframe.collections import new_collection

    _RECENT.append(expr)
    result = new_collection(expr)
    return result[columns] if isinstance(columns, str) else result


# Expressions of equal names are one object while somebody holds it: who reads the same files
# again, which have not changed, finds the schema and the metadata.
_RECENT: collections.deque[ReadParquet] = collections.deque(maxlen=64)


def _listed(names: Any) -> list[Any] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)


def _listed_categories(names: Any) -> list[Any] | None:
    return _listed(list(names) if isinstance(names, dict) else names)


def _checked_split(split: Any) -> Any:
    import numpy as np

    if split in ("infer", "adaptive") or isinstance(split, (bool, np.bool_)):
        return split
    if isinstance(split, (int, np.integer)) and split > 0:
        return int(split)
    raise ValueError(
        "split_row_groups must be 'infer', 'adaptive', True, False or a positive number, "
        f"got {split!r}"
    )


def _bytes(blocksize: Any) -> int | None:
    from samite.utils import parse_bytes

    if blocksize == "default":
        return DEFAULT_BLOCKSIZE
    return None if blocksize is None else int(parse_bytes(blocksize))


def _check_columns(expr: ReadParquet) -> None:
    """Refuse labels that the files do not have.

    Raises
    ------
    ValueError
        There are such, or columns are asked for as index as well.
    """
    import difflib

    names = expr.dataset.schema.names
    for use, asked in (
        ("columns", expr.operand("columns") or []),
        ("index", expr.index_columns),
        ("categories", expr.operand("categories") or []),
        ("filters", columns_of(expr.operand("filters"))),
    ):
        missing = [c for c in asked if c not in names]
        if missing and expr.paths:
            near = difflib.get_close_matches(str(missing[0]), list(map(str, names)), 3)
            hint = f"; did you mean {near}?" if near else f"; the files have {names}"
            raise ValueError(f"read_parquet: the {use} {missing} are not in the files{hint}")
    both = [c for c in expr.operand("columns") or [] if c in expr.index_columns]
    if both:
        raise ValueError(f"read_parquet: {both} are asked for as index and as columns")


__all__ = ["Filesystem", "Listing", "ReadParquet", "read_parquet"]
