"""Comparing bags, in tests."""

from __future__ import annotations

from typing import Any


def assert_eq(a: Any, b: Any, scheduler: Any = "sync") -> None:
    """Assert that two bags, items or values have the same records, in any order.

    Raises
    ------
    AssertionError
        If they differ.
    """
    a = a.compute(scheduler=scheduler) if hasattr(a, "compute") else a
    b = b.compute(scheduler=scheduler) if hasattr(b, "compute") else b
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        try:
            a, b = sorted(a), sorted(b)
        except TypeError:
            a, b = sorted(a, key=repr), sorted(b, key=repr)
        a, b = list(a), list(b)
    assert a == b, f"{a!r} != {b!r}"
