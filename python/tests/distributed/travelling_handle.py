"""A class that cannot be pickled, with its serializer: in a module that workers import, too."""

from __future__ import annotations

from samite.distributed.protocol import register_serialization


class Travelling:
    """Has a number."""

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        raise TypeError("only its serializer can write it")


register_serialization(
    Travelling,
    lambda handle: ({}, [str(handle.number).encode()]),
    lambda header, frames: Travelling(int(bytes(frames[0]))),
)
