"""Plots of profilers with bokeh, and Samite's own report where bokeh is not installed."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate, cycle
from typing import Any

_BOKEH_MISSING = "Diagnostics plots require `bokeh` to be installed: python -m pip install bokeh"

_DEFAULTS = {
    "title": "Profile Results",
    "tools": "hover,save,reset,xwheel_zoom,xpan",
    "toolbar_location": "above",
    "width": 800,
    "height": 300,
}

_TOOLTIP = """
<div style="font: 12px sans-serif; max-width: 420px; overflow-wrap: anywhere">
  <b>@{%s}</b><br><code>@{%s}</code>
</div>
"""


def BOKEH_VERSION() -> Any:
    """The installed version of bokeh, as ``packaging``'s ``Version``."""
    bokeh = _bokeh("bokeh")
    from packaging.version import Version

    return Version(bokeh.__version__)


def _bokeh(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(_BOKEH_MISSING) from error


def unquote(expr: Any) -> Any:
    """Undo the quoting of containers as legacy tasks: ``(dict, [["a", 1]])`` is ``{"a": 1}``."""
    if not (type(expr) is tuple and expr and callable(expr[0])):
        return expr
    kind = expr[0]
    if kind in (tuple, list, set):
        return kind(map(unquote, expr[1]))
    if kind is dict and all(isinstance(pair, list) for pair in expr[1]):
        return {unquote(key): unquote(value) for key, value in expr[1]}
    return expr


def get_colors(palette: str, funcs: Iterable[Hashable]) -> list[str]:
    """A colour for each name, the same for equal names.

    Parameters
    ----------
    palette : str
        Name of a palette in ``bokeh.palettes.all_palettes``.
    funcs : iterable
        Names; colours follow their sorted order and repeat if the palette is too small.
    """
    names = list(funcs)
    different = sorted(set(names))
    by_size = _bokeh("bokeh.palettes").all_palettes[palette]
    size = min((size for size in by_size if size >= len(different)), default=max(by_size))
    colors = list(dict.fromkeys(by_size[size]))
    if len(colors) > len(different) > 0:
        # Spread over the whole palette: neighbours in a large palette look alike.
        colors = [colors[i * len(colors) // len(different)] for i in range(len(different))]
    chosen = dict(zip(different, cycle(colors), strict=False))
    return [chosen[name] for name in names]


def fix_bounds(start: float, end: float, min_span: float) -> tuple[float, float]:
    """The bounds, the end moved so that the span is at least ``min_span``."""
    return start, max(end, start + min_span)


def visualize(
    profilers: Any,
    filename: str = "profile.html",
    show: bool = True,
    save: bool | None = None,
    mode: str | None = None,
    **kwargs: Any,
) -> Any:
    """Plot the results of one or several profilers, one below the other.

    Parameters
    ----------
    profilers : profiler or list of profilers
    filename : str
        File to save to.
    show : bool
        Open the plot in a browser or show it in the notebook.
    save : bool, optional
        By default plots are saved outside of notebooks.
    mode : str, optional
        Where bokeh's scripts come from: ``mode`` of ``bokeh.plotting.output_file``.
    **kwargs
        Options of ``bokeh.plotting.figure``, and ``palette``, ``label_size``.

    Returns
    -------
    The bokeh figure or grid. Without bokeh Samite's own report is written to ``filename``, and
    its name is returned.
    """
    if "file_path" in kwargs:
        warnings.warn(
            "The file_path keyword argument is deprecated, please use filename instead.",
            FutureWarning,
            stacklevel=2,
        )
        filename = kwargs.pop("file_path")
    if not isinstance(profilers, list):
        profilers = [profilers]
    try:
        plotting = _bokeh("bokeh.plotting")
    except ImportError:
        return _own_report(profilers, filename, show)
    figures = [profiler._plot(**kwargs) for profiler in profilers]
    plot = figures[0] if len(figures) == 1 else _stack(plotting, figures)
    if save is None:
        save = not _bokeh("bokeh.io.state").curstate().notebook
    if show:
        plotting.show(plot)
    if save:
        plotting.output_file(filename, mode=mode)
        plotting.save(plot)
    return plot


def _own_report(profilers: Sequence[Any], filename: str, show: bool) -> str:
    from samite.diagnostics.html_report import report

    path = report(filename, *profilers)
    if show:
        import webbrowser

        webbrowser.open(path.absolute().as_uri())
    return str(path)


def _stack(plotting: Any, figures: list) -> Any:
    """Figures below each other on one time axis, titled once and labelled once."""
    for figure in figures[1:]:
        figure.x_range = figures[0].x_range
        figure.title = None
    for figure in figures[:-1]:
        figure.xaxis.axis_label = None
    for figure in figures:
        figure.min_border_left = figure.min_border_right = 75
    return plotting.gridplot([[figure] for figure in figures])


def _options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Options of the figure: the defaults, then the caller's, older spellings included."""
    options = dict(_DEFAULTS)
    for old, new in (("plot_width", "width"), ("plot_height", "height")):
        if old in kwargs:
            warnings.warn(f"Use {new} instead of {old} with Bokeh >= 3", stacklevel=4)
            kwargs[new] = kwargs.pop(old)
    options.update(kwargs)
    return options


def plot_tasks(
    results: Sequence[Any],
    dsk: Any,
    start_time: float,
    end_time: float,
    palette: str = "Viridis",
    label_size: int = 60,
    **kwargs: Any,
) -> Any:
    """A bokeh figure of the tasks: one row a worker, one bar a task.

    Parameters
    ----------
    results : sequence of TaskData
    dsk : mapping
        The graph; not needed for this plot.
    start_time, end_time : float
        Times of the profile.
    palette : str
    label_size : int
        Longest text of a task.
    **kwargs
        Options of ``bokeh.plotting.figure``.
    """
    plotting = _bokeh("bokeh.plotting")
    options = _options(kwargs)
    if results:
        rows = _rows_by_load(results)
        figure = plotting.figure(
            y_range=list(rows.values()), x_range=[0, end_time - start_time], **options
        )
        names = [_task_name(result) for result in results]
        source = plotting.ColumnDataSource(
            {
                "left": [result.start_time - start_time for result in results],
                "right": [result.end_time - start_time for result in results],
                "row": [rows[result.worker_id] for result in results],
                "color": get_colors(palette, names),
                "key": [str(result.key)[: 2 * label_size] for result in results],
                "function": [name[:label_size] for name in names],
            }
        )
        figure.hbar(y="row", left="left", right="right", height=0.9, color="color", source=source)
    else:
        figure = plotting.figure(y_range=[str(i) for i in range(8)], x_range=[0, 10], **options)
    figure.grid.grid_line_color = None
    figure.axis.axis_line_color = None
    figure.yaxis.axis_label = "Worker ID"
    figure.xaxis.axis_label = "Time (s)"
    _set_tooltips(figure, _TOOLTIP % ("key", "function"))
    return figure


def _rows_by_load(results: Sequence[Any]) -> dict[Any, str]:
    """Row labels of the workers, the busiest first."""
    busy: dict[Any, float] = {}
    for result in results:
        spent = result.end_time - result.start_time
        busy[result.worker_id] = busy.get(result.worker_id, 0.0) + spent
    order = sorted(busy, key=lambda worker: -busy[worker])
    return {worker: str(row) for row, worker in enumerate(order)}


def _task_name(result: Any) -> str:
    from samite.utils import key_split

    return str(key_split(result.key))


def _set_tooltips(figure: Any, tooltips: str) -> None:
    from bokeh.models import HoverTool

    for tool in figure.select(HoverTool):
        tool.tooltips = tooltips
        tool.point_policy = "follow_mouse"


def plot_resources(
    results: Sequence[Any],
    start_time: float,
    end_time: float,
    palette: str = "Viridis",
    **kwargs: Any,
) -> Any:
    """A bokeh figure of memory and processor use over time.

    Parameters
    ----------
    results : sequence of ResourceData
    start_time, end_time : float
        Times of the profile.
    palette : str
    **kwargs
        Options of ``bokeh.plotting.figure``; ``label_size`` is ignored.
    """
    plotting = _bokeh("bokeh.plotting")
    from bokeh.models import LinearAxis, Range1d

    kwargs.pop("label_size", None)
    options = {"tools": "save,reset,xwheel_zoom,xpan", **kwargs}
    times = [time - start_time for time, _, _ in results]
    memory = [mem for _, mem, _ in results]
    cpu = [percent for _, _, percent in results]
    span = end_time - start_time if results else 0
    figure = plotting.figure(
        x_range=fix_bounds(0, span, 1),
        y_range=fix_bounds(0, max(cpu, default=0), 100),
        **_options(options),
    )
    colors = get_colors(palette, ["cpu", "memory", "none"])
    bounds = fix_bounds(min(memory, default=0), max(memory, default=100), 100)
    figure.extra_y_ranges = {"memory": Range1d(*bounds)}
    figure.line(times, cpu, color=colors[0], line_width=3, legend_label="% CPU")
    figure.line(
        times,
        memory,
        color=colors[1],
        line_width=3,
        legend_label="Memory",
        y_range_name="memory",
    )
    figure.add_layout(LinearAxis(y_range_name="memory", axis_label="Memory (MB)"), "right")
    figure.yaxis[0].axis_label = "% CPU"
    figure.xaxis.axis_label = "Time (s)"
    return figure


def plot_cache(
    results: Sequence[Any],
    dsk: Any,
    start_time: float,
    end_time: float,
    metric_name: str,
    palette: str = "Viridis",
    label_size: int = 60,
    **kwargs: Any,
) -> Any:
    """A bokeh figure of the results held by the scheduler, one line for each kind of task.

    Parameters
    ----------
    results : sequence of CacheData
    dsk : mapping
        The graph; not needed for this plot.
    start_time, end_time : float
        Times of the profile.
    metric_name : str
        What the sizes are.
    palette, label_size, **kwargs
        As for :func:`plot_tasks`.
    """
    plotting = _bokeh("bokeh.plotting")
    options = _options({"tools": "hover,save,reset,wheel_zoom,xpan", **kwargs})
    if results:
        figure = plotting.figure(x_range=[0, end_time - start_time], **options)
        held = held_by_name(results)
        for (name, steps), color in zip(
            held.items(), get_colors(palette, held.keys()), strict=True
        ):
            source = plotting.ColumnDataSource(
                {
                    "time": [time - start_time for time, _ in steps],
                    "held": [amount for _, amount in steps],
                    "name": [name[:label_size]] * len(steps),
                }
            )
            figure.step("time", "held", mode="after", line_width=3, color=color, source=source)
    else:
        figure = plotting.figure(y_range=[0, 10], x_range=[0, 10], **options)
    figure.yaxis.axis_label = f"Cache Size ({metric_name})"
    figure.xaxis.axis_label = "Time (s)"
    _set_tooltips(figure, _TOOLTIP % ("name", "held"))
    return figure


def held_by_name(results: Sequence[Any]) -> dict[str, list[tuple[float, float]]]:
    """For each kind of task when the amount held changed, and what it was from then on."""
    changes: dict[str, dict[float, float]] = {}
    for result in results:
        steps = changes.setdefault(_task_name(result), {})
        steps[result.cache_time] = steps.get(result.cache_time, 0) + result.metric
        steps[result.free_time] = steps.get(result.free_time, 0) - result.metric
    held: dict[str, list[tuple[float, float]]] = {}
    for name, steps in changes.items():
        times = sorted(steps)
        held[name] = list(zip(times, accumulate(steps[time] for time in times), strict=True))
    return held
