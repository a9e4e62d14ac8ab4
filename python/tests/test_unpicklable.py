"""Where in an object that part is which cannot be pickled."""

from __future__ import annotations

import functools
import threading

import pytest

from samite._pickling import dump, dump_plainly
from samite._unpicklable import explain

LOCK = threading.Lock()


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def method(self):
        """To be bound."""


class Slotted:
    __slots__ = ("lock", "other")

    def __init__(self):
        self.lock, self.other = LOCK, 1


class Refuses:
    """Does not want to be pickled, and has nothing to do with its parts."""

    def __init__(self):
        self.fine = 1

    def __reduce__(self):
        raise RuntimeError("not this one")


class Unreadable:
    def __init__(self):
        self.lock = LOCK

    def __repr__(self):
        raise ValueError("no text")


def closure():
    held = {"deep": [LOCK]}
    return lambda: held


def uses_a_global():
    return LOCK


uses_a_global.__module__ = "__main__"  # such functions are pickled by value


def with_default(x, lock=LOCK):
    return x, lock


with_default.__module__ = "__main__"


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: [1, (2, {"a": LOCK})], "[1][1]['a'] is a _thread.lock"),
        (lambda: {"x": {LOCK}}, "['x'] element <unlocked _thread.lock"),
        (lambda: {LOCK: 1}, "key <unlocked _thread.lock"),
        (lambda: Plain(inner=Plain(lock=LOCK)), ".inner.lock is a _thread.lock"),
        (Slotted, ".lock is a _thread.lock"),
        (Unreadable, ".lock is a _thread.lock"),
        (closure, "variable held['deep'][0] is a _thread.lock"),
        (lambda: uses_a_global, "global LOCK is a _thread.lock"),
        (lambda: with_default, ".__defaults__[0] is a _thread.lock"),
        (lambda: functools.partial(print, LOCK), ".args[0] is a _thread.lock"),
        (lambda: functools.partial(print, end=LOCK), ".keywords['end'] is a _thread.lock"),
        (lambda: Plain(lock=LOCK).method, ".__self__.lock is a _thread.lock"),
        (lambda: [Refuses()], "[0] is a test_unpicklable.Refuses"),
        (lambda: (n for n in range(3)), "generator object"),
    ],
)
def test_the_way_to_the_part(make, part):
    obj = make()
    with pytest.raises(Exception) as raised:
        dump(obj)
    said = explain(obj, dump_plainly)
    assert f"{type(obj).__name__} object" in said
    assert "cannot be pickled" in said
    assert part in said
    if hasattr(raised.value, "__notes__"):
        assert part in "".join(raised.value.__notes__)


def test_things_that_hold_themselves_end():
    ring = [LOCK]
    ring.insert(0, ring)
    assert "[1] is a _thread.lock" in explain(ring, dump_plainly)
    one, other = Plain(), Plain(lock=LOCK)
    one.other, other.one = other, one
    assert ".other.lock is a _thread.lock" in explain(one, dump_plainly)


def test_what_is_fine_gets_no_note():
    assert dump({"a": [1, 2]})
