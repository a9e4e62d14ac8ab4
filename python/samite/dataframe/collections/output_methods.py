"""Writing, conversion to other collections, and display."""

from __future__ import annotations

from samite.dataframe.collections.conversion_methods import (
    ConversionMethods,
    ConversionMethodsOfFrame,
    ConversionMethodsOfSeries,
)
from samite.dataframe.collections.writing_methods import WritingMethods, WritingMethodsOfFrame


class OutputMethods(WritingMethods, ConversionMethods):
    """Writing, conversion to other collections, and display. For frames and series alike."""


class OutputMethodsOfFrame(WritingMethodsOfFrame, ConversionMethodsOfFrame):
    """Writing, conversion to other collections, and display. For frames."""


class OutputMethodsOfSeries(ConversionMethodsOfSeries):
    """Writing, conversion to other collections, and display. For series."""
