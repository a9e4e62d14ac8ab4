"""Objects as a header, which holds plain values only, and frames of bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from samite import _pickling
from samite.utils import Dispatch, typename

T = TypeVar("T")
Frames = list[Any]
Header = dict[str, Any]

_COLLECTIONS = {kind.__name__: kind for kind in (list, tuple, set, dict)}


# ---- serializers of types -----------------------------------------------------------------------


class _Serializers(Dispatch):
    """Functions by the type of what they take. What is registered takes part in pickles, too."""

    def register(self, type: Any, func: Any = None) -> Any:
        """Register a function for a type or several, or decorate one."""
        if func is None:
            return lambda func: self.register(type, func)
        return _noted(super().register(type, func))

    def register_lazy(self, toplevel: str, func: Any = None) -> Any:
        """Register a function that registers those of a library, once a value of it is met."""
        if func is None:
            return lambda func: self.register_lazy(toplevel, func)
        return _noted(super().register_lazy(toplevel, func))


def _noted(func: T) -> T:
    """From here on pickles ask."""
    _found.clear()
    _pickling.reduce_by(_reduced)
    return func


dask_serialize = _Serializers("dask_serialize")
dask_deserialize = _Serializers("dask_deserialize")

# By type: what serializes it, or None.
_found: dict[type, Any] = {}


def _serializer(kind: type) -> Any:
    if kind not in _found:
        try:
            _found[kind] = dask_serialize.dispatch(kind)
        except TypeError:
            _found[kind] = None
    return _found[kind]


def _reduced(obj: Any) -> Any:
    """How an object is pickled whose type has a serializer; None for any other."""
    dumps = None if isinstance(obj, type) else _serializer(type(obj))
    if dumps is None:
        return None
    import pickle

    try:
        header, frames = dumps(obj)
    except NotImplementedError:
        return None
    return _rebuilt, (type(obj), header, [pickle.PickleBuffer(_readable(one)) for one in frames])


def _rebuilt(kind: type, header: Header, frames: Frames) -> Any:
    return dask_deserialize.dispatch(kind)(header, [memoryview(frame) for frame in frames])


def _readable(frame: Any) -> Any:
    """A frame whose memory can be borrowed."""
    return frame if isinstance(frame, (bytes, bytearray, memoryview)) else memoryview(frame)


def register_serialization(
    cls: Any, serialize: Callable[[Any], Any], deserialize: Callable[[Header, Frames], Any]
) -> None:
    """Say how objects of a class are written and read.

    Parameters
    ----------
    cls:
        The class.
    serialize:
        Makes ``(header, frames)`` of an object: a dict of plain values, and a list of bytes.
    deserialize:
        Makes an object of both. It has to be registered wherever such objects arrive; what a module
        registers that defines the class is there as soon as an object is.

    Raises
    ------
    TypeError
        If `cls` is no class.
    """
    if not isinstance(cls, type):
        raise TypeError(f"register_serialization takes a class, not {cls!r}")
    dask_serialize.register(cls, serialize)
    dask_deserialize.register(cls, deserialize)


def register_generic(
    cls: type,
    serializer_name: str = "dask",
    serialize_func: Any = None,
    deserialize_func: Any = None,
) -> None:
    """Write and read objects of a class by their attributes, each of which by its own serializer.

    Parameters
    ----------
    serializer_name:
        The way of serialization that attributes are tried with before pickles.
    serialize_func, deserialize_func:
        Where it is registered; by default `dask_serialize` and `dask_deserialize`.
    """

    def dumps(obj: Any) -> tuple[Header, Frames]:
        frames: Frames = []
        attributes = []
        for name, value in obj.__dict__.items():
            header, parts = serialize(value, serializers=(serializer_name, "pickle"))
            attributes.append([name, header, len(parts)])
            frames += parts
        return {"attributes": attributes}, frames

    def loads(header: Header, frames: Frames) -> Any:
        obj = object.__new__(cls)
        taken = 0
        for name, part, count in header["attributes"]:
            obj.__dict__[name] = deserialize(part, frames[taken : taken + count])
            taken += count
        return obj

    (serialize_func or dask_serialize).register(cls, dumps)
    (deserialize_func or dask_deserialize).register(cls, loads)


# ---- ways of serialization ----------------------------------------------------------------------


def _dask_dumps(x: Any) -> tuple[Header, Frames]:
    dumps = _serializer(type(x))
    if dumps is None:
        raise NotImplementedError(typename(type(x)))
    header, frames = dumps(x)
    kind = _pickling.pickled(type(x), None)
    return {"sub-header": header, "type": typename(type(x)), "type-serialized": kind}, list(frames)


def _dask_loads(header: Header, frames: Frames) -> Any:
    import pickle

    return dask_deserialize.dispatch(pickle.loads(header["type-serialized"]))(
        header["sub-header"], frames
    )


def _pickle_dumps(x: Any) -> tuple[Header, Frames]:
    first, *buffers = _pickling.dump(x)
    return {"writeable": [not memoryview(one).readonly for one in buffers]}, [first, *buffers]


def _pickle_loads(header: Header, frames: Frames) -> Any:
    first, *buffers = frames
    given = [
        bytearray(one) if wanted and memoryview(one).readonly else one
        for one, wanted in zip(buffers, header.get("writeable") or [False] * len(buffers))
    ]
    return _pickling.load([first, *given])


def _msgpack_dumps(x: Any) -> tuple[Header, Frames]:
    import msgpack

    try:
        return {}, [msgpack.dumps(x, use_bin_type=True)]
    except (TypeError, ValueError, OverflowError) as error:
        raise NotImplementedError(typename(type(x))) from error


def _msgpack_loads(header: Header, frames: Frames) -> Any:
    import msgpack

    data = b"".join(bytes(frame) for frame in frames)
    return msgpack.loads(data, raw=False, strict_map_key=False, use_list=False)


def _error_loads(header: Header, frames: Frames) -> Any:
    raise TypeError("".join(bytes(frame).decode() for frame in frames))


def _no_dumps(x: Any) -> tuple[Header, Frames]:
    raise NotImplementedError


families: dict[str, tuple[Callable[..., Any], Callable[..., Any], bool]] = {
    "dask": (_dask_dumps, _dask_loads, False),
    "pickle": (_pickle_dumps, _pickle_loads, False),
    "msgpack": (_msgpack_dumps, _msgpack_loads, False),
    "error": (_no_dumps, _error_loads, False),
}


def register_serialization_family(
    name: str, dumps: Callable[..., Any], loads: Callable[..., Any]
) -> None:
    """Add a way of serialization for :func:`serialize` and :func:`deserialize`; between workers,
    values travel as pickles nevertheless.

    Parameters
    ----------
    dumps:
        Makes ``(header, frames)`` of any object, or raises NotImplementedError. It may have a
        parameter `context`.
    loads:
        Makes an object of both.
    """
    import inspect

    families[name] = dumps, loads, "context" in inspect.signature(dumps).parameters


# ---- objects as frames --------------------------------------------------------------------------


def serialize(
    x: Any,
    serializers: Sequence[str] | None = None,
    on_error: str = "message",
    context: Any = None,
    iterate_collection: bool | None = None,
) -> tuple[Header, Frames]:
    """A header and frames of an object.

    Parameters
    ----------
    serializers:
        The ways of serialization that are tried, in order; by default ``("dask", "pickle")``.
    on_error:
        ``"message"``: what cannot be serialized becomes frames that raise TypeError when they are
        read. ``"raise"``: it raises at once.
    context:
        For ways of serialization that want to know where frames go.
    iterate_collection:
        Whether elements of lists, tuples, sets and dicts become frames of their own; by default
        where they cannot be pickled together.

    Raises
    ------
    TypeError
        With ``on_error="raise"``.
    ValueError
        For another `on_error`, or a way of serialization that there is none of.
    """
    if on_error not in ("message", "raise"):
        raise ValueError(f"on_error must be 'message' or 'raise', not {on_error!r}")
    ways = ("dask", "pickle") if serializers is None else tuple(serializers)
    unknown = [way for way in ways if way not in families]
    if unknown:
        raise ValueError(
            f"no way of serialization is called {unknown[0]!r}; there are {', '.join(families)}"
        )
    if isinstance(x, Serialized):
        return x.header, x.frames
    if isinstance(x, Serialize):
        x = x.data
    if iterate_collection is None:
        iterate_collection = "pickle" not in ways
    if iterate_collection and type(x) in _COLLECTIONS.values():
        return _collection(x, ways, on_error, context)
    failure: BaseException | None = None
    for way in ways:
        dumps, _, wants_context = families[way]
        try:
            header, frames = dumps(x, context=context) if wants_context else dumps(x)
        except NotImplementedError:
            continue
        except Exception as raised:
            failure = raised
            break
        return {**header, "serializer": way}, list(frames)
    text = f"Could not serialize object of type {typename(type(x))}"
    if failure is None:
        text += f" by any of {', '.join(ways)}"
    if on_error == "raise":
        raise TypeError(text, str(x)[:10_000]) from failure
    if failure is not None:
        text += f": {type(failure).__name__}: {failure}"
    return {"serializer": "error"}, [text[:10_000].encode()]


def _collection(
    x: Any, ways: tuple[str, ...], on_error: str, context: Any
) -> tuple[Header, Frames]:
    elements = list(x.values()) if isinstance(x, dict) else list(x)
    made = [serialize(element, ways, on_error, context) for element in elements]
    header: Header = {
        "is-collection": True,
        "type-serialized": type(x).__name__,
        "sub-headers": [part for part, _ in made],
        "frame-lengths": [len(frames) for _, frames in made],
    }
    if isinstance(x, dict):
        header["keys"] = list(x)
    return header, [frame for _, frames in made for frame in frames]


def deserialize(header: Header, frames: Frames, deserializers: Any = None) -> Any:
    """The object that :func:`serialize` made a header and frames of.

    Parameters
    ----------
    deserializers:
        The ways of serialization that may be used; by default all.

    Raises
    ------
    TypeError
        If it was written in another way, or could not be written.
    """
    if header.get("is-collection"):
        elements, taken = [], 0
        for part, count in zip(header["sub-headers"], header["frame-lengths"]):
            elements.append(deserialize(part, frames[taken : taken + count], deserializers))
            taken += count
        kind = _COLLECTIONS.get(header["type-serialized"])
        if kind is None:
            raise TypeError(f"no collection is called {header['type-serialized']!r}")
        return dict(zip(header["keys"], elements)) if kind is dict else kind(elements)
    way = header.get("serializer", "pickle")
    if deserializers is not None and way not in (*deserializers, "error"):
        raise TypeError(
            f"Data serialized with {way} but only able to deserialize data with "
            f"{list(deserializers)}"
        )
    if way not in families:
        raise TypeError(f"the way of serialization {way!r} is not known here")
    return families[way][1](header, frames)


class Serialize:
    """Says that an object in a message is to be serialized; see :func:`nested_deserialize`."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<Serialize: {self.data}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Serialize) and other.data == self.data

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.data)


to_serialize = Serialize


class Serialized:
    """An object as a header and frames, which stays so until somebody wants the object."""

    def __init__(self, header: Header, frames: Frames) -> None:
        self.header = header
        self.frames = frames

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Serialized)
            and other.header == self.header
            and [bytes(one) for one in other.frames] == [bytes(one) for one in self.frames]
        )

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]


class ToPickle(Generic[T]):
    """Says that an object in a message is to be pickled."""

    def __init__(self, data: T) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<ToPickle: {self.data}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ToPickle) and other.data == self.data

    def __hash__(self) -> int:
        return hash(self.data)


class Pickled:
    """A pickle, which stays one until somebody wants the object."""

    def __init__(self, header: Header, frames: Frames) -> None:
        self.header = header
        self.frames = frames

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Pickled)
            and other.header == self.header
            and list(other.frames) == list(self.frames)
        )

    __hash__ = None  # type: ignore[assignment]


def nested_deserialize(x: Any) -> Any:
    """A message with the objects in place of what stands for them in its dicts and lists."""
    if isinstance(x, (Serialize, ToPickle)):
        return x.data
    if isinstance(x, (Serialized, Pickled)):
        return deserialize(x.header, x.frames)
    if type(x) is dict:
        return {key: nested_deserialize(value) for key, value in x.items()}
    if type(x) in (list, tuple):
        return type(x)(nested_deserialize(value) for value in x)
    return x


def serialize_bytelist(x: Any, **kwargs: Any) -> list[bytes]:
    """An object as a list of bytes: lengths, header, and frames."""
    import struct

    header, frames = serialize(x, **kwargs)
    first = bytes(_pickling.pickled(header, None))
    parts = [first, *(memoryview(frame).cast("B") for frame in frames)]
    lengths = struct.pack(f"<Q{len(parts)}Q", len(parts), *(len(part) for part in parts))
    return [lengths, *(bytes(part) for part in parts)]


def serialize_bytes(x: Any, **kwargs: Any) -> bytes:
    """An object as bytes."""
    return b"".join(serialize_bytelist(x, **kwargs))


def deserialize_bytes(b: Any) -> Any:
    """The object that :func:`serialize_bytes` made bytes of.

    Raises
    ------
    ValueError
        If they are too short.
    """
    import pickle
    import struct

    data = memoryview(b)
    try:
        (count,) = struct.unpack_from("<Q", data)
        lengths = struct.unpack_from(f"<{count}Q", data, 8)
    except (struct.error, OverflowError, MemoryError) as error:
        raise ValueError("these bytes were not made by serialize_bytes") from error
    taken = 8 * (count + 1)
    if taken + sum(lengths) != len(data):
        raise ValueError("these bytes were not made by serialize_bytes")
    parts = []
    for length in lengths:
        parts.append(data[taken : taken + length])
        taken += length
    return deserialize(pickle.loads(parts[0]), parts[1:])
