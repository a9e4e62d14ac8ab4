"""Dataclasses as containers of lazy values."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


def dataclass_fields(obj: Any) -> dict[str, Any]:
    """The fields of a dataclass instance that have a value."""
    return {
        field.name: getattr(obj, field.name) for field in fields(obj) if hasattr(obj, field.name)
    }


def check_rebuildable(obj: Any) -> None:
    """Raise where an instance cannot be made again from its fields.

    Raises
    ------
    ValueError
        A field with ``init=False`` has a value: the constructor would not take it.
    TypeError
        The class has an ``__init__`` of its own.
    """
    kind = type(obj)
    for field in fields(obj):
        if not field.init and hasattr(obj, field.name):
            raise ValueError(
                f"{kind.__name__}.{field.name} is set, but fields with `init=False` are not "
                "supported in a dataclass that holds lazy values: the constructor does not take "
                "them. Pass the values one by one, or compute them first."
            )
    params = kind.__dataclass_params__
    if not params.init or "__init__" in kind.__dict__ and not _is_generated(kind):
        raise TypeError(
            f"cannot rebuild {kind.__name__}: a dataclass with a custom __init__ is not supported "
            "as a container of lazy values. Pass the values one by one, or compute them first."
        )


def _is_generated(kind: type) -> bool:
    """Whether the constructor takes exactly the fields, as the generated one does."""
    import inspect

    names = list(inspect.signature(kind).parameters)
    return names == [field.name for field in fields(kind) if field.init]
