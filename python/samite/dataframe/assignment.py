"""Values that become columns."""

from __future__ import annotations

from typing import Any


def column_operand(frame: Any, value: Any) -> Any:
    """``value`` as the operand of an assignment to ``frame``.

    Raises
    ------
    TypeError
        It cannot be cut into partitions like those of ``frame``.
    """
    return value
