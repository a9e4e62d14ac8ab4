"""Methods that put frames together."""

from __future__ import annotations

from typing import Any


class JoiningMethods:
    """Methods that put frames together. For frames and series alike."""


class JoiningMethodsOfFrame:
    """Methods that put frames together. For frames."""

    def merge(
        self,
        right: Any,
        how: str = "inner",
        on: Any = None,
        left_on: Any = None,
        right_on: Any = None,
        left_index: bool = False,
        right_index: bool = False,
        suffixes: Any = ("_x", "_y"),
        indicator: Any = False,
        shuffle_method: str | None = None,
        npartitions: int | None = None,
        broadcast: bool | float | None = None,
        **options: Any,
    ) -> Any:
        """This frame joined with another by keys; see :func:`samite.dataframe.merge`."""
        from samite.dataframe.joins import merge

        return merge(
            self,
            right,
            how=how,
            on=on,
            left_on=left_on,
            right_on=right_on,
            left_index=left_index,
            right_index=right_index,
            suffixes=suffixes,
            indicator=indicator,
            shuffle_method=shuffle_method,
            npartitions=npartitions,
            broadcast=broadcast,
            **options,
        )

    def join(
        self,
        other: Any,
        on: Any = None,
        how: str = "left",
        lsuffix: str = "",
        rsuffix: str = "",
        shuffle_method: str | None = None,
        npartitions: int | None = None,
    ) -> Any:
        """This frame joined with the index of others.

        Parameters
        ----------
        other:
            A frame or a named series, or a list of frames (``how`` is "left" or "outer" then).
        on:
            Labels of columns of this frame; its index by default.
        how:
            "left", "right", "inner" or "outer".
        lsuffix, rsuffix:
            What is added to labels that both have.
        shuffle_method, npartitions:
            See :func:`samite.dataframe.merge`.

        Raises
        ------
        ValueError
            Labels overlap and there are no suffixes, or ``other`` is no frame.
        """
        from samite.dataframe.joins import join

        return join(self, other, on, how, lsuffix, rsuffix, shuffle_method, npartitions)


class JoiningMethodsOfSeries:
    """Methods that put frames together. For series."""
