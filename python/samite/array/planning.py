"""Whether arrays are planned as expressions before they become graphs."""

from __future__ import annotations

import warnings

from samite import config

__all__ = ["array_expr_enabled"]


def _wanted() -> bool:
    wanted = config.get("array.query-planning", None)
    if not isinstance(wanted, (bool, type(None))):
        raise TypeError(
            "array.query-planning has to be true, false or null, not "
            f"{wanted!r} of type {type(wanted).__name__}"
        )
    return bool(wanted)


_ENABLED = _wanted()


def _array_expr_enabled() -> bool:
    if _wanted() != _ENABLED:
        warnings.warn(
            "The setting array.query-planning was changed after samite.array was first imported, "
            "which has no effect",
            RuntimeWarning,
            stacklevel=3,
        )
    return _ENABLED


def array_expr_enabled() -> bool:
    """Whether the setting ``array.query-planning`` was on when arrays were first imported.

    Raises
    ------
    TypeError
        If the setting is not a truth value.
    """
    return _array_expr_enabled()
