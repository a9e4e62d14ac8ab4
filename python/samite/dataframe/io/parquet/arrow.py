"""Parquet partitions by pyarrow: files to Arrow tables to pandas, and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pandas as pd

from samite.dataframe.io.parquet.filters import arrow_expression, columns_of
from samite.dataframe.io.parquet.utils import Engine

__all__ = ["ArrowDatasetEngine"]

# The name of the column that an index without a name is kept in.
NULL_INDEX = "__null_dask_index__"


@dataclasses.dataclass
class ReadSettings:
    """What reading a partition needs to know beside the pieces of files.

    ``columns`` are those of the result, in order; ``index`` the columns of its index (empty:
    none). ``folder_fields`` are the columns that the names of folders hold, each with its
    categories, or None for plain values. ``first_file`` is where ``schema`` comes from.
    ``decodes``: columns that were written as categoricals
    are plain ones unless they are among ``categories``. ``keeps_labels``: filtered rows have the
    positions in the file as labels that they have without a filter.
    """

    filesystem: Any
    schema: Any
    columns: list[str]
    index: list[str]
    filters: Any = None
    categories: list[str] = dataclasses.field(default_factory=list)
    decodes: bool = False
    folder_fields: dict[str, list[Any] | None] = dataclasses.field(default_factory=dict)
    first_file: str = ""
    keeps_range_index: bool = True
    keeps_labels: bool = False
    dtype_backend: str | None = None
    convert_string: bool | None = None
    arrow_to_pandas: dict[str, Any] = dataclasses.field(default_factory=dict)
    read_options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class WriteSettings:
    """What writing a partition needs to know beside its rows.

    ``index`` is whether to write the index; ``metadata`` are keys and values for the footer.
    ``loose`` are the columns whose types the rows of each partition decide on.
    """

    filesystem: Any
    schema: Any
    index: bool
    loose: frozenset[str]
    compression: Any
    metadata: dict[bytes, bytes] | None
    options: dict[str, Any]
    collects_metadata: bool


class ArrowDatasetEngine(Engine):
    """Reads and writes by pyarrow."""

    @classmethod
    def read_partition(cls, pieces: Any, settings: ReadSettings) -> pd.DataFrame:
        """The rows of pieces of files as one pandas frame.

        Raises
        ------
        ArrowInvalid, ArrowTypeError, OSError
            A file is damaged, or its schema does not fit that of the dataset; it is named.
        """
        if not pieces:
            return cls.frame_of(_empty_table(settings), settings)
        frames = [cls._frame_of_piece(piece, settings) for piece in pieces]
        return frames[0] if len(frames) == 1 else pd.concat(frames)

    @classmethod
    def _frame_of_piece(cls, piece: Any, settings: ReadSettings) -> pd.DataFrame:
        table, places = cls._read_table(piece, settings)
        frame = cls.frame_of(table, settings, piece.folder_values)
        return frame if places is None else frame.set_axis(places)

    @classmethod
    def _read_table(cls, piece: Any, settings: ReadSettings) -> tuple[Any, Any]:
        """The wanted columns and rows of a piece of a file as an Arrow table; and the labels of
        the rows, if these are to be those that they have without a filter."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        expression = None
        for name, value in piece.folder_values:
            field = ds.field(name)
            term = field.is_null() if value is None else field == value
            expression = term if expression is None else expression & term
        options = dict(settings.read_options)
        options.setdefault("use_threads", False)
        # Coalescing reads pays where each has a latency, and costs where there is none.
        scan = ds.ParquetFragmentScanOptions(pre_buffer=not settings.filesystem.is_local)
        file_format = ds.ParquetFileFormat(
            **{"default_fragment_scan_options": scan, **options.pop("format", {})}
        )
        columns = [c for c in _needed(settings) if not _is_categorical(settings, c)]
        wanted = arrow_expression(settings.filters)
        try:
            if wanted is None and not settings.read_options:
                table = _read_plainly(piece, columns, settings)
                if table is not None:
                    return table, None
            fragment = file_format.make_fragment(
                piece.path,
                filesystem=settings.filesystem.arrow,
                partition_expression=expression,
                row_groups=None if piece.row_groups is None else list(piece.row_groups),
            )
            _check_types(piece.path, fragment.physical_schema, columns, settings)
            if wanted is None or not settings.keeps_labels:
                return fragment.to_table(
                    schema=settings.schema, columns=columns, filter=wanted, **options
                ), None
            table = fragment.to_table(
                schema=settings.schema,
                columns=list(dict.fromkeys(columns + columns_of(settings.filters))),
                **options,
            )
            places = _places(fragment, settings)
            table = table.append_column("", pa.array(places)).filter(wanted)
            return table.select(columns), table.column("").to_numpy()
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as error:
            raise type(error)(f"read_parquet: the file {piece.path!r}: {error}") from error

    @classmethod
    def frame_of(cls, table: Any, settings: ReadSettings, folder_values: Any = ()) -> pd.DataFrame:
        """A table as a pandas frame with the wanted columns and index."""
        if not table.column_names:
            # Arrow forgets how many rows a table without columns has.
            table, rows = _with_pandas_metadata(table, settings), table.num_rows
            noted = (table.schema.pandas_metadata or {}).get("index_columns", [])
            return _bare_frame(rows, noted, settings, folder_values)
        table = _with_pandas_metadata(table, settings)
        categories = [c for c in settings.categories if c in table.column_names]
        frame = cls._arrow_table_to_pandas(
            table,
            categories,
            dtype_backend=settings.dtype_backend,
            convert_string=settings.convert_string,
            **settings.arrow_to_pandas,
        )
        frame = _with_folder_columns(frame, settings, folder_values)
        if settings.index:
            if not _pandas_makes_index(settings):
                frame = frame.set_index(settings.index)
            if settings.index == [NULL_INDEX]:
                frame.index.name = None
        names = frame.columns.name
        frame = frame[settings.columns]
        frame.columns.name = names
        return frame

    @classmethod
    def _arrow_table_to_pandas(
        cls,
        arrow_table: Any,
        categories: Any,
        dtype_backend: str | None = None,
        convert_string: bool | None = None,
        **kwargs: Any,
    ) -> pd.DataFrame:
        """An Arrow table as pandas has it.

        Parameters
        ----------
        categories:
            Columns that are to be categorical.
        dtype_backend:
            "numpy_nullable", "pyarrow" or None.
        convert_string:
            Whether strings become ``string[pyarrow]`` instead of pandas' own default. False: nor do
            dates and decimals become Arrow's, but objects.
        """
        options = {"use_threads": False, **kwargs}
        mapper = types_mapper(options.pop("types_mapper", None), dtype_backend, convert_string)
        objects_wanted = bool({"timestamp_as_object", "date_as_object"} & set(kwargs))
        if dtype_backend is None and not convert_string and kwargs.get("types_mapper") is None:
            mapper = None if objects_wanted else mapper
        return arrow_table.to_pandas(categories=categories, types_mapper=mapper, **options)

    @classmethod
    def write_partition(cls, frame: pd.DataFrame, path: str, settings: WriteSettings) -> Any:
        """Write the rows of a frame to the file ``path``; gives the metadata of the file."""
        import pyarrow.parquet as pq

        table = cls._pandas_to_arrow_table(frame, settings)
        if settings.metadata:
            merged = {**(table.schema.metadata or {}), **settings.metadata}
            table = table.replace_schema_metadata(merged)
        collected: list[Any] = []
        options = dict(settings.options)
        with _opened_for_writing(path, settings) as file:
            pq.write_table(
                table,
                file,
                compression=settings.compression,
                metadata_collector=collected,
                **options,
            )
        return collected[0] if settings.collects_metadata else None

    @classmethod
    def _pandas_to_arrow_table(cls, frame: pd.DataFrame, settings: WriteSettings) -> Any:
        """The rows as an Arrow table of the schema that is asked for.

        Raises
        ------
        ValueError
            They do not fit it.
        """
        import pyarrow as pa

        schema = settings.schema
        try:
            if schema is not None and settings.loose:
                found = pa.Schema.from_pandas(frame, preserve_index=settings.index)
                for name in settings.loose:
                    position = schema.get_field_index(name)
                    schema = schema.set(position, found.field(name))
            return pa.Table.from_pandas(
                frame, nthreads=1, preserve_index=settings.index, schema=schema
            )
        except (pa.ArrowException, TypeError, KeyError) as error:
            if schema is None:
                raise
            raise ValueError(
                "Failed to convert partition to expected pyarrow schema:\n"
                f"    `{error!r}`\n\nExpected partition schema:\n{_indented(schema)}\n\n"
                f"Received partition schema:\n{_schema_or_reason(frame, settings.index)}\n\n"
                "Convert the columns that differ, or give their types as `schema=` in "
                "`to_parquet`."
            ) from error


def _opened_for_writing(path: str, settings: WriteSettings) -> Any:
    if settings.filesystem.is_local:
        return settings.filesystem.arrow.open_output_stream(path)
    return settings.filesystem.spec.open(path, "wb")


def _read_plainly(piece: Any, columns: list[str], settings: ReadSettings) -> Any:
    """The columns of a piece by the plain reader of files, which is faster than that of datasets;
    None where columns are not in the file, or are of other types than in the schema."""
    import pyarrow.parquet as pq

    if not columns or any("." in column for column in columns):
        return None
    with settings.filesystem.arrow.open_input_file(piece.path) as opened:
        file = pq.ParquetFile(opened, pre_buffer=not settings.filesystem.is_local)
        schema = file.schema_arrow
        for column in columns:
            position = schema.get_field_index(column)
            if position < 0 or schema.field(position).type != settings.schema.field(column).type:
                return None
        if piece.row_groups is None:
            return file.read(columns=columns, use_threads=False)
        return file.read_row_groups(list(piece.row_groups), columns=columns, use_threads=False)


def _check_types(path: str, found: Any, columns: list[str], settings: ReadSettings) -> None:
    """Refuse a file whose columns are of another kind than those of the dataset.

    Raises
    ------
    ValueError
        One is; both files are named.
    """
    for column in columns:
        position = found.get_field_index(column)
        if position < 0:
            continue
        own, wanted = found.field(position).type, settings.schema.field(column).type
        if (
            own != wanted
            and _family(own) != _family(wanted)
            and "null" not in (str(own), str(wanted))
        ):
            raise ValueError(
                f"read_parquet: the schemas of {settings.first_file!r} and {path!r} differ: the "
                f"column {column!r} is of type {wanted} in the first and {own} in the second. "
                "Write one of them again with the type of the other, or read them apart."
            )


def _family(kind: Any) -> str:
    """Types of one family are converted to each other where no value is lost."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "time"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "binary"
    return "nested" if pa.types.is_nested(kind) else str(kind)


def _places(fragment: Any, settings: ReadSettings) -> Any:
    """The labels of the rows of a fragment in the whole file."""
    import numpy as np

    fragment.ensure_complete_metadata()
    metadata = fragment.metadata
    counts = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    starts = np.concatenate([[0], np.cumsum(counts)])
    ids = [group.id for group in fragment.row_groups]
    parts = [np.arange(starts[i], starts[i + 1]) for i in ids]
    places = np.concatenate(parts) if parts else np.arange(0)
    for noted in (metadata.schema.to_arrow_schema().pandas_metadata or {}).get("index_columns", ()):
        if isinstance(noted, dict) and settings.keeps_range_index:
            if len(range(noted["start"], noted["stop"], noted["step"])) == starts[-1]:
                return noted["start"] + places * noted["step"]
    return places


def _schema_or_reason(frame: pd.DataFrame, index: bool) -> str:
    import pyarrow as pa

    try:
        return _indented(pa.Schema.from_pandas(frame, preserve_index=index))
    except pa.ArrowException as error:
        return f"    (not known: {error})"


def _indented(schema: Any) -> str:
    text = schema.to_string(show_schema_metadata=False)
    return "\n".join(f"    {line}" for line in text.splitlines())


def _needed(settings: ReadSettings) -> list[str]:
    return list(dict.fromkeys([*settings.columns, *settings.index]))


def _pandas_makes_index(settings: ReadSettings) -> bool:
    """Whether the wanted index is what pandas noted, so that it knows its name and dtype."""
    noted = (settings.schema.pandas_metadata or {}).get("index_columns", [])
    return settings.index == noted and not set(settings.index) & set(settings.columns)


def _is_categorical(settings: ReadSettings, column: str) -> bool:
    return settings.folder_fields.get(column) is not None


def _folder_dtype(settings: ReadSettings, name: str, values: list[Any]) -> pd.CategoricalDtype:
    import pyarrow as pa

    kind = settings.schema.field(name).type
    if pa.types.is_integer(kind):
        return pd.CategoricalDtype(pd.Index(values, dtype=kind.to_pandas_dtype()))
    return pd.CategoricalDtype(pd.Index(values))


def _with_folder_columns(frame: pd.DataFrame, settings: ReadSettings, values: Any) -> pd.DataFrame:
    """The frame with the categorical columns that the names of folders hold."""
    given = dict(values)
    for name, categories in settings.folder_fields.items():
        if categories is not None and name in _needed(settings):
            dtype = _folder_dtype(settings, name, categories)
            code = dtype.categories.get_loc(given[name]) if given.get(name) is not None else -1
            frame[name] = pd.Categorical.from_codes([code] * len(frame), dtype=dtype)
    return frame


def _bare_frame(rows: int, noted: Any, settings: ReadSettings, values: Any) -> pd.DataFrame:
    """Rows of which no column is in the file."""
    index = pd.RangeIndex(rows)
    for found in noted:
        if isinstance(found, dict):
            given = pd.RangeIndex(found["start"], found["stop"], found["step"], name=found["name"])
            index = given if len(given) == rows else index.rename(found["name"])
    frame = _with_folder_columns(pd.DataFrame(index=index), settings, values)
    return frame.set_index(settings.index)[settings.columns] if settings.index else frame


def _empty_table(settings: ReadSettings) -> Any:
    names = [c for c in _needed(settings) if not _is_categorical(settings, c)]
    return settings.schema.empty_table().select(names)


def _with_pandas_metadata(table: Any, settings: ReadSettings) -> Any:
    """The table with what pandas noted about the file, changed to the index that is wanted."""
    raw = (settings.schema.metadata or {}).get(b"pandas")
    if raw is None:
        return table
    noted = json.loads(raw)
    ranges = [c for c in noted.get("index_columns", []) if isinstance(c, dict)]
    if not _pandas_makes_index(settings):
        noted["index_columns"] = ranges if settings.keeps_range_index and not settings.index else []
    if settings.decodes:
        for column in noted["columns"]:
            dropped = column["pandas_type"] == "categorical"
            if dropped and column["field_name"] not in settings.categories:
                table = _decoded(table, column["field_name"])
                column.update(pandas_type="unicode", numpy_type="object", metadata=None)
    metadata = {**(table.schema.metadata or {}), b"pandas": json.dumps(noted).encode()}
    return table.replace_schema_metadata(metadata)


def _decoded(table: Any, name: str) -> Any:
    import pyarrow as pa

    if name not in table.column_names:
        return table
    position = table.column_names.index(name)
    column = table.column(position)
    if not pa.types.is_dictionary(column.type):
        return table
    return table.set_column(position, name, column.cast(column.type.value_type))


def types_mapper(given: Any, dtype_backend: str | None, convert_string: bool | None) -> Any:
    """Which pandas dtype an Arrow type becomes, as ``Table.to_pandas`` asks for it.

    Dates and decimals stay Arrow's, since pandas has only objects for them, unless
    ``convert_string`` is False; what ``given`` says goes first.
    """
    import pyarrow as pa

    if dtype_backend not in (None, "numpy_nullable", "pyarrow"):
        raise ValueError(
            f"dtype_backend {dtype_backend!r} is invalid, only 'numpy_nullable' and 'pyarrow' are "
            "allowed."
        )
    nullable = _nullable_dtypes() if dtype_backend == "numpy_nullable" else {}
    strings = pd.StringDtype("pyarrow") if convert_string else None

    def dtype_of(kind: Any) -> Any:
        found = given(kind) if given is not None else None
        if found is not None:
            return found
        if dtype_backend == "pyarrow":
            return pd.ArrowDtype(kind)
        if strings is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return strings
        if kind in nullable:
            return nullable[kind]
        if convert_string is not False and (pa.types.is_date(kind) or pa.types.is_decimal(kind)):
            return pd.ArrowDtype(kind)
        return None

    return dtype_of


def _nullable_dtypes() -> dict[Any, Any]:
    import pyarrow as pa

    found: dict[Any, Any] = {
        getattr(pa, f"{prefix}int{bits}")(): getattr(
            pd, f"{'UInt' if prefix else 'Int'}{bits}Dtype"
        )()
        for prefix in ("", "u")
        for bits in (8, 16, 32, 64)
    }
    found[pa.bool_()] = pd.BooleanDtype()
    found[pa.float32()] = pd.Float32Dtype()
    found[pa.float64()] = pd.Float64Dtype()
    found[pa.string()] = pd.StringDtype()
    found[pa.large_string()] = pd.StringDtype()
    return found
