"""Helpers for collections and their users; each is documented where it is defined.

The definitions are in ``samite._utils``, by subject; programs import them from here.
"""

from __future__ import annotations

from samite._sentinels import no_default
from samite._utils.callables import (
    IndexCallable,
    M,
    MethodCache,
    OperatorMethodMixin,
    apply,
    cached_property,
    itemgetter,
    methodcaller,
    partial_by_order,
)
from samite._utils.containers import (
    cached_cumsum,
    cached_max,
    concrete,
    deepmap,
    digit,
    ensure_dict,
    ensure_set,
    homogeneous_deepmap,
    insert,
    iter_chunks,
    ndeepmap,
    ndimlist,
    pseudorandom,
    random_state_data,
    unzip,
)
from samite._utils.dispatch import Dispatch
from samite._utils.documentation import (
    _deprecated,
    _deprecated_kwarg,
    _derived_from,
    _skip_doctest,
    derived_from,
    extra_titles,
    ignore_warning,
    shorten_traceback,
    skip_doctest,
    unsupported_arguments,
)
from samite._utils.files import (
    changed_cwd,
    ensure_not_exists,
    filetext,
    filetexts,
    tmp_cwd,
    tmpdir,
    tmpfile,
)
from samite._utils.formatting import (
    asciitable,
    byte_sizes,
    ensure_bytes,
    ensure_unicode,
    format_bytes,
    format_time,
    format_time_ago,
    key_split,
    maybe_pluralize,
    memory_repr,
    natural_sort_key,
    parse_bytes,
    parse_timedelta,
    put_lines,
    stringify,
    system_encoding,
    timedelta_sizes,
)
from samite._utils.introspection import (
    funcname,
    get_meta_library,
    get_named_args,
    getargspec,
    has_keyword,
    import_required,
    is_arraylike,
    is_cupy_type,
    is_dataframe_like,
    is_empty,
    is_index_like,
    is_integer,
    is_namedtuple_instance,
    is_series_like,
    show_versions,
    takes_multiple_arguments,
    typename,
)
from samite._utils.locks import SerializableLock, disable_gc, get_scheduler_lock

__all__ = [
    "Dispatch",
    "IndexCallable",
    "M",
    "MethodCache",
    "OperatorMethodMixin",
    "SerializableLock",
    "apply",
    "asciitable",
    "byte_sizes",
    "cached_cumsum",
    "cached_max",
    "cached_property",
    "changed_cwd",
    "concrete",
    "deepmap",
    "derived_from",
    "digit",
    "disable_gc",
    "ensure_bytes",
    "ensure_dict",
    "ensure_not_exists",
    "ensure_set",
    "ensure_unicode",
    "extra_titles",
    "filetext",
    "filetexts",
    "format_bytes",
    "format_time",
    "format_time_ago",
    "funcname",
    "get_default_shuffle_method",
    "get_meta_library",
    "get_named_args",
    "get_scheduler_lock",
    "getargspec",
    "has_keyword",
    "homogeneous_deepmap",
    "ignore_warning",
    "import_required",
    "insert",
    "is_arraylike",
    "is_cupy_type",
    "is_dataframe_like",
    "is_empty",
    "is_index_like",
    "is_integer",
    "is_namedtuple_instance",
    "is_series_like",
    "itemgetter",
    "iter_chunks",
    "key_split",
    "maybe_pluralize",
    "memory_repr",
    "methodcaller",
    "natural_sort_key",
    "ndeepmap",
    "ndimlist",
    "no_default",
    "parse_bytes",
    "parse_timedelta",
    "partial_by_order",
    "pseudorandom",
    "put_lines",
    "random_state_data",
    "shorten_traceback",
    "show_versions",
    "skip_doctest",
    "stringify",
    "system_encoding",
    "takes_multiple_arguments",
    "timedelta_sizes",
    "tmp_cwd",
    "tmpdir",
    "tmpfile",
    "typename",
    "unsupported_arguments",
    "unzip",
]
# Shared within the project and with packages that build on Dask, but not documented for users.
_PRIVATE = (_deprecated, _deprecated_kwarg, _derived_from, _skip_doctest)


def get_default_shuffle_method() -> str:
    """How data frames exchange rows: the setting ``dataframe.shuffle.method``, else ``"p2p"`` where
    a client of a cluster is the default scheduler, and ``"disk"`` where none is."""
    import sys

    from samite import config

    method = config.get("dataframe.shuffle.method", None)
    if method is None and "samite.distributed._current" in sys.modules:
        from samite.distributed._current import current_client

        client = current_client()
        method = "p2p" if client is not None and client._as_default else None
    return method or "disk"
