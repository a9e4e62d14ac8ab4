"""Modules that are imported when they are first used, since they import collections."""

from __future__ import annotations

import importlib
from typing import Any


class _Module:
    def __init__(self, name: str) -> None:
        self._module_name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._module_name), name)


statistics = _Module("samite.dataframe.statistics")
