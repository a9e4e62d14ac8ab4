"""Forms of toolz's and cytoolz's composed functions."""

from __future__ import annotations

import sys

from samite.tokenize import _normalize, _once, _register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@_once
def _curry(x: Any) -> tuple:
    return ("curry", _normalize(x.func), _normalize(x.args), _normalize(dict(x.keywords or {})))


@_once
def _compose(x: Any) -> tuple:
    return ("compose", _normalize(x.first), _normalize(tuple(x.funcs)))


def register() -> None:
    """Tell the dispatcher about the packages that are imported."""
    for package in ("toolz", "cytoolz"):
        functoolz = sys.modules.get(f"{package}.functoolz")
        if functoolz is not None:
            _register(functoolz.curry)(_curry)
            _register(functoolz.Compose)(_compose)
