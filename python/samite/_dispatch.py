"""Which collection class belongs to an expression."""

from samite.utils import Dispatch

get_collection_type = Dispatch("get_collection_type")
