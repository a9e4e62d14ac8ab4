"""Values of text files that are not of the dtypes that were inferred from a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def coerce_dtypes(frame: pd.DataFrame, dtypes: dict[Any, Any]) -> None:
    """Convert columns, in place, to the dtypes that are expected of them.

    Raises
    ------
    ValueError
        Some cannot be converted without loss; the message says for which to give dtypes.
    """
    bad_dtypes: list[tuple[Any, Any, Any]] = []
    bad_dates: list[Any] = []
    errors: list[tuple[Any, Exception]] = []
    for column in frame.columns:
        expected, found = dtypes.get(column), frame[column].dtype
        if expected is None or found == expected or isinstance(expected, pd.CategoricalDtype):
            continue
        if _is_date(expected) and not _is_date(found):
            if len(frame) and not frame[column].isna().all():
                bad_dates.append(column)
                continue
        elif (_is_float(found) and _is_integer(expected)) or _is_boolean(expected):
            # Neither integers nor booleans have a missing value.
            if len(frame):
                bad_dtypes.append((column, found, expected))
                continue
        try:
            frame[column] = frame[column].astype(expected)
        except (ValueError, TypeError) as error:
            bad_dtypes.append((column, found, expected))
            errors.append((column, error))
    if bad_dtypes or bad_dates:
        raise ValueError(_explanation(bad_dtypes, bad_dates, errors))


def _is_date(dtype: Any) -> bool:
    return isinstance(dtype, pd.DatetimeTZDtype) or getattr(dtype, "kind", "") == "M"


def _is_float(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind == "f"


def _is_integer(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "iu"


def _is_boolean(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind == "b"


def _name(dtype: Any) -> str:
    return "object" if isinstance(dtype, pd.StringDtype) else str(dtype)


def _explanation(
    bad_dtypes: list[tuple[Any, Any, Any]],
    bad_dates: list[Any],
    errors: list[tuple[Any, Exception]],
) -> str:
    parts = ["Mismatched dtypes found in `pd.read_csv`/`pd.read_table`."]
    if bad_dtypes:
        rows = sorted((str(c), _name(a), _name(e)) for c, a, e in bad_dtypes)
        parts.append(_table([("Column", "Found", "Expected"), *rows]))
        if errors:
            told = sorted(errors, key=lambda pair: str(pair[0]))
            parts.append("\n\n".join(f"- {column}\n  {error!r}" for column, error in told))
        wanted = ",\n       ".join(
            f"{column!r}: {_name(found)!r}"
            for column, found, _ in sorted(bad_dtypes, key=lambda row: str(row[0]))
        )
        parts.append(
            "Usually this is due to dask's dtype inference failing, and\n"
            "*may* be fixed by specifying dtypes manually by adding:\n\n"
            f"dtype={{{wanted}}}\n\n"
            "to the call to `read_csv`/`read_table`."
        )
        if all(_is_float(found) and _is_integer(expected) for _, found, expected in bad_dtypes):
            parts.append(
                "Alternatively, provide `assume_missing=True` to interpret\n"
                "all unspecified integer columns as floats."
            )
    if bad_dates:
        also = "also " if bad_dtypes else ""
        if bad_dtypes:
            parts.append("-" * 61)
        names = "\n".join(f"- {column}" for column in sorted(map(str, bad_dates)))
        parts.append(
            f"The following columns {also}failed to properly parse as dates:\n\n{names}\n\n"
            "This is usually due to an invalid value in that column. To\n"
            "diagnose and fix it's recommended to drop these columns from the\n"
            "`parse_dates` keyword, and manually convert them to dates later\n"
            "using `dd.to_datetime`."
        )
    return "\n\n".join(parts)


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    line = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return "\n".join([line, texts[0], line, *texts[1:], line])
