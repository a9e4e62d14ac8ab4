"""What frames, series, indexes and scalars share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from samite import threaded
from samite._collections import new_collection
from samite.base import DaskMethodsMixin, dont_optimize
from samite.dataframe import methods
from samite.dataframe.collections.elementwise_methods import ElementwiseMethods
from samite.dataframe.collections.grouping_methods import GroupingMethods
from samite.dataframe.collections.joining_methods import JoiningMethods
from samite.dataframe.collections.operators import Operators
from samite.dataframe.collections.output_methods import OutputMethods
from samite.dataframe.collections.partition_methods import PartitionMethods
from samite.dataframe.collections.reduction_methods import ReductionMethods
from samite.dataframe.expressions.node import FrameExpr
from samite.dataframe.metadata import meta_nonempty, no_default
from samite.utils import IndexCallable

__all__ = ["FrameBase", "new_collection"]


class FrameBase(
    Operators,
    ElementwiseMethods,
    ReductionMethods,
    GroupingMethods,
    PartitionMethods,
    JoiningMethods,
    OutputMethods,
    DaskMethodsMixin,
):
    """A collection over an expression of data frames."""

    __dask_scheduler__ = staticmethod(threaded.get)
    # Expressions are optimized before they have a graph.
    __dask_optimize__ = staticmethod(dont_optimize)
    # Wins over NumPy's arrays in operators.
    __array_priority__ = 1000

    def __init__(self, expr: Any) -> None:
        if not isinstance(expr, FrameExpr):
            from samite._expr import Expr

            if not isinstance(expr, Expr):
                raise TypeError(
                    f"{type(self).__name__} is made of an expression, got {type(expr).__name__}; "
                    "use from_pandas, read_parquet and their like to make one"
                )
        self._expr = expr

    # -- what it is made of ------------------------------------------------------------

    @property
    def expr(self) -> Any:
        """The expression."""
        return self._expr

    @property
    def _meta(self) -> Any:
        return self.expr._meta

    @property
    def _meta_nonempty(self) -> Any:
        return meta_nonempty(self._meta)

    @property
    def _name(self) -> str:
        return self.expr._name

    @property
    def divisions(self) -> tuple[Any, ...]:
        """The bounds of the partitions by index value: partition i has the index values from
        ``divisions[i]`` up to, but not including, ``divisions[i + 1]``; the last partition
        includes its upper bound. All are None if they are not known."""
        return self.expr.divisions

    @divisions.setter
    def divisions(self, value: Any) -> None:
        raise NotImplementedError(
            "Divisions cannot be set; use `repartition(divisions=...)`, `set_index(..., "
            "divisions=...)` or `clear_divisions()`"
        )

    @property
    def known_divisions(self) -> bool:
        """Whether the divisions are known."""
        return self.expr.known_divisions

    @property
    def npartitions(self) -> int:
        """The number of partitions."""
        return self.expr.npartitions

    @property
    def size(self) -> Any:
        """The number of elements, as a scalar."""
        from samite.dataframe.reductions import size

        return size(self)

    @property
    def dask(self) -> Mapping[Any, Any]:
        """The graph."""
        return self.__dask_graph__()

    def __dask_graph__(self) -> Mapping[Any, Any]:
        return self.expr.lower_completely().__dask_graph__()

    def __dask_keys__(self) -> list[Any]:
        return self.expr.lower_completely().__dask_keys__()

    def __dask_layers__(self) -> tuple[str, ...]:
        return (self.expr.lower_completely()._name,)

    def __dask_tokenize__(self) -> Any:
        return (type(self).__name__, self.expr._name)

    def __dask_postcompute__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return methods.concatenated, (self._meta,)

    def __dask_postpersist__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _persisted, (self._meta, self.divisions, self.expr._funcname)

    def __reduce__(self) -> tuple[Any, ...]:
        return (new_collection, (self.expr,))

    # -- looking at the expression -------------------------------------------------------

    def optimize(self, fuse: bool = True) -> Any:
        """The same collection over a better expression."""
        return new_collection(self.expr.optimize(fuse=fuse))

    def simplify(self) -> Any:
        """The same collection over a simpler expression."""
        return new_collection(self.expr.simplify())

    def lower_once(self) -> Any:
        """The same collection with operations made more concrete once."""
        return new_collection(self.expr.lower_once({}))

    def pprint(self) -> None:
        """Print the expression as a tree."""
        self.expr.pprint()

    def explain(self, stage: str = "fused", format: str | None = None) -> None:
        """Print the expression as it was written and as it is after optimization, as trees.

        Parameters
        ----------
        stage:
            How far to optimize; see :func:`samite.dataframe.analysis.explain`.
        format:
            Taken for Dask's sake; what is printed is text.
        """
        from samite.dataframe.analysis import explain

        print(explain(self.expr, stage))

    def analyze(self, filename: str | None = None, format: str | None = None) -> None:
        """Compute, and print the tasks, rows, bytes and seconds of each part of the expression.

        Parameters
        ----------
        filename:
            A file to write to, in place of printing.
        format:
            Taken for Dask's sake; what is written is text.
        """
        from samite.dataframe.analysis import analyze

        text = analyze(self.expr)
        if filename is None:
            print(text)
            return
        with open(filename, "w") as file:
            file.write(f"{text}\n")

    def walk(self) -> Any:
        """The nodes of the expression, from the outermost inwards."""
        return self.expr.walk()

    def find_operations(self, operation: Any) -> Any:
        """The nodes of a class."""
        return self.expr.find_operations(operation)

    @property
    def _repr_divisions(self) -> list[str]:
        divisions = self.divisions
        return [str(d) if d is not None else "" for d in divisions]

    # -- partitions ----------------------------------------------------------------------

    @property
    def partitions(self) -> IndexCallable:
        """Choose partitions by position: ``df.partitions[0]``, ``df.partitions[:3]``,
        ``df.partitions[[1, 4]]``."""
        return IndexCallable(self._partitions_by_position)

    def _partitions_by_position(self, index: Any) -> Any:
        import numpy as np

        from samite.dataframe.expressions.selection import Partitions

        if isinstance(index, tuple):
            raise ValueError(f"partitions takes one index, got {index!r}")
        if isinstance(index, (int, np.integer)):
            index = [int(index)]
        chosen = np.arange(self.npartitions, dtype=object)[index]
        return new_collection(Partitions(self.expr, [int(i) for i in chosen]))

    def get_partition(self, n: int) -> Any:
        """The partition at position ``n`` as a collection of one partition.

        Raises
        ------
        ValueError
            There is none at that position.
        """
        if not 0 <= n < self.npartitions:
            raise ValueError(f"n must be 0 <= n < {self.npartitions}, got {n}")
        return self.partitions[n]

    def map_partitions(
        self,
        func: Callable[..., Any],
        *args: Any,
        meta: Any = no_default,
        enforce_metadata: bool = True,
        transform_divisions: bool = True,
        clear_divisions: bool = False,
        align_dataframes: bool = False,
        parent_meta: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Apply a function to each partition; see :func:`samite.dataframe.map_partitions`."""
        from samite.dataframe.map_partitions import map_partitions

        return map_partitions(
            func,
            self,
            *args,
            meta=meta,
            enforce_metadata=enforce_metadata,
            transform_divisions=transform_divisions,
            clear_divisions=clear_divisions,
            align_dataframes=align_dataframes,
            parent_meta=parent_meta,
            **kwargs,
        )

    def head(self, n: int = 5, npartitions: int = 1, compute: bool = True) -> Any:
        """The first ``n`` rows.

        Parameters
        ----------
        npartitions:
            How many partitions to look at, from the first; -1 for all. A warning tells where
            they have fewer rows.
        compute:
            Whether to give pandas rows, or a collection of one partition.

        Raises
        ------
        ValueError
            There are fewer partitions.
        """
        from samite.dataframe.expressions.selection import First, HeadOfPartitions, Partitions

        if npartitions > self.npartitions:
            raise ValueError(f"only {self.npartitions} partitions, head received {npartitions}")
        if npartitions < 0:
            npartitions = self.npartitions
        parts = Partitions(self.expr, list(range(npartitions)))
        expr: Any = HeadOfPartitions(parts, n, npartitions == 1 and self.npartitions > 1)
        if npartitions > 1:
            expr = First(HeadOfPartitions(parts, n), n, safe=npartitions < self.npartitions)
        result = new_collection(expr)
        return result.compute() if compute else result

    def tail(self, n: int = 5, compute: bool = True) -> Any:
        """The last ``n`` rows of the last partition, as pandas rows or as a collection."""
        from samite.dataframe.expressions.selection import Partitions, TailOfPartitions

        last = Partitions(self.expr, [self.npartitions - 1])
        result = new_collection(TailOfPartitions(last, n))
        return result.compute() if compute else result

    @property
    def index(self) -> Any:
        """The labels of the rows."""
        from samite.dataframe.expressions.selection import IndexOf

        return new_collection(IndexOf(self.expr))

    @index.setter
    def index(self, labels: Any) -> None:
        from samite.dataframe.elementwise import operand_of
        from samite.dataframe.expressions.elementwise import WithIndex
        from samite.dataframe.expressions.node import are_co_aligned

        labels = operand_of(labels)
        if not are_co_aligned(self.expr, labels):
            raise AssertionError(
                "value needs to be aligned with the index: it must be computed from the rows of "
                "this frame, without moving them"
            )
        self._expr = WithIndex(self.expr, labels)

    def __getattr__(self, name: str) -> Any:
        # Only called when the usual way fails: what the expression knows beside its columns.
        if name in ("_expr", "expr") or name.startswith("__"):
            raise AttributeError(name)
        expr = self._expr
        if name == "operands" or name in type(expr)._parameters or hasattr(type(expr), name):
            return getattr(expr, name)
        own = getattr(type(self), name, None)
        if isinstance(own, property) and own.fget is not None:
            return own.fget(self)  # raises its error again, which Python has caught
        if name in getattr(type(self), "_accessors", ()):
            getattr(self._meta, name)  # raises pandas' error, which tells what the dtype lacks
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def copy(self, deep: bool = False) -> Any:
        """The same collection; computations do not change their inputs, so ``deep`` is refused.

        Raises
        ------
        ValueError
            ``deep`` is true.
        """
        if deep is not False:
            raise ValueError(
                "The `deep` value must be False. This is strictly a shallow copy of the "
                "underlying computational graph."
            )
        return new_collection(self.expr)

    def to_delayed(self, optimize_graph: bool = True) -> list[Any]:
        """The partitions as lazy values."""
        from samite.delayed import Delayed

        expr = self.expr.optimize() if optimize_graph else self.expr.lower_completely()
        graph = expr.__dask_graph__()
        return [Delayed(key, graph) for key in expr.__dask_keys__()]


def _persisted(
    graph: Mapping[Any, Any],
    meta: Any,
    divisions: Any,
    prefix: str,
    *,
    rename: Mapping[str, str] | None = None,
) -> Any:
    from samite.dataframe.expressions.sources import FromGraph, Persisted

    keys = list(graph)
    if rename:
        keys = [(rename.get(key[0], key[0]), *key[1:]) for key in keys]
        graph = dict(zip(keys, graph.values(), strict=True))
    own = bool(keys) and keys == [(keys[0][0], i) for i in range(len(keys))]
    kind = Persisted if own else FromGraph
    return new_collection(kind(graph, meta, divisions, keys, prefix))
