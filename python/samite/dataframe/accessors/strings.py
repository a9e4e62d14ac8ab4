"""``.str``: methods of strings."""

from __future__ import annotations

from typing import Any, ClassVar

from samite.dataframe.accessors.base import Accessor


class _Strings(Accessor):
    _accessor_name: ClassVar[str] = "str"


class StringAccessor(
    _Strings,
    methods="""capitalize casefold center contains count decode encode endswith extract find findall
        fullmatch get index isalnum isalpha isascii isdecimal isdigit islower isnumeric isspace
        istitle isupper join len ljust lower lstrip match normalize pad removeprefix
        removesuffix repeat replace rfind rindex rjust rstrip slice slice_replace
        startswith strip swapcase title translate upper wrap zfill""",
):
    """The methods of strings, value by value.

    >>> df.name.str.lower()  # doctest: +SKIP
    """

    def __getitem__(self, index: Any) -> Any:
        return self._call("__getitem__", index)

    def split(self, pat: str | None = None, n: int = -1, expand: bool = False) -> Any:
        """The pieces of each string, from the left; see ``pandas.Series.str.split``.

        Raises
        ------
        NotImplementedError
            ``expand`` without ``n``: the number of columns is then not known.
        """
        return self._split("split", pat, n, expand)

    def rsplit(self, pat: str | None = None, n: int = -1, expand: bool = False) -> Any:
        """The pieces of each string, from the right; see ``pandas.Series.str.rsplit``.

        Raises
        ------
        NotImplementedError
            ``expand`` without ``n``: the number of columns is then not known.
        """
        return self._split("rsplit", pat, n, expand)

    def _split(self, method: str, pat: str | None, n: int, expand: bool) -> Any:
        if not expand:
            return self._call(method, pat=pat, n=n, expand=False)
        if n in (-1, 0):
            raise NotImplementedError(
                "To use the expand parameter you must specify the number of expected splits with "
                "the n= parameter. Usually n splits result in n+1 output columns."
            )
        from samite.dataframe.collections import new_collection
        from samite.dataframe.expressions.texts import SplitColumns

        keywords = {"pat": pat, "n": n}
        return new_collection(SplitColumns(self._series.expr, method, keywords, n + 1))

    def partition(self, sep: str = " ", expand: bool = True) -> Any:
        """The parts before, of and after the first ``sep``: three columns, or tuples without
        ``expand``."""
        return self._partition("partition", sep, expand)

    def rpartition(self, sep: str = " ", expand: bool = True) -> Any:
        """The parts before, of and after the last ``sep``: three columns, or tuples without
        ``expand``."""
        return self._partition("rpartition", sep, expand)

    def _partition(self, method: str, sep: str, expand: bool) -> Any:
        if not expand:
            return self._call(method, sep, expand=False)
        from samite.dataframe.collections import new_collection
        from samite.dataframe.expressions.texts import SplitColumns

        return new_collection(SplitColumns(self._series.expr, method, {"sep": sep}, 3))

    def cat(self, others: Any = None, sep: str | None = None, na_rep: str | None = None) -> Any:
        """Strings joined: with those of ``others`` row by row, or all of them to one.

        Parameters
        ----------
        others:
            A series, an index, or a list of such, with the same rows. Without it the result is
            one string.
        sep:
            What stands between; by default nothing.
        na_rep:
            What stands for a missing string; by default the result is missing where one is (or,
            without ``others``, missing strings are left out).

        Raises
        ------
        TypeError
            ``others`` is of another type.
        """
        import pandas as pd

        from samite.dataframe.collections import FrameBase, Index, Series, new_collection
        from samite.dataframe.elementwise import aligned
        from samite.dataframe.expressions.texts import JoinedTexts, TextsSideBySide

        if others is None:
            return new_collection(JoinedTexts(self._series.expr, sep, na_rep))
        kinds = (Series, Index, pd.Series, pd.Index)
        listed = [others] if isinstance(others, kinds) else others
        if not isinstance(listed, list) or not all(isinstance(o, kinds) for o in listed):
            raise TypeError(
                "others must be Series/Index or a list of Series/Index with the same rows, got "
                f"{type(others).__name__}"
            )
        collections = [
            other if isinstance(other, FrameBase) else self._as_collection(other)
            for other in listed
        ]
        operands = aligned(self._series.expr, *[c.expr for c in collections])
        return new_collection(TextsSideBySide(operands[0], sep, na_rep, *operands[1:]))

    def _as_collection(self, other: Any) -> Any:
        import pandas as pd

        from samite.dataframe.io.from_pandas import from_pandas

        rows = pd.Series(other) if isinstance(other, pd.Index) else other
        made = from_pandas(rows, npartitions=1, sort=False)
        if self._series.npartitions == 1:
            return made
        return made.repartition(divisions=self._series.divisions, force=True)

    def extractall(self, pat: str, flags: int = 0) -> Any:
        """All matches of a regular expression: a frame with a row for each of them, whose index
        has the number of the match as its last level."""
        return self._series.map_partitions(
            _extract_all, pat, flags, clear_divisions=True, token="str-extractall"
        )


def _extract_all(part: Any, pat: str, flags: int) -> Any:
    return part.str.extractall(pat, flags=flags)
