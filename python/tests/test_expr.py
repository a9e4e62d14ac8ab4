"""Expressions: operands, identity, rewriting, and graphs as expressions."""

from __future__ import annotations

import functools
import gc
import pickle
import warnings

import pytest

from samite._expr import (
    CompositeExpr,
    Expr,
    FinalizeCompute,
    HLGExpr,
    LLGExpr,
    PersistedExpr,
    ProhibitReuse,
    SingletonExpr,
    _ExprSequence,
    optimize_until,
)
from samite._task_spec import DataNode, Task, TaskRef
from samite.core import flatten, get
from samite.highlevelgraph import HighLevelGraph, MaterializedLayer


class Number(Expr):
    _parameters = ["value"]

    def _layer(self):
        return {self._name: DataNode(self._name, self.value)}

    def __dask_keys__(self):
        return [self._name]


class Plus(Expr):
    _parameters = ["left", "right", "scale"]
    _defaults = {"scale": 1}

    def _layer(self):
        arguments = [TaskRef(side._name) for side in (self.left, self.right)]
        return {self._name: Task(self._name, lambda a, b, k: (a + b) * k, *arguments, self.scale)}

    def __dask_keys__(self):
        return [self._name]

    def _simplify_down(self):
        if isinstance(self.left, Number) and isinstance(self.right, Number) and self.scale == 1:
            return Number(self.left.value + self.right.value)
        return None


class Slow(Number):
    def _lower(self):
        return Number(self.value)


def value(expr):
    return get(expr.__dask_graph__(), expr.__dask_keys__())[0]


def test_operands():
    expr = Plus(Number(1), right=Number(2))
    assert expr.scale == 1 and expr.right.value == 2 and expr.operand("scale") == 1
    assert [child.value for child in expr.dependencies()] == [1, 2]
    expr.scale = 3
    assert expr.scale == 3
    with pytest.raises(AttributeError, match="other"):
        expr.other
    with pytest.raises(AttributeError, match="other"):
        expr.other = 1
    with pytest.raises(TypeError, match="right"):
        Plus(Number(1))
    with pytest.raises(TypeError, match="wrong"):
        Number(1, wrong=2)


def test_an_error_in_a_property_is_not_hidden():
    class Broken(Number):
        @property
        def size(self):
            return self.nothing

    with pytest.raises(AttributeError, match="size"):
        Broken(1).size


def test_identity():
    assert Number(1)._name == Number(1)._name != Number(2)._name
    assert Number(1)._name != Slow(1)._name
    assert Plus(Number(1), Number(2))._name == Plus(Number(1), Number(2), 1)._name
    assert hash(Number(1)) == hash(Number(1))


def test_pickle_keeps_names_and_cached_values():
    class_calls = CachedExpr.calls = []
    expr = CachedExpr(4)
    assert expr.square == 16
    again = pickle.loads(pickle.dumps(expr))
    assert again._name == expr._name and again.value == 4 and again.square == 16
    assert class_calls == [4]


class CachedExpr(Number):
    calls: list = []

    @functools.cached_property
    def square(self):
        CachedExpr.calls.append(self.value)
        return self.value**2


class Single(SingletonExpr):
    _parameters = ["value"]


class SingleWithInit(Single):
    def __init__(self, *args, **kwargs):
        self.operands = [*self.operands]


def test_singletons():
    assert Single(1) is Single(1) is pickle.loads(pickle.dumps(Single(1)))
    assert Single(1) is not Single(2)
    assert SingleWithInit(1) is not SingleWithInit(1)
    name = Single(3)._name
    gc.collect()
    assert name not in Single._instances


def test_graph_and_rewriting():
    expr = Plus(Plus(Number(1), Slow(2)), Number(4), 10)
    assert value(expr) == 70
    for stage in ("logical", "simplified-logical", "tuned-logical", "physical", "fused"):
        assert value(optimize_until(expr, stage)) == 70
    best = expr.optimize(fuse=True)
    assert [type(node).__name__ for node in best.walk()] == ["Plus", "Number", "Number"]
    with pytest.raises(ValueError, match="Stage"):
        optimize_until(expr, "some")


def test_children_can_replace_their_parent():
    class Zero(Number):
        def _simplify_up(self, parent, dependents):
            if isinstance(parent, Plus) and parent.scale == 1:
                return parent.left if parent.right is self else parent.right
            return None

    assert Plus(Slow(5), Zero(0)).optimize()._name == Number(5)._name


def test_rewriting_without_end_is_noticed():
    class Flip(Number):
        def _simplify_down(self):
            return Flip(1 - self.value)

    with pytest.raises(RuntimeError, match="does not end"):
        Flip(0).simplify()


def test_substitute():
    expr = Plus(Plus(Number(1), Number(2)), Number(1))
    assert value(expr.substitute(Number(1), Number(10))) == 22
    assert value(expr.substitute(2, 20)) == 22
    assert expr.substitute(7, 8) is expr
    assert value(expr.substitute_parameters({"scale": 2})) == 8
    assert len(list(expr.find_operations(Number))) == 2
    assert expr._depth() == 3


def test_tree_repr():
    lines = Plus(Number(1), Number(2), 3).tree_repr().splitlines()
    assert lines == ["Plus: scale=3", "  Number: value=1", "  Number: value=2"]


def test_deep_expressions():
    expr = Number(0)
    for i in range(5_000):
        expr = Plus(expr, Slow(i), 2 if i % 2 else 1)
    best = expr.optimize()
    assert len(list(best.walk())) > 5_000
    assert best._depth() > 2_000
    assert expr.substitute(3, 4)._name != expr._name


# ---------------------------------------------------------------------------------------
# Graphs as expressions


def record(log):
    def optimizer(graph, keys):
        log.append((sorted(graph.layers), list(flatten(keys))))
        return graph

    return optimizer


def graph_expr(name, source, optimizer=None, postcompute=(list, ()), annotations=None):
    layers = {
        source: {source: DataNode(source, 1)},
        name: MaterializedLayer(
            {name: Task(name, lambda x: x + 1, TaskRef(source))}, annotations=annotations
        ),
    }
    graph = HighLevelGraph(layers, {source: set(), name: {source}})
    return HLGExpr(graph, optimizer, [name], postcompute)


def test_graphs_with_one_optimizer_are_optimized_together():
    log, other_log = [], []
    optimizer, other = record(log), record(other_log)
    exprs = [
        graph_expr("a", "x", optimizer),
        graph_expr("b", "y", other),
        graph_expr("c", "x", optimizer),
    ]
    expr = FinalizeCompute(_ExprSequence(*exprs)).optimize()
    keys = list(flatten(expr.__dask_keys__()))
    graph = expr.__dask_graph__()
    assert get(graph, keys) == ([2], [2], [2])
    assert len(log) == 1 and {"a", "c", "x"} <= set(log[0][0])
    assert len(other_log) == 1 and {"b", "y"} <= set(other_log[0][0])
    # The order of results is that of the expressions.
    plain = _ExprSequence(*exprs).optimize()
    assert plain.__dask_keys__() == [["a"], ["b"], ["c"]]


def test_output_keys_default_to_what_nothing_needs():
    expr = HLGExpr(graph_expr("a", "x").hlg)
    assert expr.__dask_keys__() == ["a"]
    assert LLGExpr({"a": 1}).__dask_keys__() == ["a"]
    assert LLGExpr({"a": 1}).__dask_graph__() == {"a": 1}


def test_annotations_are_spread_over_keys():
    one = graph_expr("a", "x", annotations={"priority": 1})
    two = graph_expr("b", "x", annotations={"priority": lambda key: key * 2, "retries": 3})
    expr = _ExprSequence(one, two)
    expected = {"priority": {"a": 1, "b": "bb"}, "retries": {"b": 3}}
    assert expr.__dask_annotations__() == expected
    assert expr.optimize().__dask_annotations__() == expected


def test_a_graph_expression_pickles_with_its_name():
    expr = HLGExpr(HighLevelGraph({"a": {"a": 1}}, {"a": set()}), output_keys=["a"])
    again = pickle.loads(pickle.dumps(expr))
    assert again._name == expr._name
    assert again.__dask_graph__() == {"a": 1}


def test_mixing_expressions_and_graphs_warns():
    with pytest.warns(UserWarning, match="mixed collections"):
        expr = _ExprSequence(Plus(Number(1), Number(2)), graph_expr("a", "x")).optimize()
    keys = list(flatten(expr.__dask_keys__()))
    assert get(expr.__dask_graph__(), keys) == (3, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ExprSequence(Number(1), Number(2)).optimize()


class Pair:
    def __init__(self, *exprs):
        self.exprs = exprs

    def __dask_exprs__(self):
        return self.exprs

    def __dask_tokenize__(self):
        return self.exprs

    def __dask_postcompute__(self):
        return (lambda results, extra: (*results, extra)), ("end",)


def test_composite_expressions():
    pair = CompositeExpr.from_collection(Pair(Plus(Number(1), Number(2)), Number(5)))
    assert isinstance(pair, CompositeExpr)
    best = FinalizeCompute(_ExprSequence(pair, Number(7))).optimize()
    keys = list(flatten(best.__dask_keys__()))
    assert get(best.__dask_graph__(), keys) == (([3], [5], "end"), 7)


def test_persisted_expression_gives_the_results_under_the_same_keys():
    expr = Plus(Number(1), Number(2))
    (key,) = expr.__dask_keys__()
    done = PersistedExpr.from_results(expr, {key: 30, "other": 1})
    assert done._name == expr._name
    assert done.__dask_graph__() == {key: DataNode(key, 30)}
    assert value(Plus(done, Number(1))) == 31
    assert value(pickle.loads(pickle.dumps(done))) == 30


def test_prohibit_reuse():
    graph = LLGExpr({("a", 0): 1, "b": (sum, [("a", 0), 5])})
    apart = ProhibitReuse(graph)
    both = {**graph.__dask_graph__(), **apart.optimize().__dask_graph__()}
    assert len(both) == 4
    keys = apart.__dask_keys__()
    assert keys[0][0] != "a" and keys[0][1] == 0
    assert get(both, keys) == (1, 6)
    assert ProhibitReuse(Number(1)).optimize()._name == Number(1)._name
