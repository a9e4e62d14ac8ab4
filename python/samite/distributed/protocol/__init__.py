"""Objects as headers and frames of bytes, and serializers of one's own.

What is registered here is how values of those types travel between workers and go to disk, too:
pickles, in which everything travels here, then hold what the serializer makes of them.
"""

from __future__ import annotations

from samite.distributed.protocol.serialize import (
    Pickled,
    Serialize,
    Serialized,
    ToPickle,
    dask_deserialize,
    dask_serialize,
    deserialize,
    deserialize_bytes,
    nested_deserialize,
    register_generic,
    register_serialization,
    register_serialization_family,
    serialize,
    serialize_bytelist,
    serialize_bytes,
    to_serialize,
)

__all__ = [
    "Pickled",
    "Serialize",
    "Serialized",
    "ToPickle",
    "dask_deserialize",
    "dask_serialize",
    "deserialize",
    "deserialize_bytes",
    "nested_deserialize",
    "register_generic",
    "register_serialization",
    "register_serialization_family",
    "serialize",
    "serialize_bytelist",
    "serialize_bytes",
    "to_serialize",
]
