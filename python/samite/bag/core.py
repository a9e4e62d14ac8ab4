"""The class of bags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from samite import base
from samite._sentinels import no_default
from samite.bag import grouping, mapping, native, partitions, reductions, streaming
from samite.bag.graphs import graph_of, layer_over, optimize, step
from samite.bag.item import Item
from samite.bag.names import (  # other programs look for these here
    collect,
    empty_safe_aggregate,
    empty_safe_apply,
    lazify,
    lazify_task,
    partition,
    reduceby,
)
from samite.bag.partitions import total_mem_usage
from samite.bag.streaming import no_result, reify
from samite.bag.string_methods import StringAccessor
from samite.base import DaskMethodsMixin, dont_optimize, replace_name_in_key
from samite.context import globalmethod
from samite.highlevelgraph import HighLevelGraph
from samite.tokenize import tokenize
from samite.utils import funcname, takes_multiple_arguments

__all__ = [
    "Bag",
    "Item",
    "StringAccessor",
    "collect",
    "empty_safe_aggregate",
    "empty_safe_apply",
    "lazify",
    "lazify_task",
    "no_result",
    "optimize",
    "partition",
    "reduceby",
    "reify",
    "total_mem_usage",
]


def all_records(results: Any) -> Any:
    """The records of all partitions, or what functions made of whole partitions."""
    if not results:
        return results
    if isinstance(results, Iterator):
        results = list(results)
    if isinstance(results[0], (str, bytes)) or not hasattr(results[0], "__iter__"):
        return list(results)
    records: list[Any] = []
    for part in results:
        records.extend(part)
    return records


class Bag(DaskMethodsMixin):
    """An unordered collection of Python objects, in partitions.

    Made by :func:`from_sequence`, :func:`read_text` and their like.

    Parameters
    ----------
    dsk:
        A graph: a dict or layers. The task ``(name, i)`` gives the records of partition ``i``.
    name:
        The first part of the keys.
    npartitions:
        The number of partitions.

    Examples
    --------
    >>> import samite.bag as db
    >>> numbers = db.from_sequence(range(10), npartitions=2)
    >>> numbers.filter(lambda x: x % 2).map(lambda x: x * x).sum().compute(scheduler="sync")
    165
    """

    def __init__(self, dsk: Any, name: str, npartitions: int) -> None:
        if not isinstance(dsk, HighLevelGraph):
            dsk = HighLevelGraph.from_collections(name, dsk, dependencies=[])
        self.dask = dsk
        self.name = name
        self.npartitions = npartitions
        # How the engine computes the same without Python objects, where it can.
        self._native: Any = None

    # ---- the protocol of collections ---------------------------------------------------------

    @property
    def _args(self) -> tuple[Any, ...]:
        return self.dask, self.name, self.npartitions

    def __getstate__(self) -> Any:
        return (*self._args, self._native)

    def __setstate__(self, state: Any) -> None:
        self.dask, self.name, self.npartitions, self._native = state

    def __dask_graph__(self) -> Any:
        return self.dask

    def __dask_keys__(self) -> list[Any]:
        return [(self.name, i) for i in range(self.npartitions)]

    def __dask_layers__(self) -> tuple[str, ...]:
        return (self.name,)

    def __dask_tokenize__(self) -> Any:
        return self.name

    __dask_optimize__ = globalmethod(optimize, key="bag_optimize", falsey=dont_optimize)
    # Where there are no processes, nothing has registered them.
    __dask_scheduler__ = staticmethod(
        base.named_schedulers.get("processes") or base.named_schedulers["sync"]
    )

    def __dask_postcompute__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return all_records, ()

    def __dask_postpersist__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._rebuild, ()

    def _rebuild(self, dsk: Any, *, rename: Any = None) -> Bag:
        name = replace_name_in_key(self.name, rename) if rename else self.name
        return type(self)(dsk, name, self.npartitions)

    def _over(self, name: str, *steps: Any, dependencies: Any = ()) -> Any:
        """A bag of the same class whose partitions are ours after steps."""
        layer = layer_over(name, self, *steps)
        graph = graph_of(name, layer, [self, *dependencies])
        return type(self)(graph, name, self.npartitions)

    def __repr__(self) -> str:
        from samite.utils import key_split

        return f"samite.bag<{key_split(self.name)}, npartitions={self.npartitions}>"

    __str__ = __repr__

    def __iter__(self) -> Iterator[Any]:
        return iter(self.compute())

    @property
    def str(self) -> StringAccessor:
        """Methods of strings, for each record: ``bag.str.lower()``."""
        return StringAccessor(self)

    # ---- record by record --------------------------------------------------------------------

    def map(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The function of each record.

        Parameters
        ----------
        *args, **kwargs:
            More arguments. A bag with equally long partitions gives one of its records with
            each of ours; items and lazy values are computed first; anything else is passed on.

        Raises
        ------
        ValueError
            If another bag has another number of partitions, or partitions of other lengths.
        """
        return mapping.bag_map(func, self, *args, **kwargs)

    def starmap(self, func: Callable[..., Any], **kwargs: Any) -> Any:
        """The function of the items of each record: ``func(*record, **kwargs)``."""
        return mapping.starmap(self, func, kwargs)

    def map_partitions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The function of each partition, which it gets as an iterable; it returns one too.

        Further arguments are as for :meth:`map`, with a bag's partition as a whole.
        """
        return mapping.map_partitions(func, self, *args, **kwargs)

    def filter(self, predicate: Any) -> Any:
        """The records for which the predicate is true.

        ``predicate`` is a function; None keeps what is true; an expression of
        :meth:`field` is computed by the engine.
        """
        return mapping.keep(self, predicate)

    def remove(self, predicate: Callable[[Any], Any]) -> Any:
        """The records for which the predicate is false."""
        name = f"remove-{funcname(predicate)}-{tokenize(self, predicate, 'remove')}"
        made = self._over(name, step(streaming.remove_records, predicate))
        made._native = native.filtered(self._native, predicate, keeps=False)
        return made

    def random_sample(self, prob: float, random_state: Any = None) -> Any:
        """Each record with a probability.

        Parameters
        ----------
        prob:
            The probability, from 0 to 1.
        random_state:
            An integer or a :class:`random.Random`, for the same sample each time.

        Raises
        ------
        ValueError
            If ``prob`` is no probability.
        """
        if not 0 <= prob <= 1:
            raise ValueError(f"prob must be a number in the interval [0, 1], got {prob!r}")
        generator = random_state if isinstance(random_state, Random) else Random(random_state)
        states = [Random(generator.getrandbits(128)).getstate() for _ in range(self.npartitions)]
        name = f"random-sample-{tokenize(self, prob, states)}"
        layer: dict[Any, Any] = {}
        for i, state in enumerate(states):
            layer.update(
                mapping.one_partition(name, self, i, step(streaming.sample_records, state, prob))
            )
        return type(self)(graph_of(name, layer, [self]), name, self.npartitions)

    def pluck(self, key: Any, default: Any = no_default) -> Any:
        """An item of each record: of a dict by its key, of a sequence by its position.

        Parameters
        ----------
        key:
            The key; a list of keys gives tuples.
        default:
            What stands for an item that is not there; without it that is an error.
        """
        return mapping.pluck(self, key, default)

    def unzip(self, n: int) -> tuple[Any, ...]:
        """The first ``n`` items of each record, as as many bags."""
        return tuple(self.pluck(i) for i in range(n))

    def flatten(self) -> Any:
        """The items of all records."""
        return mapping.flatten(self)

    def field(self, *path: Any) -> Any:
        """An item of each record in an expression, for :meth:`filter` and :meth:`map`.

        >>> import samite.bag as db
        >>> people = db.from_sequence([{"age": 31}, {"age": 17}])
        >>> people.filter(people.field("age") > 30).compute(scheduler="sync")
        [{'age': 31}]
        """
        from samite.bag.expressions import field

        return field(*path)

    # ---- reductions --------------------------------------------------------------------------

    def fold(
        self,
        binop: Callable[[Any, Any], Any],
        combine: Callable[[Any, Any], Any] | None = None,
        initial: Any = no_default,
        split_every: Any = None,
        out_type: type = Item,
    ) -> Any:
        """All records as one value: ``binop(total, record)``, partition by partition.

        Parameters
        ----------
        combine:
            What makes one total of two; by default ``binop``.
        initial:
            The total at first, in each partition.
        split_every:
            How many partial totals are combined at a time.
        out_type:
            :class:`Item`, or :class:`Bag` where the total is a list of records.
        """
        combine = combine or binop
        part: Any = (streaming.reduce_records, (binop, initial))
        aggregate = (streaming.reduce_records, (combine,))
        return reductions.tree(
            self, part, aggregate, split_every, out_type, "fold", funcname(binop)
        )

    def reduction(
        self,
        perpartition: Callable[[Any], Any],
        aggregate: Callable[[Any], Any],
        split_every: Any = None,
        out_type: type = Item,
        name: Any = None,
    ) -> Any:
        """A function of each partition, and a function of its results.

        Parameters
        ----------
        perpartition:
            Takes an iterable of records.
        aggregate:
            Takes an iterable of results, of either function.
        split_every:
            How many results are combined at a time; False: all.
        """
        return reductions.reduction(self, perpartition, aggregate, split_every, out_type, name)

    def frequencies(self, split_every: Any = None, sort: bool = False) -> Any:
        """Pairs of a distinct record and how often it occurs; with ``sort`` the most frequent
        first."""
        return reductions.frequencies(self, split_every, sort)

    def topk(self, k: int, key: Any = None, split_every: Any = None) -> Any:
        """The ``k`` largest records, by a function or an item of them, the largest first."""
        if key is not None:
            if callable(key) and takes_multiple_arguments(key):
                key = mapping.Starred(key)
            elif not callable(key):
                key = streaming.as_getter(key)
        return reductions.topk(self, k, key, split_every)

    def distinct(self, key: Any = None) -> Any:
        """Each record once; with a key, which may be a function or an item, the first one of
        each."""
        return reductions.distinct(self, key)

    def sum(self, split_every: Any = None) -> Item:
        """The sum of the records."""
        return reductions.simple(self, "sum", split_every)

    def max(self, split_every: Any = None) -> Item:
        """The largest record."""
        return reductions.simple(self, "max", split_every)

    def min(self, split_every: Any = None) -> Item:
        """The smallest record."""
        return reductions.simple(self, "min", split_every)

    def any(self, split_every: Any = None) -> Item:
        """Whether a record is true."""
        return reductions.simple(self, "any", split_every)

    def all(self, split_every: Any = None) -> Item:
        """Whether all records are true."""
        return reductions.simple(self, "all", split_every)

    def count(self, split_every: Any = None) -> Item:
        """The number of records."""
        return reductions.simple(self, "count", split_every)

    def mean(self) -> Item:
        """The mean of the records, which are numbers."""
        return reductions.mean(self)

    def var(self, ddof: int = 0) -> Item:
        """The variance; ``ddof`` is taken off the number of records that it is divided by."""
        return reductions.variance(self, ddof)

    def std(self, ddof: int = 0) -> Item:
        """The standard deviation; see :meth:`var`."""
        return reductions.deviation(self, ddof)

    # ---- by key ------------------------------------------------------------------------------

    def groupby(
        self,
        grouper: Any,
        method: Any = None,
        npartitions: int | None = None,
        blocksize: int = 2**20,
        max_branch: int | None = None,
        shuffle: Any = None,
    ) -> Any:
        """Pairs of a key and the list of all records that have it.

        All records move. Where groups are only needed to make one value of each,
        :meth:`foldby` is much quicker.

        Parameters
        ----------
        grouper:
            A function that gives a hashable key, or an item of the records.
        npartitions:
            The number of partitions of the result, through files.
        blocksize:
            How many records are held before they are written, through files.
        max_branch:
            Into how many parts a partition is cut at a time, through tasks.
        shuffle:
            ``"disk"``: through files, the default on one machine; ``"tasks"``: from task to task.
        """
        return grouping.groupby(self, grouper, method, npartitions, blocksize, max_branch, shuffle)

    def foldby(
        self,
        key: Any,
        binop: Callable[[Any, Any], Any],
        initial: Any = no_default,
        combine: Callable[[Any, Any], Any] | None = None,
        combine_initial: Any = no_default,
        split_every: Any = None,
    ) -> Any:
        """Pairs of a key and the fold of all records that have it.

        Parameters
        ----------
        key:
            A function, or an item of the records.
        binop:
            ``binop(total, record)``.
        initial:
            The total at first; by default the first record.
        combine:
            What makes one total of two, from different partitions; by default ``binop``.
        combine_initial:
            The total at first when totals are combined.
        """
        return grouping.foldby(self, key, binop, initial, combine, combine_initial, split_every)

    def join(self, other: Any, on_self: Any, on_other: Any = None) -> Any:
        """Pairs of a record of ``other`` and one of ours with equal keys.

        Parameters
        ----------
        other:
            A sequence, a lazy value or a bag of one partition; it is read into a dict.
        on_self, on_other:
            Functions that give keys, or items of the records.

        Raises
        ------
        NotImplementedError
            If ``other`` is a bag of several partitions.
        """
        return grouping.join(self, other, on_self, on_other)

    def product(self, other: Bag) -> Any:
        """All pairs of one of our records and one of another bag."""
        return grouping.product(self, other)

    def accumulate(self, binop: Callable[[Any, Any], Any], initial: Any = no_default) -> Any:
        """Running totals; partitions wait for one another."""
        return partitions.accumulate(self, binop, initial)

    # ---- partitions --------------------------------------------------------------------------

    def take(self, k: int, npartitions: int = 1, compute: bool = True, warn: bool = True) -> Any:
        """The first records, as a tuple.

        Parameters
        ----------
        npartitions:
            From how many of the first partitions; -1: all.
        compute:
            False: a bag of them.
        warn:
            Whether to warn of too few records.
        """
        return partitions.take(self, k, npartitions, compute, warn)

    def repartition(self, npartitions: int | None = None, partition_size: Any = None) -> Any:
        """The same records in other partitions.

        Parameters
        ----------
        npartitions:
            How many.
        partition_size:
            How many bytes each may take, or text such as ``"100 MiB"``; the sizes of all
            partitions are computed at once.
        """
        if (npartitions is None) == (partition_size is None):
            raise ValueError("repartition needs either npartitions or partition_size, and not both")
        if npartitions is not None:
            return partitions.repartition(self, npartitions)
        return partitions.repartition_by_size(self, partition_size)

    # ---- elsewhere ---------------------------------------------------------------------------

    def to_textfiles(self, path: Any, **kwargs: Any) -> Any:
        """Write one file of lines a partition; see :func:`samite.bag.to_textfiles`."""
        from samite.bag.textfiles import to_textfiles

        return to_textfiles(self, path, **kwargs)

    def to_avro(self, filename: Any, schema: Any, **kwargs: Any) -> Any:
        """Write one Avro file a partition; see :func:`samite.bag.avro.to_avro`."""
        from samite.bag.avro import to_avro

        return to_avro(self, filename, schema, **kwargs)

    def to_dataframe(
        self, meta: Any = None, columns: Any = None, optimize_graph: bool = True
    ) -> Any:
        """A data frame of records that are dicts, tuples or single values.

        Parameters
        ----------
        meta:
            An empty frame, or names and dtypes; without it the first records tell.
        columns:
            The names of the columns, where records do not have them.

        Raises
        ------
        ValueError
            If ``meta`` and ``columns`` are both given, or the first partition is empty and
            ``meta`` is not given.
        """
        from samite.bag.frames import to_dataframe

        return to_dataframe(self, meta, columns, optimize_graph)

    def to_delayed(self, optimize_graph: bool = True) -> list[Any]:
        """The partitions as lazy values."""
        from samite.delayed import Delayed

        keys = self.__dask_keys__()
        graph, layer = self.__dask_graph__(), self.name
        if optimize_graph:
            layer = f"delayed-{layer}"
            graph = HighLevelGraph.from_collections(
                layer, self.__dask_optimize__(graph, keys), dependencies=()
            )
        return [Delayed(key, graph, layer=layer) for key in keys]
