"""Names for parts of a program, which the tasks that are built in them carry."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

__all__ = ["span"]


@contextlib.contextmanager
def span(*tags: str) -> Iterator[str]:
    """Annotate what is built in a block of code with a name.

    Spans may be nested, whose names then follow one another. The name is the annotation ``"span"``:
    a dict with ``"name"``, a tuple of all tags, and ``"ids"``, one of each span.

    Yields
    ------
    str
        The id of the innermost span.

    Raises
    ------
    ValueError
        Without a tag.

    Examples
    --------
    >>> from samite import get_annotations
    >>> with span("load"), span("clean"):
    ...     get_annotations()["span"]["name"]
    ('load', 'clean')
    """
    from samite._annotations import annotate, get_annotations

    if not tags:
        raise ValueError("span: give at least one tag, such as span('load')")
    outer = get_annotations().get("span") or {"name": (), "ids": ()}
    ids = tuple(str(uuid.uuid4()) for _ in tags)
    with annotate(span={"name": (*outer["name"], *tags), "ids": (*outer["ids"], *ids)}):
        yield ids[-1]
