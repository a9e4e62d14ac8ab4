"""Every public name of Dask's arrays is here, and takes the arguments that it takes there."""

from __future__ import annotations

import importlib
import inspect

import pytest

import samite.array as da

dda = pytest.importorskip("dask.array")

NAMESPACES = ("", "fft", "linalg", "ma", "random", "stats", "overlap", "image", "lib.stride_tricks")
CLASSES = ("Array", "random.Generator", "random.RandomState")
# Helpers without an underscore that no page of Dask's documentation has.
HELPERS = {
    "ARRAY_EXPR_ENABLED",
    "ma.normalize_masked_array", "overlap.add_dummy_padding", "overlap.coerce_depth_type",
    "image.add_leading_dimension",
}  # fmt: skip


def namespace(package, path):
    return importlib.import_module(f"{package}.array" + (f".{path}" if path else ""))


def own_names(path):
    """What a module of Dask's defines or, at the top, hands on."""
    module = namespace("dask", path)
    for name, value in vars(module).items():
        if name.startswith("_") or inspect.ismodule(value) or name == "annotations":
            continue
        made_here = getattr(value, "__module__", None) == module.__name__
        if made_here or not path:
            yield name


NAMES = [(path, name) for path in NAMESPACES for name in own_names(path)]
NAMES = [(path, name) for path, name in NAMES if f"{path}.{name}".lstrip(".") not in HELPERS]


def test_there_are_names_to_compare():
    assert len(NAMES) > 350


@pytest.mark.parametrize("path", NAMESPACES)
def test_names(path):
    ours, theirs = namespace("samite", path), namespace("dask", path)
    names = [name for at, name in NAMES if at == path]
    assert not [name for name in names if not hasattr(ours, name)]
    assert not [
        name for name in names if callable(getattr(ours, name)) != callable(getattr(theirs, name))
    ]


def find(module, dotted):
    for part in dotted.split("."):
        module = getattr(module, part)
    return module


@pytest.mark.parametrize("dotted", CLASSES)
def test_methods(dotted):
    ours, theirs = find(da, dotted), find(dda, dotted)
    # Operators of the class, without those that every object has.
    names = {name for name in dir(theirs) if not name.startswith("_")}
    names |= {
        name for name in vars(theirs) if name.startswith("__") and callable(vars(theirs)[name])
    }
    # Python 2 had these.
    names -= {"__div__", "__rdiv__", "__long__", "__nonzero__"}
    assert not sorted(name for name in names if not hasattr(ours, name))


def lacking(ours, theirs):
    """The parameters that ours lacks, or wants where they can be left out there."""
    try:
        given, wanted = inspect.signature(ours).parameters, inspect.signature(theirs).parameters
    except (TypeError, ValueError):  # written in C
        return []
    if any(one.kind is one.VAR_KEYWORD for one in given.values()):
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [
        name
        for place, (name, one) in enumerate(wanted.items())
        # The first one is the array, whatever it is called.
        if place and one.kind in named
        if name not in given or (one.default is not one.empty and given[name].default is one.empty)
    ]


def test_arguments():
    found = {}
    for path, name in NAMES:
        ours = getattr(namespace("samite", path), name)
        theirs = getattr(namespace("dask", path), name)
        if inspect.isclass(theirs) or not callable(theirs):
            continue
        if missing := lacking(ours, theirs):
            found[f"{path}.{name}"] = missing
    for dotted in CLASSES:
        ours, theirs = find(da, dotted), find(dda, dotted)
        for name in dir(theirs):
            if name.startswith("_") or not callable(getattr(theirs, name)):
                continue
            if missing := lacking(getattr(ours, name), getattr(theirs, name)):
                found[f"{dotted}.{name}"] = missing
    assert not found
