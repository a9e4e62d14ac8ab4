"""Looking at how a frame is computed: its expression before and after, and what each part costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from samite._expr.rewriting import STAGES, optimize_until
from samite._task_spec import GraphNode, Task
from samite.sizeof import sizeof


def explain(expr: Any, stage: str = "fused") -> str:
    """The expression as it was written, and as it is at a stage of optimization, as trees.

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
    return f"-- as written\n{expr.tree_repr()}\n-- {stage}\n{after.tree_repr()}"


class _Costs:
    """What the tasks of one node gave and took."""

    def __init__(self) -> None:
        self.tasks = self.rows = self.bytes = 0
        self.seconds = 0.0
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
    """Compute an expression, and tell for each node of its optimized form the tasks, rows, bytes
    and seconds, as a tree.

    The seconds are those of all threads together. Nodes that only pass partitions on have no
    tasks.
    """
    import samite

    expr = expr.optimize()
    costs: dict[str, _Costs] = {node._name: _Costs() for node in expr.walk()}
    graph: Mapping[Any, Any] = expr.__dask_graph__()
    measured = {key: _with_costs(node, costs) for key, node in graph.items()}
    began = time.perf_counter()
    samite.get(measured, expr.__dask_keys__())
    seconds = time.perf_counter() - began
    lines = [f"{seconds:.3f} s in all"]
    stack = [(expr, 0)]
    while stack:
        node, depth = stack.pop()
        (line,) = node._tree_repr_lines(depth, recursive=False)
        lines.append(f"{line}  {_told(costs[node._name])}")
        stack += [(child, depth + 2) for child in reversed(node.dependencies())]
    return "\n".join(lines)


def _with_costs(node: GraphNode, costs: Mapping[str, _Costs]) -> GraphNode:
    key = node.key[0] if isinstance(node.key, tuple) else node.key
    own = costs.get(key)
    if own is None:
        # Keys of tasks inside a node begin with its name.
        own = next((found for name, found in costs.items() if str(key).startswith(name)), None)
    if own is None or type(node) is not Task:
        return node
    return Task(node.key, _Measured(node.func, own), *node.args, **node.kwargs)


def _told(costs: _Costs) -> str:
    from samite.utils import format_bytes

    if not costs.tasks:
        return "[no tasks]"
    return (
        f"[{costs.tasks} tasks, {costs.rows} rows, {format_bytes(costs.bytes)}, "
        f"{costs.seconds:.3f} s]"
    )
