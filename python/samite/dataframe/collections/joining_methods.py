"""Methods that put frames together."""

from __future__ import annotations

from samite.dataframe.collections.mixin import Mixin


class JoiningMethods(Mixin):
    """Methods that put frames together. For frames and series alike."""


class JoiningMethodsOfFrame(Mixin):
    """Methods that put frames together. For frames."""


class JoiningMethodsOfSeries(Mixin):
    """Methods that put frames together. For series."""
