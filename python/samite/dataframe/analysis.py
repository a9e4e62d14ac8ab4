"""Looking at how a frame is computed: its expression before and after, and what each part costs."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from samite._expr.rewriting import STAGES, optimize_until
from samite._task_spec import GraphNode, Task
from samite.sizeof import sizeof
from samite.system import CPU_COUNT

# Operators of the engine: depth in their tree, text, rows, bytes and seconds.
Operators = list[tuple[int, str, int, int, float]]


def explain(expr: Any, stage: str = "fused") -> str:
    """The expression as it was written, and as it is at a stage of optimization, as trees.

    At the last stage, what the engine computes itself is shown as well: the expression with native
    parts, and for each of these the engine's plan and its operators.

    Parameters
    ----------
    stage:
        One of ``logical``, ``simplified-logical``, ``tuned-logical``, ``physical``,
        ``simplified-physical`` and ``fused``.

    Raises
    ------
    ValueError
        There is no such stage.
    """
    if stage not in STAGES:
        raise ValueError(f"stage must be one of {', '.join(STAGES)}, got {stage!r}")
    after = optimize_until(expr, stage)
    parts = [("as written", expr.tree_repr()), (stage, after.tree_repr())]
    native = _native_form(expr) if stage == STAGES[-1] else None
    if native is not None:
        parts.append(("native", "\n".join(line for _, line in _lines(native))))
        for node in native.walk():
            if _is_native(node):
                _, plan, operators = node.operand("plan").explain(CPU_COUNT)
                parts.append((f"plan of {node._name}", plan.rstrip()))
                parts.append((f"operators of {node._name}", operators.rstrip()))
    return "\n".join(f"-- {title}\n{text}" for title, text in parts)


def _native_form(expr: Any) -> Any:
    """What is computed in place of ``expr``; None where no part of it is native."""
    from samite.base import nativized

    native = nativized(expr, final=True).optimize()
    return native if any(map(_is_native, native.walk())) else None


def _is_native(node: Any) -> bool:
    return type(node).__name__ == "NativeRows"


def _lines(expr: Any) -> Iterator[tuple[Any, str]]:
    """Each node of a tree, with the line that shows it."""
    stack = [(expr, 0)]
    while stack:
        node, depth = stack.pop()
        if _is_native(node):
            line = f"{' ' * depth}NativeRows: mode={node.operand('mode')!r} {node._name}"
        else:
            (line,) = node._tree_repr_lines(depth, recursive=False)
        yield node, line
        stack += [(child, depth + 2) for child in reversed(node.dependencies())]


class _Costs:
    """What the tasks of one node gave and took."""

    def __init__(self) -> None:
        self.tasks = self.rows = self.bytes = 0
        self.seconds = 0.0
        # What the engine's operators did, for each run of a plan.
        self.operators: list[Operators] = []
        # Tasks run on several threads.
        self.lock = threading.Lock()


class _Measured:
    """A function of a task that also adds to the costs of its node."""

    def __init__(self, function: Callable[..., Any], costs: _Costs) -> None:
        self.function = function
        self.costs = costs

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        result = self.function(*args, **kwargs)
        seconds = time.perf_counter() - began
        rows = len(result) if hasattr(result, "__len__") else 1
        size = sizeof(result)
        costs = self.costs
        with costs.lock:
            costs.seconds += seconds
            costs.tasks += 1
            costs.rows += rows
            costs.bytes += size
        return result


def analyze(expr: Any) -> str:
    """Compute an expression, and tell for each node of what was computed the tasks, rows, bytes
    and seconds, as a tree.

    Below a native part are the engine's operators, with the rows that they gave, the bytes that
    they read from files or wrote to spill files, and their seconds. The seconds are those of all
    threads together. Nodes that only pass partitions on have no tasks.
    """
    import samite

    native = _native_form(expr)
    expr = expr.optimize() if native is None else native
    costs: dict[str, _Costs] = {node._name: _Costs() for node in expr.walk()}
    graph: Mapping[Any, Any] = expr.__dask_graph__()
    measured = {key: _with_costs(node, costs) for key, node in graph.items()}
    began = time.perf_counter()
    samite.get(measured, expr.__dask_keys__())
    seconds = time.perf_counter() - began
    lines = [f"{seconds:.3f} s in all"]
    for node, line in _lines(expr):
        own = costs[node._name]
        lines.append(f"{line}  {_told(own)}")
        depth = len(line) - len(line.lstrip()) + 2
        lines += [
            f"{' ' * (depth + 2 * below)}{operator}  {_operator_told(rows, size, taken)}"
            for below, operator, rows, size, taken in _together(own.operators)
        ]
    return "\n".join(lines)


def _with_costs(node: GraphNode, costs: Mapping[str, _Costs]) -> GraphNode:
    key = node.key[0] if isinstance(node.key, tuple) else node.key
    own = costs.get(key)
    if own is None:
        # Keys of tasks inside a node begin with its name.
        own = next((found for name, found in costs.items() if str(key).startswith(name)), None)
    if own is None or type(node) is not Task:
        return node
    from samite.dataframe._native import results

    function = node.func
    if function is results.compute:
        function = functools.partial(results.compute_told, own.operators.append)
    return Task(node.key, _Measured(function, own), *node.args, **node.kwargs)


def _together(runs: list[Operators]) -> Operators:
    """What operators did in all runs of plans that differ in the rows that they read only; of the
    first run where they differ in more."""
    first, *others = runs or [[]]
    shape = [(depth, operator.split(":")[0]) for depth, operator, *_ in first]
    whole = [list(operator) for operator in first]
    for run in others:
        if [(depth, operator.split(":")[0]) for depth, operator, *_ in run] != shape:
            continue
        for found, (_, _, *counts) in zip(whole, run, strict=True):
            found[2:] = [mine + more for mine, more in zip(found[2:], counts, strict=True)]
    return [(depth, operator, *counts) for depth, operator, *counts in whole]


def _operator_told(rows: int, size: int, seconds: float) -> str:
    from samite.utils import format_bytes

    read = f", {format_bytes(size)}" if size else ""
    return f"[{rows} rows{read}, {seconds:.3f} s]"


def _told(costs: _Costs) -> str:
    from samite.utils import format_bytes

    if not costs.tasks:
        return "[no tasks]"
    return (
        f"[{costs.tasks} tasks, {costs.rows} rows, {format_bytes(costs.bytes)}, "
        f"{costs.seconds:.3f} s]"
    )
