"""What the engine can compute of a bag without making Python objects of its records.

A *plan* is a source and operations, as plain tuples: `samite._engine` reads them when the bag is
computed. A function of one record is a *form*: nested tuples such as
``("compare", ">", ("item", ("record",), "age"), ("constant", 30))``.

Nothing depends on a plan. Whatever is not recognised has none, and where the engine meets a record
that it has no exact answer for, the whole computation goes the general way, over the functions
themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from samite._sentinels import no_default
from samite.bag.forms import RECORD, fold_of, form_of, is_constant, is_key, may_change


class Plan(NamedTuple):
    """How the engine computes a bag or an item."""

    source: tuple[Any, ...]
    operations: tuple[tuple[Any, ...], ...] = ()
    # Functions whose forms depend on variables around them: what tells the form, the function, and
    # the form that it had.
    changeable: tuple[tuple[Any, Any, Any], ...] = ()

    def then(self, *operation: Any) -> Plan:
        """The plan with one more operation."""
        return self._replace(operations=(*self.operations, operation))

    def by(self, func: Any, form: Any, read: Any = form_of) -> Plan:
        """The plan, for as long as the function has this form."""
        if not may_change(func):
            return self
        return self._replace(changeable=(*self.changeable, (read, func, form)))

    def holds(self) -> bool:
        """Whether all functions still have the forms that they had."""
        return all(form == read(func) for read, func, form in self.changeable)


def mapped(plan: Plan | None, func: Any) -> Plan | None:
    """The plan with a function of each record."""
    form = plan and form_of(func)
    return plan.by(func, form).then("map", form) if plan and form else None


def filtered(plan: Plan | None, predicate: Any, keeps: bool = True) -> Plan | None:
    """The plan with a condition, of what is kept or of what is not."""
    form = plan and (RECORD if predicate is None else form_of(predicate))
    if not plan or not form:
        return None
    return plan.by(predicate, form).then("filter", form if keeps else ("not", form))


def plucked(plan: Plan | None, key: Any, default: Any) -> Plan | None:
    """The plan with items of each record."""
    if plan is None:
        return None
    keys = key if isinstance(key, list) else [key]
    if not keys or not all(map(is_key, keys)):
        return None
    if default is no_default:
        items = tuple(("item", RECORD, one) for one in keys)
    elif is_constant(default) and all(type(one) is str for one in keys):
        items = tuple(("item-or", RECORD, one, default) for one in keys)
    else:
        return None
    return plan.then("map", ("tuple", *items) if isinstance(key, list) else items[0])


def flattened(plan: Plan | None) -> Plan | None:
    """The plan with the items of each record in its place."""
    return plan and plan.then("flatten")


def reduced(plan: Plan | None, what: str) -> Plan | None:
    """The plan with a reduction, after which there is one partition."""
    return plan and plan.then("reduce", what)


def topk(plan: Plan | None, k: Any, key: Any) -> Plan | None:
    """The plan with the largest records."""
    if plan is None or type(k) is not int or k < 0:
        return None
    form = RECORD if key is None else form_of(key)
    return plan.by(key, form).then("topk", k, form) if form else None


def folded_by(
    plan: Plan | None, key: Any, binop: Any, initial: Any, combine: Any, combine_initial: Any
) -> Plan | None:
    """The plan with a fold by key, where it does not matter which records are folded first."""
    if plan is None:
        return None
    form = form_of(key) if callable(key) else ("item", RECORD, key) if is_key(key) else None
    fold = fold_of(binop)
    if form is None or fold is None:
        return None
    what, value = fold
    from_zero = type(initial) is int and initial == 0
    neutral = combine_initial is no_default or (
        what == "sum" and type(combine_initial) is int and combine_initial == 0
    )
    same = combine is None and value == RECORD
    if not neutral or not (same or (combine is not None and fold_of(combine) == (what, RECORD))):
        return None
    if initial is no_default:
        if value != RECORD:
            return None
    elif what != "sum" or not from_zero:
        return None
    made = plan.by(key, form).by(binop, fold, fold_of)
    if combine is not None:
        made = made.by(combine, (what, RECORD), fold_of)
    return made.then("foldby", form, what, value, from_zero)


# ---- running --------------------------------------------------------------------------------


def run(collections: list[Any], options: dict[str, Any]) -> list[Any] | None:
    """Compute bags and items in the engine; None where that is not possible."""
    plans = [getattr(collection, "_native", None) for collection in collections]
    if not plans or not all(plan is not None and plan.holds() for plan in plans):
        return None
    plans = [(plan.source, plan.operations) for plan in plans]
    from samite import _engine, config
    from samite.callbacks import Callback, local_callbacks, split_native

    if options.get("submit") is not None or config.get("cache", None) is not None:
        return None
    native, per_task = split_native(Callback.active)
    if per_task:
        return None
    options = {**options, "processes": None}
    if not native:
        return _engine.run_bags(plans, **options)
    with local_callbacks():
        return _engine.run_bags(plans, native=native, **options)


def source_of_text(blocks: list[tuple[str, int, int, str | None]], universal: bool) -> Plan | None:
    """Lines of blocks of local files: paths, first bytes, lengths (-1: to the end), compression.
    ``universal``: carriage returns end lines too."""
    return Plan(("text", tuple(blocks), universal)) if blocks else None


def source_of_integers(parts: Iterable[range]) -> Plan | None:
    """Integers one after the other."""
    parts = [(part.start, part.stop) for part in parts]
    small = all(is_constant(edge) for part in parts for edge in part)
    return Plan(("integers", parts)) if small else None
