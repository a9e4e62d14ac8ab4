"""Strings of Python as Arrow's strings.

The setting ``dataframe.convert-string`` says whether sources turn columns of objects and strings
into ``string[pyarrow]``. They do so where it is true; otherwise partitions keep the dtypes that
pandas gives them.
"""

from __future__ import annotations

from typing import Any


def pyarrow_strings_enabled() -> bool:
    """Whether sources turn objects and strings into strings of Arrow."""
    from samite import config

    return config.get("dataframe.convert-string", None) is True


def get_string_dtype() -> str:
    """The name of the dtype that strings have in frames of sources."""
    return "string[pyarrow]" if pyarrow_strings_enabled() else "str"


def is_pyarrow_string_dtype(dtype: Any) -> bool:
    """Whether a dtype is a string of Arrow."""
    import pandas as pd

    if isinstance(dtype, pd.StringDtype):
        return dtype.storage == "pyarrow" and dtype.na_value is pd.NA
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow as pa

        return dtype.pyarrow_dtype in (pa.string(), pa.large_string())
    return False


def is_object_string_dtype(dtype: Any) -> bool:
    """Whether a dtype holds strings, or may hold them as objects, and is no string of Arrow."""
    import pandas as pd

    if dtype is str or dtype is object:
        return True
    return not isinstance(dtype, pd.ArrowDtype) and (
        pd.api.types.is_object_dtype(dtype)
        or (isinstance(dtype, pd.StringDtype) and not is_pyarrow_string_dtype(dtype))
    )


def is_object_string_index(x: Any) -> bool:
    """Whether an index, or a level of it, is of objects or strings that are none of Arrow."""
    import pandas as pd

    if isinstance(x, pd.MultiIndex):
        return any(is_object_string_index(level) for level in x.levels)
    return isinstance(x, pd.Index) and is_object_string_dtype(x.dtype)


def is_object_string_series(x: Any) -> bool:
    """The same of a series or its index."""
    import pandas as pd

    return isinstance(x, pd.Series) and (
        is_object_string_dtype(x.dtype) or is_object_string_index(x.index)
    )


def is_object_string_dataframe(x: Any) -> bool:
    """The same of any column of a frame or its index."""
    import pandas as pd

    return isinstance(x, pd.DataFrame) and (
        any(is_object_string_dtype(dtype) for dtype in x.dtypes) or is_object_string_index(x.index)
    )


def to_pyarrow_string(x: Any) -> Any:
    """A pandas object with strings of Arrow in place of objects and other strings."""
    import pandas as pd

    if isinstance(x, pd.Index):
        return _converted_index(x)
    if isinstance(x, pd.DataFrame):
        wanted = {c: "string[pyarrow]" for c, d in x.dtypes.items() if is_object_string_dtype(d)}
        x = x.astype(wanted) if wanted else x.copy(deep=False)
    elif isinstance(x, pd.Series):
        x = x.astype("string[pyarrow]") if is_object_string_dtype(x.dtype) else x.copy(deep=False)
    else:
        return x
    if is_object_string_index(x.index):
        x.index = _converted_index(x.index)
    return x


def _converted_index(index: Any) -> Any:
    import pandas as pd

    if not is_object_string_index(index):
        return index
    if isinstance(index, pd.MultiIndex):
        levels = {
            number: _converted_index(level)
            for number, level in enumerate(index.levels)
            if is_object_string_index(level)
        }
        return index.set_levels(levels.values(), level=levels.keys(), verify_integrity=False)
    return index.astype("string[pyarrow]")


def with_arrow_strings(expr: Any) -> Any:
    """An expression of a source, with its strings converted if the setting says so."""
    if not pyarrow_strings_enabled():
        return expr
    from samite.dataframe.expressions.strings import ArrowStrings

    converted = ArrowStrings(expr)
    same = to_pyarrow_string(expr._meta)
    unchanged = same.equals(expr._meta) and _dtypes(same) == _dtypes(expr._meta)
    return expr if unchanged else converted


def _dtypes(x: Any) -> list[Any]:
    index = [x.index.dtype] if hasattr(x, "index") else []
    return [*(x.dtypes if getattr(x, "ndim", 1) == 2 else [x.dtype]), *index]
