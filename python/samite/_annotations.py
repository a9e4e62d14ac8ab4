"""Annotations: hints for schedulers, set for a block of code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from samite._engine import count_annotations

_current: ContextVar[dict[str, Any] | None] = ContextVar("samite-annotations", default=None)


def get_annotations() -> dict[str, Any]:
    """The annotations in force here; an empty dict outside of :func:`annotate`."""
    return dict(_current.get() or {})


@contextmanager
def annotate(**annotations: Any) -> Iterator[None]:
    """Attach annotations to everything that is built inside the block.

    Schedulers know ``priority`` (a number; larger runs earlier), ``retries`` (how often a failed
    task is tried again), ``workers`` (an address or a list of them), ``allow_other_workers``,
    ``resources`` (a dict of amounts) and ``span``; others are kept and passed on. Inner blocks
    add to outer ones. A value may be a function of the task's key, where the scheduler allows it.

    Raises
    ------
    TypeError
        If a known annotation has a value of the wrong type.

    Examples
    --------
    >>> from samite import delayed
    >>> with annotate(retries=3):
    ...     task = delayed(len)("abc")
    """
    for name, value in annotations.items():
        check = _CHECKS.get(name)
        if check is not None and not callable(value):
            check(value)
    token = _current.set({**(_current.get() or {}), **annotations})
    count_annotations(1)
    try:
        yield
    finally:
        count_annotations(-1)
        _current.reset(token)


@contextmanager
def without_annotations() -> Iterator[None]:
    """Build as outside of :func:`annotate`: what was asked for before, and is only written now."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def _check_priority(value: Any) -> None:
    import numbers

    if not isinstance(value, numbers.Number):
        raise TypeError(f"'annotations.priority' must be a Number, but got {value}")


def _check_retries(value: Any) -> None:
    import numbers

    if not isinstance(value, numbers.Number):
        raise TypeError(f"'annotations.retries' must be a Number, but got {value}")


def _check_resources(value: Any) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"'annotations.resources' must be a dict, but got {value}")


def _check_workers(value: Any) -> None:
    if not isinstance(value, (str, Sequence, set, frozenset)):
        raise TypeError(f"'annotations.workers' must be a sequence of str, but got {value}")


def _check_allow_other_workers(value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"'annotations.allow_other_workers' must be a bool, but got {value}")


_CHECKS = {
    "priority": _check_priority,
    "retries": _check_retries,
    "resources": _check_resources,
    "workers": _check_workers,
    "allow_other_workers": _check_allow_other_workers,
}
