"""The options of submissions, checked where the user gives them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any, Final


class _NoDefault:
    def __repr__(self) -> str:
        return "<no default>"


no_default: Final = _NoDefault()


def worker_list(workers: Any) -> list[str] | None:
    """Addresses or names of workers as a list of text.

    Raises
    ------
    TypeError
        For anything but text, numbers and collections of those.
    """
    if workers is None:
        return None
    if isinstance(workers, (str, Number)):
        workers = [workers]
    if isinstance(workers, Mapping) or not hasattr(workers, "__iter__"):
        raise TypeError(
            f"workers= is an address or a name, or a list of those, not {type(workers).__name__}"
        )
    return [getattr(worker, "worker_address", None) or str(worker) for worker in workers]


def options_of(annotations: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine takes, from annotations; those that no scheduler heeds are left out.

    Raises
    ------
    TypeError
        If one has a value of the wrong type.
    """
    options: dict[str, Any] = {}
    workers = worker_list(annotations.get("workers"))
    if workers is not None:
        options["workers"] = workers
        options["allow_other_workers"] = bool(annotations.get("allow_other_workers"))
    resources = annotations.get("resources")
    if resources is not None:
        if not isinstance(resources, Mapping):
            raise TypeError(f"resources= must be a dict of amounts, got {resources!r}")
        for name, amount in resources.items():
            if not isinstance(amount, Number):
                raise TypeError(
                    f"resources: the amount of {name!r} must be a number, got {amount!r}"
                )
        options["resources"] = dict(resources)
    retries = annotations.get("retries")
    if retries:
        if not isinstance(retries, int) or retries < 0:
            raise TypeError(f"retries= must be a whole number from zero up, got {retries!r}")
        options["retries"] = retries
    priority = annotations.get("priority")
    if priority:
        if not isinstance(priority, Number):
            raise TypeError(f"priority= must be a number, got {priority!r}")
        options["priority"] = priority
    return options


def task_options(
    workers: Any = None,
    allow_other_workers: Any = None,
    resources: Any = None,
    retries: Any = None,
    priority: Any = None,
    fifo_timeout: Any = None,
    actors: Any = None,
) -> dict[str, Any]:
    """What the engine takes, from the options of submissions and the annotations in force.

    Raises
    ------
    TypeError, ValueError
        If an option has the wrong type, or contradicts another.
    """
    from samite.base import get_annotations

    annotated = get_annotations()
    together = {}
    if fifo_timeout != "100 ms" and fifo_timeout is not None:
        from samite.utils import parse_timedelta

        together = {"together": parse_timedelta(fifo_timeout)}
    if not annotated and workers is resources is None and allow_other_workers in (False, None):
        if not (retries or priority):
            return together
    if allow_other_workers not in (True, False, None):
        raise TypeError("allow_other_workers= must be True or False")
    if allow_other_workers and workers is None and "workers" not in annotated:
        raise ValueError("Only use allow_other_workers= if using workers=")
    return together | options_of(
        {
            "workers": annotated.get("workers") if workers is None else workers,
            "allow_other_workers": allow_other_workers or annotated.get("allow_other_workers"),
            "resources": annotated.get("resources") if resources is None else resources,
            "retries": retries or annotated.get("retries"),
            "priority": priority or annotated.get("priority"),
        }
    )


def warn_of_size(nbytes: int, stacklevel: int = 3) -> None:
    """Warn where a graph takes more than the setting
    ``distributed.admin.large-graph-warning-threshold``."""
    from samite import config
    from samite.utils import format_bytes, parse_bytes

    # No setting that makes sense is below this, and most graphs are.
    if nbytes < 100_000:
        return
    threshold = config.get("distributed.admin.large-graph-warning-threshold", "10MB")
    if nbytes > parse_bytes(threshold):
        import warnings

        warnings.warn(
            f"Sending large graph of size {format_bytes(nbytes)}, which may slow things down. Send "
            "large values to the workers with Client.scatter first, or let tasks load them.",
            stacklevel=stacklevel,
        )


def check_options(where: str, given: Mapping[str, Any]) -> None:
    """Refuse keyword arguments that nobody takes."""
    if given:
        names = ", ".join(sorted(given))
        raise TypeError(f"{where} got unexpected keyword arguments: {names}")


def check_serializers(**given: Any) -> None:
    """Refuse lists of serialization families by which nothing could be sent.

    Values of arrays travel as they are, all else is pickled: whoever leaves pickles out, as in
    ``["dask", "msgpack"]``, wants none, and must not get them unasked.

    Raises
    ------
    TypeError
        For anything else than a list of names.
    ValueError
        For a list without ``"pickle"``.
    """
    for name, families in given.items():
        if families is None:
            continue
        if not isinstance(families, (list, tuple)) or not all(
            isinstance(family, str) for family in families
        ):
            raise TypeError(f"Client: {name} is a list of names, not {families!r}")
        if "pickle" not in families:
            raise ValueError(
                f"Client: {name}={list(families)!r} leaves 'pickle' out, by which calls and values "
                "travel here; add it, or leave the argument out. Who may send pickles is said by "
                "security="
            )
