"""Bags: unordered collections of Python objects in partitions, for text, JSON and all that has
no columns yet.

The names are those of :mod:`dask.bag`. What Python functions do runs in processes by default;
what the engine can do without Python objects runs in threads.
"""

from samite.bag.avro import read_avro
from samite.bag.construction import concat, from_delayed, from_sequence, from_url, range
from samite.bag.core import Bag, Item
from samite.bag.expressions import field
from samite.bag.json_lines import read_json_lines
from samite.bag.mapping import bag_map as map
from samite.bag.mapping import bag_zip as zip
from samite.bag.mapping import map_partitions
from samite.bag.text import read_text
from samite.bag.textfiles import to_textfiles
from samite.bag.utils import assert_eq
from samite.base import compute

__all__ = [
    "Bag",
    "Item",
    "assert_eq",
    "compute",
    "concat",
    "field",
    "from_delayed",
    "from_sequence",
    "from_url",
    "map",
    "map_partitions",
    "range",
    "read_avro",
    "read_json_lines",
    "read_text",
    "to_textfiles",
    "zip",
]
