"""What runs inside a task: a chain of steps over the records of one partition.

A *step* takes the stream of records so far and returns the next one. Streams are iterators of
the standard library wherever possible, so that a record passes from one of the user's functions
to the next without a frame of ours between them, and is dropped as soon as the last one has seen
it. Only the end of a chain holds more than one record.
"""

from __future__ import annotations

import copy
import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from samite._sentinels import no_default

__all__ = ["apply_chain", "make_step", "reify", "run_chain"]

# Steps joined into one task, at most: each is some frames of the C stack when a record is pulled.
LONGEST_CHAIN = 200


def reify(seq: Any) -> Any:
    """An iterator as a list, and iterators that are its records too; anything else as it is."""
    if isinstance(seq, Iterator):
        seq = list(seq)
    if type(seq) is list and seq and isinstance(seq[0], Iterator):
        seq = [list(part) if isinstance(part, Iterator) else part for part in seq]
    return seq


def make_step(func: Callable[..., Any], args: Any = (), kwargs: Any = None) -> tuple[Any, ...]:
    """A step: ``func(stream, *args, **kwargs)``."""
    return func, tuple(args), kwargs or {}


def run_chain(source: Any, *steps: tuple[Any, ...]) -> Any:
    """The records of a partition after all steps, in memory."""
    records, steps = _opened(source, steps)
    try:
        return reify(_through(records, steps))
    except Exception as error:
        _say_where(records, error)
        raise


def apply_chain(source: Any, *steps: tuple[Any, ...]) -> Any:
    """What the last step returns, as it is."""
    records, steps = _opened(source, steps)
    try:
        return _through(records, steps)
    except Exception as error:
        _say_where(records, error)
        raise


def _through(records: Any, steps: Iterable[tuple[Any, ...]]) -> Any:
    for func, args, kwargs in steps:
        records = func(records, *args, **kwargs)
    return records


def _opened(source: Any, steps: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The records of a source, which may take on the first of the steps itself."""
    open_ = getattr(source, "__samite_open__", None)
    if open_ is None:
        return source, steps
    parse = getattr(source, "__samite_parse__", None)
    return (parse and steps and parse(steps)) or (open_(), steps)


def _say_where(records: Any, error: Exception) -> None:
    """A note that names the place in a file that the records come from."""
    where = getattr(records, "where", None)
    if where is not None and hasattr(error, "add_note"):
        place = where()
        if place and place not in str(error):
            error.add_note(place)


# ---- steps of one record --------------------------------------------------------------------


def map_records(
    records: Any,
    func: Callable[..., Any],
    position: int | None,
    others: Any = (),
    named: Any = None,
    constants: Any = None,
) -> Iterator[Any]:
    """``func`` of each record.

    Parameters
    ----------
    position:
        Where the records stand among the arguments; None where ``named`` has them under
        ``None``'s name.
    others:
        The other positional arguments: pairs of whether it is a partition, and it.
    named:
        Partitions by the names of the arguments; the records themselves where one is None.
    constants:
        Arguments that are the same for each record.
    """
    if constants:
        func = functools.partial(func, **constants)
    if not others and not named:
        return map(func, records)
    columns = [_column(is_partition, value) for is_partition, value in others]
    if position is not None:
        columns.insert(position, records)
    if not named:
        _check_lengths(columns)
        return map(func, *columns)
    names = tuple(named)
    values = [records if value is None else value for value in named.values()]
    _check_lengths([*columns, *values])
    count = len(columns)
    call = functools.partial(_call_named, func, count, names)
    return map(call, *columns, *values)


def _call_named(func: Callable[..., Any], count: int, names: tuple[str, ...], *values: Any) -> Any:
    return func(*values[:count], **dict(zip(names, values[count:])))


def _column(is_partition: bool, value: Any) -> Any:
    return value if is_partition else itertools.repeat(value)


def _check_lengths(columns: list[Any]) -> None:
    lengths = {len(column) for column in columns if hasattr(column, "__len__")}
    if len(lengths) > 1:
        raise ValueError(
            "map called with multiple bags whose partitions have different numbers of records: "
            f"{sorted(lengths)}"
        )


def starmap_records(
    records: Any, func: Callable[..., Any], constants: dict[str, Any] | None = None
) -> Iterator[Any]:
    """``func`` of the items of each record."""
    if constants:
        func = functools.partial(func, **constants)
    return itertools.starmap(func, records)


def filter_records(records: Any, predicate: Any) -> Iterator[Any]:
    """The records for which the predicate is true; without one, those that are true."""
    return filter(predicate, records)


def filter_by_mask(records: Any, mask: Any) -> Iterator[Any]:
    """The records in whose place another bag has a true value."""
    return itertools.compress(records, mask)


def remove_records(records: Any, predicate: Any) -> Iterator[Any]:
    """The records for which the predicate is false."""
    return itertools.filterfalse(predicate, records)


def pluck_records(records: Any, key: Any, default: Any = no_default) -> Iterator[Any]:
    """An item of each record, or a tuple of several."""
    if default is no_default:
        if isinstance(key, list):
            if len(key) == 1:
                return ((record[key[0]],) for record in records)
            return map(operator.itemgetter(*key), records) if key else (() for _ in records)
        return map(operator.itemgetter(key), records)
    if isinstance(key, list):
        return map(functools.partial(_items_or, key, default), records)
    return map(functools.partial(_item_or, key, default), records)


def _item_or(key: Any, default: Any, record: Any) -> Any:
    try:
        return record[key]
    except (KeyError, IndexError, TypeError):
        return default


def _items_or(keys: list[Any], default: Any, record: Any) -> tuple[Any, ...]:
    return tuple(_item_or(key, default, record) for key in keys)


def flatten_records(records: Any) -> Iterator[Any]:
    """The items of all records."""
    return itertools.chain.from_iterable(records)


def call_with_records(
    records: Any, func: Callable[..., Any], position: Any, args: Any, kwargs: Any
) -> Any:
    """``func`` of the partition as a whole, at its place among other arguments."""
    args, kwargs = list(args), dict(kwargs)
    if isinstance(position, str):
        kwargs[position] = records
    else:
        args.insert(position, records)
    return func(*args, **kwargs)


def sample_records(records: Any, state: Any, probability: float) -> Iterator[Any]:
    """Each record with a probability."""
    from random import Random

    generator = Random()
    generator.setstate(state)
    draw = generator.random
    return (record for record in records if draw() < probability)


def zip_records(records: Any, others: Any) -> Iterator[Any]:
    """Tuples of the records at the same places."""
    return zip(records, *others)


def take_records(records: Any, count: int) -> list[Any]:
    """The first records."""
    return list(itertools.islice(records, count))


# ---- steps that make one value --------------------------------------------------------------


class _NoResult:
    """Type of `no_result`."""

    def __repr__(self) -> str:
        return "no_result"

    def __reduce__(self) -> str:
        return "no_result"


#: What an empty partition contributes to a reduction.
no_result = _NoResult()


def apply_unless_empty(part: Any, func: Callable[..., Any], is_last: bool) -> Any:
    """``func(part)``, or `no_result` where the partition is empty and others follow."""
    if isinstance(part, Iterator):
        try:
            first = next(part)
        except StopIteration:
            return func(iter(())) if is_last else no_result
        return func(itertools.chain((first,), part))
    from samite.utils import is_empty

    return no_result if not is_last and is_empty(part) else func(part)


def aggregate_parts(parts: Any, func: Callable[..., Any], is_last: bool) -> Any:
    """``func`` of the results of partitions that had any."""
    return apply_unless_empty([part for part in parts if part is not no_result], func, is_last)


def reduce_records(sequence: Any, binop: Callable[..., Any], initial: Any = no_default) -> Any:
    """All records folded into one value."""
    if initial is no_default:
        return functools.reduce(binop, sequence)
    return functools.reduce(binop, sequence, fresh(initial))


_MUTABLE = (list, dict, set, bytearray)


def fresh(initial: Any) -> Any:
    """An initial value that a function may change in place without others seeing it."""
    return copy.deepcopy(initial) if type(initial) in _MUTABLE else initial


def fold_by_key(
    records: Any, key: Any, binop: Callable[..., Any], initial: Any = no_default
) -> dict[Any, Any]:
    """The fold of the records of each key, in the order of first appearance."""
    key = as_getter(key)
    totals: dict[Any, Any] = {}
    missing = object()
    get = totals.get
    if initial is no_default:
        for record in records:
            group = key(record)
            total = get(group, missing)
            totals[group] = record if total is missing else binop(total, record)
        return totals
    for record in records:
        group = key(record)
        total = get(group, missing)
        totals[group] = binop(fresh(initial) if total is missing else total, record)
    return totals


def merge_folds(
    parts: Iterable[dict[Any, Any]], combine: Callable[..., Any], initial: Any = no_default
) -> dict[Any, Any]:
    """The folds of several partitions as one."""
    merged: dict[Any, Any] = {}
    missing = object()
    for part in parts:
        for group, value in part.items():
            total = merged.get(group, missing)
            if total is not missing:
                merged[group] = combine(total, value)
            elif initial is no_default:
                merged[group] = value
            else:
                merged[group] = combine(fresh(initial), value)
    return merged


def as_getter(key: Any) -> Callable[[Any], Any]:
    """A function as it is; anything else gets an item, a list several."""
    if callable(key):
        return key
    return operator.itemgetter(*key) if isinstance(key, list) else operator.itemgetter(key)


def group_records(records: Any, key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """Lists of records by their keys, in the order of first appearance."""
    groups: dict[Any, list[Any]] = {}
    get = groups.get
    for record in records:
        group = key(record)
        known = get(group)
        if known is None:
            groups[group] = [record]
        else:
            known.append(record)
    return groups


def join_records(
    records: Any, other: Any, on_self: Any, on_other: Any
) -> Iterator[tuple[Any, Any]]:
    """Pairs of a record of ``other`` and one of the stream with equal keys."""
    groups = group_records(other, as_getter(on_other))
    on_self = as_getter(on_self)
    nothing: list[Any] = []
    get = groups.get
    return ((match, record) for record in records for match in get(on_self(record), nothing))


def product_records(records: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """All pairs."""
    return itertools.product(records, other)


def accumulate_records(
    records: Any, binop: Callable[..., Any], before: Any, is_first: bool
) -> tuple[list[Any], Any]:
    """Running totals of a partition, and the last of them; ``before`` is the one so far."""
    if before is no_default:
        totals = list(itertools.accumulate(records, binop))
    else:
        totals = list(itertools.accumulate(itertools.chain((before,), records), binop))
        if not is_first:
            return totals[1:], totals[-1]
    return totals, totals[-1] if totals else before


def unique_records(records: Any, key: Any = None) -> list[Any]:
    """The first record of each key."""
    if key is None:
        return list(dict.fromkeys(records))
    key = as_getter(key)
    seen: dict[Any, Any] = {}
    for record in records:
        seen.setdefault(key(record), record)
    return list(seen.values())


def unique_of_parts(parts: Iterable[Any], key: Any = None) -> list[Any]:
    """The first record of each key in all parts."""
    return unique_records(itertools.chain.from_iterable(parts), key)


def count_values(records: Any) -> dict[Any, int]:
    """How often each record occurs."""
    from collections import Counter

    return dict(Counter(records))


def merge_counts(parts: Iterable[dict[Any, int]]) -> dict[Any, int]:
    """Counts added up."""
    merged: dict[Any, int] = {}
    for part in parts:
        for value, count in part.items():
            merged[value] = merged.get(value, 0) + count
    return merged


def largest(records: Any, k: int, key: Any = None) -> list[Any]:
    """The ``k`` largest records, the largest first."""
    import heapq

    # A count that is no integer fails where the list is sorted, with the words of Python.
    return heapq.nlargest(operator.index(k), records, key=key)


def largest_of_parts(parts: Iterable[Any], k: int, key: Any = None) -> list[Any]:
    """The largest records of all parts."""
    return largest(itertools.chain.from_iterable(parts), k, key)


def count_records(records: Any) -> int:
    """The number of records."""
    if hasattr(records, "__len__"):
        return len(records)
    from collections import deque

    counter = itertools.count()
    deque(zip(records, counter), maxlen=0)
    return next(counter)


def dict_items(mapping: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """Pairs of keys and values."""
    return list(mapping.items())


def items_by_count(mapping: dict[Any, int]) -> list[tuple[Any, int]]:
    """Pairs of keys and counts, the most frequent first."""
    return sorted(mapping.items(), key=operator.itemgetter(1), reverse=True)
