"""What is remembered of functions that are sent by value is never out of date."""

from __future__ import annotations

import pickle
import sys
import types
from typing import Any

import cloudpickle
import pytest

from samite._functions import load_function, remembered, to_pickle
from samite.tokenize import tokenize


def made(text: str, **variables: Any) -> Any:
    """The function of a text, as a program or a notebook would define it."""
    scope: dict[str, Any] = {"__name__": "__main__", **variables}
    exec(compile(text, "<text>", "exec", dont_inherit=True), scope)
    return scope["f"]


def sent(function: Any) -> Any:
    """The function as it comes to a worker."""
    prepared = to_pickle(function)
    if prepared is None:
        return pickle.loads(cloudpickle.dumps(function))
    return pickle.loads(pickle.dumps(prepared, protocol=5))


def body(function: Any) -> Any:
    function.__code__ = made("def f(x): return x + 100").__code__


def default(function: Any) -> Any:
    function.__defaults__ = (True,)


def attribute(function: Any) -> Any:
    function.unit = "metre"


def variable(function: Any) -> Any:
    function.__globals__["abs"] = lambda x: x - 1000


CHANGES = [body, default, attribute, variable]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_function_has_another_token_and_is_sent_as_it_is_now(change: Any) -> None:
    function = made("def f(x, y=1): return (abs(x) + y, type(y).__name__)")
    before, result = tokenize(function), sent(function)(-3)
    assert result == function(-3)
    assert tokenize(function) == before
    change(function)
    assert tokenize(function) != before
    assert sent(function)(-3) == function(-3)
    assert sent(function).__dict__ == function.__dict__


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("def f(x): return x + y", {"y": 1}),
        ("def f(x, y=[]): return y", {}),
        ("def f(x, *, y=1): return y", {}),
        ("def g(y):\n return lambda x: x + y\nf = g(3)", {}),
        ("def f(x: y): return x", {"y": types.SimpleNamespace()}),
        ("def f(x):\n global y\n y = x", {}),
        ("f = lambda x: [y + z for z in x]", {"y": 1}),
    ],
)
def test_a_function_that_could_change_unnoticed_is_not_remembered(
    text: str, variables: dict[str, Any]
) -> None:
    assert remembered(made(text, **variables)) is None


def test_functions_of_one_text_have_one_token_and_arrive_as_one_function() -> None:
    text = "def f(x: int, y='é') -> int: return len(str(x))"
    first, second = made(text), made(text)
    assert tokenize(first) == tokenize(second)
    assert sent(first) is sent(second)
    assert sent(first)(5) == 1


def test_what_cloudpickle_would_make_arrives() -> None:
    function = made("def f(x, y=2):\n 'Its text.'\n return x * y")
    arrived, expected = sent(function), cloudpickle.loads(cloudpickle.dumps(function))
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__"):
        assert getattr(arrived, name) == getattr(expected, name)
    assert arrived(4) == 8


def test_importable_functions_go_by_name_unless_their_module_is_sent() -> None:
    assert to_pickle(tokenize) is tokenize
    for module in (sys.modules["samite.tokenize"], sys.modules["samite"]):
        cloudpickle.register_pickle_by_value(module)
        try:
            assert to_pickle(tokenize) is None
        finally:
            cloudpickle.unregister_pickle_by_value(module)
    assert to_pickle(len) is None
    assert to_pickle(made("class A:\n def f(self): return 1\nf = A().f")) is None


def test_functions_are_not_kept_alive() -> None:
    import gc
    import weakref

    function = made("def f(x): return x")
    tokenize(function)
    sent(function)
    gone = weakref.ref(function)
    del function
    gc.collect()
    assert gone() is None


def test_pickles_of_functions_are_loaded_once() -> None:
    pickled = cloudpickle.dumps(made("def f(x): return x"))
    assert load_function(pickled) is load_function(bytes(bytearray(pickled)))
