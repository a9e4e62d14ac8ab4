"""Serializers of one's own, and objects as headers and frames."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from samite import _pickling
from samite.distributed.protocol import (
    Serialize,
    Serialized,
    dask_deserialize,
    dask_serialize,
    deserialize,
    deserialize_bytes,
    nested_deserialize,
    register_generic,
    register_serialization,
    register_serialization_family,
    serialize,
    serialize_bytes,
    to_serialize,
)
from samite.distributed.protocol.serialize import _found, families


class Handle:
    """Cannot be pickled, but for its serializer."""

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        raise TypeError("a handle has no pickle")


class Special(Handle):
    """A subclass has the serializer of its base."""


class Plain:
    def __init__(self, data, name):
        self.data, self.name = data, name


@pytest.fixture
def handles():
    """The serializer of handles, in this process alone."""

    def write(handle):
        return {"digits": len(str(handle.number))}, [str(handle.number).encode()]

    def read(header, frames):
        assert header["digits"] == len(frames[0])
        return Handle(int(bytes(frames[0])))

    register_serialization(Handle, write, read)
    try:
        yield
    finally:
        del dask_serialize._lookup[Handle], dask_deserialize._lookup[Handle]
        _found.clear()
        _pickling.reduce_by(None)


@pytest.mark.parametrize(
    "value",
    [1, "text", b"bytes", [1, {"a": (2, 3)}], {1, 2}, None, np.arange(5.0)],
    ids=lambda value: type(value).__name__,
)
def test_values_come_back(value):
    header, frames = serialize(value)
    pickle.loads(pickle.dumps(header))
    np.testing.assert_equal(deserialize(header, frames), value)
    np.testing.assert_equal(deserialize_bytes(serialize_bytes(value)), value)


def test_arrays_are_frames_of_their_own():
    array = np.arange(100_000.0)
    header, frames = serialize(array)
    assert sum(memoryview(frame).nbytes for frame in frames) < array.nbytes + 1000
    back = deserialize(header, [bytes(frame) for frame in frames])
    back[0] = 1.0  # what was writable is


def test_a_serializer_is_used_by_name_and_in_pickles(handles):
    header, frames = serialize(Handle(1234))
    assert header["serializer"] == "dask" and [bytes(one) for one in frames] == [b"1234"]
    assert deserialize(header, frames).number == 1234
    nested = deserialize(*serialize([Special(7), "text"]))
    assert nested[0].number == 7 and nested[1] == "text"
    for dump in (_pickling.dump, _pickling.dump_plainly):
        assert _pickling.load(dump({"handle": Handle(12)}))["handle"].number == 12


def test_values_with_serializers_travel_between_processes(outside):
    """Workers have the serializer where the module of a class registers it."""
    from samite.distributed import Client

    with Client(outside) as client:
        first, second = client.nthreads()
        made = client.submit(_make_travelling, 5, workers=[first])
        assert client.submit(_number_of, made, workers=[second]).result() == 5
        assert made.result().number == 5


def test_attributes_by_their_own_serializers(handles):
    register_generic(Plain)
    try:
        header, frames = serialize(Plain(Handle(5), "five"))
        assert header["serializer"] == "dask"
        back = deserialize(header, frames)
        assert (back.data.number, back.name) == (5, "five")
    finally:
        del dask_serialize._lookup[Plain], dask_deserialize._lookup[Plain]
        _found.clear()


def test_what_cannot_be_serialized_says_so():
    with pytest.raises(TypeError, match="Could not serialize object of type"):
        serialize(Handle(1), on_error="raise")
    header, frames = serialize(Handle(1))
    assert header["serializer"] == "error"
    with pytest.raises(TypeError, match="a handle has no pickle"):
        deserialize(header, frames)
    with pytest.raises(TypeError, match="by any of msgpack"):
        serialize(object(), serializers=["msgpack"], on_error="raise")
    with pytest.raises(ValueError, match="no way of serialization is called 'json'"):
        serialize(1, serializers=["json"])
    with pytest.raises(TypeError, match="only able to deserialize"):
        deserialize(*serialize(1), deserializers=["msgpack"])
    for wrong in (b"", b"x" * 100, serialize_bytes(1)[:-1]):
        with pytest.raises(ValueError, match="not made by serialize_bytes"):
            deserialize_bytes(wrong)


def test_ways_of_ones_own():
    register_serialization_family(
        "repr", lambda x, context: ({}, [repr(x).encode()]), lambda _, frames: eval(frames[0])
    )
    try:
        header, frames = serialize({"a": [1, 2]}, serializers=["repr"])
        assert header["is-collection"]
        assert deserialize(header, frames) == {"a": [1, 2]}
    finally:
        del families["repr"]


def test_marks_in_messages():
    message = {"x": to_serialize([1]), "y": [Serialized(*serialize(2))]}
    assert nested_deserialize(message) == {"x": [1], "y": [2]}
    assert Serialize(1) == to_serialize(1) and Serialize(1) != Serialize(2)
    held = Serialized(*serialize("x"))
    assert serialize(held) == (held.header, held.frames)


def _make_travelling(number):
    from travelling_handle import Travelling

    return Travelling(number)


def _number_of(handle):
    return handle.number
