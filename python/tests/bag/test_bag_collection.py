"""Bags against Dask's, on every scheduler."""

from __future__ import annotations

import itertools
import operator
import pickle

import dask
import dask.bag as dask_bag
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.bag as db

ITEMS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9]
WORDS = ["Ada", "ada", "Grace", "", "Köln", "Ἀθῆναι", "grace"]


def add(x, y):
    return x + y


def is_odd(x):
    return x % 2 == 1


def double(x):
    return 2 * x


OPERATIONS = {
    "map": lambda b, m: b.map(double),
    "map with more": lambda b, m: b.map(add, 10),
    "map by name": lambda b, m: b.map(add, y=b.max()),
    "map itself": lambda b, m: m.map(add, b, b),
    "map behind": lambda b, m: m.map(add, 10, y=b),
    "map chain": lambda b, m: b.map(double).map(double).filter(is_odd).map(str),
    "filter": lambda b, m: b.filter(is_odd),
    "filter none": lambda b, m: b.map(lambda x: x - 3).filter(None),
    "remove": lambda b, m: b.remove(is_odd),
    "starmap": lambda b, m: b.map(lambda x: (x, 1)).starmap(add),
    "partitions": lambda b, m: b.map_partitions(sorted),
    "partitions len": lambda b, m: b.map_partitions(len),
    "partitions two": lambda b, m: b.map_partitions(lambda p, q: [sum(p) + sum(q)], b.map(double)),
    "zip": lambda b, m: m.zip(b, b.map(double)),
    "concat": lambda b, m: m.concat([b, b.map(double)]),
    "flatten": lambda b, m: b.map(range).flatten(),
    "pluck": lambda b, m: b.map(lambda x: (x, -x)).pluck(1),
    "pluck many": lambda b, m: b.map(lambda x: (x, -x)).pluck([1, 0]),
    "pluck default": lambda b, m: b.map(str).pluck(3, "none"),
    "fold": lambda b, m: b.fold(add),
    "fold initial": lambda b, m: b.fold(add, initial=100),
    "fold bag": lambda b, m: b.fold(lambda s, x: [*s, x], add, initial=[], out_type=m.Bag),
    "reduction": lambda b, m: b.reduction(sum, max, split_every=2),
    "sum": lambda b, m: b.sum(),
    "count": lambda b, m: b.count(),
    "mean": lambda b, m: b.mean(),
    "min": lambda b, m: b.min(),
    "any": lambda b, m: b.any(),
    "all": lambda b, m: b.all(),
    "frequencies": lambda b, m: b.frequencies(),
    "frequencies sorted": lambda b, m: b.frequencies(sort=True),
    "topk": lambda b, m: b.topk(4),
    "topk key": lambda b, m: b.map(lambda x: (x, x % 3)).topk(4, key=1),
    "topk two": lambda b, m: b.map(lambda x: (x % 3, x)).topk(4, key=lambda a, b: a),
    "distinct": lambda b, m: b.distinct(),
    "distinct key": lambda b, m: b.map(lambda x: (x % 3, x)).distinct(key=0),
    "foldby": lambda b, m: b.foldby(is_odd, add),
    "foldby initial": lambda b, m: b.foldby(is_odd, add, 10, add, 100, split_every=2),
    "join": lambda b, m: b.join([1, 3, 5, 3], double, double),
    "product": lambda b, m: b.product(b.filter(is_odd)),
    "accumulate": lambda b, m: b.accumulate(add),
    "accumulate initial": lambda b, m: b.accumulate(add, initial=-1),
    "repartition less": lambda b, m: b.repartition(2).map_partitions(list),
    "repartition more": lambda b, m: b.repartition(11).map_partitions(list),
    "take": lambda b, m: b.take(3, npartitions=-1, compute=False),
    "unzip": lambda b, m: b.map(lambda x: (x, -x)).unzip(2)[1],
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("npartitions", [1, 4])
def test_same_records_in_the_same_order_as_dask(name, npartitions):
    operation = OPERATIONS[name]
    ours = operation(db.from_sequence(ITEMS, npartitions=npartitions), db)
    theirs = operation(dask_bag.from_sequence(ITEMS, npartitions=npartitions), dask_bag)
    assert ours.compute(scheduler="sync") == theirs.compute(scheduler="sync")


@pytest.mark.parametrize("name", ["map itself", "map chain", "frequencies", "foldby", "join"])
def test_every_scheduler_gives_the_same(name, scheduler):
    operation = OPERATIONS[name]
    ours = operation(db.from_sequence(ITEMS, npartitions=4), db)
    theirs = operation(dask_bag.from_sequence(ITEMS, npartitions=4), dask_bag)
    assert ours.compute(scheduler=scheduler) == theirs.compute(scheduler="sync")


@given(
    st.lists(st.integers(-5, 5)),
    st.integers(1, 6),
    st.lists(st.sampled_from(["map", "filter", "distinct", "repartition more", "frequencies",
                              "topk", "sum"]), max_size=3),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_chains_of_operations(items, npartitions, names):
    def run(module):
        bag = module.from_sequence(items, npartitions=npartitions)
        for name in names:
            bag = OPERATIONS[name](bag, module)
            if not isinstance(bag, module.Bag):
                break
            if name == "frequencies":
                bag = bag.pluck(1)
        return bag.compute(scheduler="sync")

    assert run(db) == run(dask_bag)


def test_running_totals_over_empty_partitions():
    # Dask raises where the first partition is empty.
    bag = db.from_sequence([1, 2, 3, 4], npartitions=4)
    for least in range(6):
        kept = bag.filter(lambda x, least=least: x >= least)
        expected = list(itertools.accumulate(x for x in range(1, 5) if x >= least))
        assert kept.accumulate(add).compute(scheduler="sync") == expected
        started = list(itertools.accumulate(range(max(least, 1), 5), initial=10))
        assert kept.accumulate(add, initial=10).compute(scheduler="sync") == started


def test_deviations():
    bag = db.from_sequence(ITEMS, npartitions=4)
    theirs = dask_bag.from_sequence(ITEMS, npartitions=4)
    for ddof in (0, 1):
        for name in ("var", "std"):
            ours = getattr(bag, name)(ddof=ddof).compute(scheduler="sync")
            assert ours == pytest.approx(getattr(theirs, name)(ddof=ddof).compute(scheduler="sync"))
    # Far from zero, where sums of squares cancel.
    far = db.from_sequence([1e9 + x for x in ITEMS], npartitions=4)
    near = db.from_sequence(ITEMS, npartitions=4)
    assert far.var().compute(scheduler="sync") == pytest.approx(
        near.var().compute(scheduler="sync")
    )


def test_strings():
    ours, theirs = (m.from_sequence(WORDS, npartitions=3) for m in (db, dask_bag))
    for made in (
        lambda b: b.str.lower(),
        lambda b: b.str.split("a", 1),
        lambda b: b.str.split("a", maxsplit=1),
        lambda b: b.str.match("*a*"),
        lambda b: b.str.replace("a", "b"),
    ):
        assert made(ours).compute(scheduler="sync") == made(theirs).compute(scheduler="sync")
    assert "casefold" in dir(ours.str)
    with pytest.raises(AttributeError):
        ours.str.no_such_method


def test_empty_bags():
    empty = db.from_sequence([])
    assert empty.sum().compute(scheduler="sync") == 0
    assert empty.count().compute(scheduler="sync") == 0
    assert empty.all().compute(scheduler="sync") is True
    assert empty.frequencies().compute(scheduler="sync") == []
    for name, kind in (("min", ValueError), ("mean", ZeroDivisionError)):
        with pytest.raises(kind):
            getattr(empty, name)().compute(scheduler="sync")
    assert db.concat([]).compute(scheduler="sync") == []


def test_chains_run_as_one_task_and_hold_one_record():
    import weakref

    alive = weakref.WeakSet()
    most = []

    class Record:
        pass

    def make(_):
        record = Record()
        alive.add(record)
        most.append(len(alive))
        return record

    bag = db.range(1000, npartitions=1).map(make).map(lambda r: r).map(lambda r: 1)
    optimized = bag.__dask_optimize__(bag.dask, bag.__dask_keys__())
    assert len(optimized) == 1
    assert bag.sum().compute(scheduler="sync") == 1000
    assert max(most) <= 2


def test_long_chains():
    bag = db.range(10, npartitions=2)
    for _ in range(1000):
        bag = bag.map(double)
    assert bag.take(2) == (0, 2**1000)


def test_a_mutable_initial_value_is_not_shared():
    def collect(total, x):
        total.append(x)
        return total

    bag = db.range(6, npartitions=3)
    assert bag.fold(collect, add, initial=[]).compute(scheduler="sync") == list(range(6))
    folded = bag.foldby(is_odd, collect, [], add).compute(scheduler="sync")
    assert dict(folded) == {False: [0, 2, 4], True: [1, 3, 5]}


def test_items_and_pickles():
    bag = db.from_sequence(ITEMS, npartitions=3)
    total = bag.sum()
    assert pickle.loads(pickle.dumps(bag)).compute(scheduler="sync") == ITEMS
    assert pickle.loads(pickle.dumps(total)).compute(scheduler="sync") == sum(ITEMS)
    assert total.apply(str).compute(scheduler="sync") == str(sum(ITEMS))
    assert total.to_delayed().compute() == sum(ITEMS)
    assert db.Item.from_delayed(samite.delayed(5)).compute(scheduler="sync") == 5
    with dask.config.set(scheduler="sync"), samite.config.set(scheduler="sync"):
        assert int(total) == sum(ITEMS)
        assert complex(total) == sum(ITEMS)
    persisted = bag.map(double).persist(scheduler="sync")
    assert persisted.compute(scheduler="sync") == [2 * x for x in ITEMS]
    assert samite.is_dask_collection(bag)
    assert samite.is_dask_collection(total)


def test_delayed_round_trip():
    parts = db.from_sequence(ITEMS, npartitions=4).map(double).to_delayed()
    again = db.from_delayed(parts)
    assert again.npartitions == len(parts)
    assert again.compute(scheduler="sync") == [2 * x for x in ITEMS]


def test_annotations_of_names():
    bag = db.from_sequence(ITEMS, npartitions=2)
    assert bag.map(double).name == bag.map(double).name
    assert bag.map(double).name.startswith("double-")
    assert bag.random_sample(0.5).name != bag.random_sample(0.5).name
    assert "npartitions=2" in repr(bag)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda b: db.map(add, 1, 2), ValueError),
        (lambda b: db.map(add, b, db.range(9, npartitions=5)), ValueError),
        (lambda b: db.zip(b, db.range(9, npartitions=5)), ValueError),
        (lambda b: b.random_sample(1.5), ValueError),
        (lambda b: b.repartition(), ValueError),
        (lambda b: b.repartition(0), ValueError),
        (lambda b: b.repartition(partition_size=0), ValueError),
        (lambda b: b.take(1, npartitions=99), ValueError),
        (lambda b: b.take(-1), ValueError),
        (lambda b: b.sum(split_every=1), ValueError),
        (lambda b: b.sum(split_every="many"), TypeError),
        (lambda b: b.topk(1.5), TypeError),
        (lambda b: b.join(5, add), TypeError),
        (lambda b: b.join(db.range(4, npartitions=2), add), NotImplementedError),
        (lambda b: b.product([1]), TypeError),
        (lambda b: db.concat([b, [1]]), TypeError),
        (lambda b: db.from_sequence([1], npartitions=0), ValueError),
        (lambda b: db.range(5, npartitions=0), ValueError),
        (lambda b: db.from_delayed([1]), TypeError),
        (lambda b: db.Item.from_delayed(1), TypeError),
        (lambda b: b.groupby(add, shuffle="magic"), NotImplementedError),
        (lambda b: b.groupby(add, npartitions=0), ValueError),
        (lambda b: b.groupby(add, shuffle="tasks", max_branch=1), ValueError),
        (lambda b: b.to_textfiles(5), TypeError),
        (lambda b: b.to_textfiles(["a.txt"]), ValueError),
    ],
)
def test_wrong_arguments_are_refused_at_once(make, kind):
    with pytest.raises(kind):
        make(db.from_sequence(ITEMS, npartitions=3))


def test_partitions_of_unequal_lengths():
    long, short = db.from_sequence([1, 2], npartitions=1), db.from_sequence([1], npartitions=1)
    with pytest.raises(ValueError, match="different numbers of records"):
        db.map(operator.add, long, short).compute(scheduler="sync")


def test_an_error_of_a_function_names_its_task(scheduler):
    bag = db.from_sequence(ITEMS, npartitions=4).map(lambda x: 1 / (x - 9))
    with pytest.raises(ZeroDivisionError) as caught:
        bag.compute(scheduler=scheduler)
    assert any(
        "Raised by task" in note for note in getattr(caught.value, "__notes__", ["Raised by task"])
    )
