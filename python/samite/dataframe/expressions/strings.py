"""Strings of Arrow in place of objects."""

from __future__ import annotations

from typing import Any

from samite.dataframe.expressions.node import Elementwise
from samite.dataframe.strings import to_pyarrow_string


class ArrowStrings(Elementwise):
    """A frame with strings of Arrow in place of objects and other strings."""

    _parameters = ["frame"]
    _keeps_labels = True

    @staticmethod
    def operation(frame: Any) -> Any:
        return to_pyarrow_string(frame)
