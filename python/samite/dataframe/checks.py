"""Checks of what partitions are against what was said of them."""

from __future__ import annotations

from typing import Any

from samite.dataframe.known_categories import UNKNOWN_CATEGORIES


def check_meta(x: Any, meta: Any, funcname: str | None = None, numeric_equal: bool = True) -> Any:
    """``x`` itself, if its type, columns and dtypes are those of ``meta``.

    Parameters
    ----------
    funcname:
        What made it, for the message.
    numeric_equal:
        Whether all dtypes of numbers count as equal.

    Raises
    ------
    ValueError
        They are not; the message has a table of what was found and expected.
    """
    import pandas as pd

    if not _same_kind(x, meta):
        detail = (
            f"Expected partition of type `{_type_name(type(meta))}` but got `{_type_name(type(x))}`"
        )
    elif isinstance(meta, pd.DataFrame):
        bad = _differences(x, meta, numeric_equal)
        if not bad:
            check_matching_columns(meta, x)
            return x
        table = ascii_table(["Column", "Found", "Expected"], bad)
        detail = f"Partition type: `{_type_name(type(meta))}`\n{table}"
    else:
        if _equal_dtypes(getattr(x, "dtype", None), getattr(meta, "dtype", None), numeric_equal):
            return x
        table = ascii_table(["", "dtype"], [("Found", x.dtype), ("Expected", meta.dtype)])
        detail = f"Partition type: `{_type_name(type(meta))}`\n{table}"
    where = f" in `{funcname}`" if funcname else ""
    raise ValueError(f"Metadata mismatch found{where}.\n\n{detail}")


def _same_kind(x: Any, meta: Any) -> bool:
    import pandas as pd

    for kind in (pd.DataFrame, pd.Series, pd.Index):
        if isinstance(meta, kind):
            return isinstance(x, kind)
    return True


def _differences(x: Any, meta: Any, numeric_equal: bool) -> list[tuple[str, Any, Any]]:
    found = dict(zip(x.columns, x.dtypes, strict=True))
    expected = dict(zip(meta.columns, meta.dtypes, strict=True))
    bad = []
    for column in sorted({*found, *expected}, key=str):
        a, b = found.get(column, "-"), expected.get(column, "-")
        if isinstance(a, str) or isinstance(b, str) or not _equal_dtypes(a, b, numeric_equal):
            bad.append((repr(column), a, b))
    return bad


def _equal_dtypes(a: Any, b: Any, numeric_equal: bool) -> bool:
    import pandas as pd

    if isinstance(a, pd.CategoricalDtype) and isinstance(b, pd.CategoricalDtype):
        if UNKNOWN_CATEGORIES in a.categories or UNKNOWN_CATEGORIES in b.categories:
            return True
        return a == b
    if isinstance(a, pd.CategoricalDtype) or isinstance(b, pd.CategoricalDtype):
        return False
    numeric = {"i", "u", "f"}
    if (
        numeric_equal
        and getattr(a, "kind", None) in numeric
        and getattr(b, "kind", None) in numeric
    ):
        return True
    # A string may be an object, and the other way round, since both hold strings.
    return a == b and (numeric_equal or str(a) == str(b))


def _type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def ascii_table(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    """A table of text with lines around it."""
    cells = [tuple(str(cell) for cell in row) for row in rows]
    widths = [max(len(title), *(len(row[n]) for row in cells)) for n, title in enumerate(columns)]
    line = "+" + "+".join("-" * (width + 2) for width in widths) + "+"

    def written(row: Any) -> str:
        return "|" + "|".join(f" {c:<{w}} " for c, w in zip(row, widths, strict=True)) + "|"

    return "\n".join([line, written(columns), line, *map(written, cells), line])


def check_matching_columns(meta: Any, actual: Any) -> None:
    """Raise ValueError unless ``actual`` has the columns of ``meta``, in their order."""
    import numpy as np
    import pandas as pd

    found, expected = list(actual.columns), list(meta.columns)
    if len(found) == len(expected):
        same = [
            a == b or (pd.api.types.is_scalar(a) and a is not None and _both_nan(a, b))
            for a, b in zip(found, expected, strict=True)
        ]
        if np.all(same):
            return
    extra = [column for column in found if column not in expected]
    missing = [column for column in expected if column not in found]
    if extra or missing:
        detail = f"  Extra:   {extra}\n  Missing: {missing}"
    else:
        detail = f"Order of columns does not match.\nActual:   {found}\nExpected: {expected}"
    raise ValueError(
        "The columns in the computed data do not match the columns in the provided metadata.\n"
        f"{detail}"
    )


def _both_nan(a: Any, b: Any) -> bool:
    return a != a and b != b
