"""What a worker does as memory gets short, from the settings of ``distributed.worker.memory``."""

from __future__ import annotations

from typing import Any

from samite import config


def memory_settings(owns_process: bool) -> dict[str, Any]:
    """The settings, as the engine takes them.

    Parameters
    ----------
    owns_process:
        Whether all memory of this process is the worker's. Otherwise only that of its results
        counts.

    Raises
    ------
    ValueError
        If a setting is not what it should be; it is named.
    """
    from samite.utils import parse_timedelta

    found: dict[str, Any] = {
        name: _share(name, default)
        for name, default in (("target", 0.6), ("spill", 0.7), ("pause", 0.8))
    }
    most = config.get("distributed.worker.memory.max-spill", False)
    if most is not False and most is not None:
        found["max_spill"] = _bytes("max-spill", most)
    interval = config.get("distributed.worker.memory.monitor-interval", "100ms")
    try:
        found["interval"] = float(parse_timedelta(interval))
    except (KeyError, TypeError, ValueError) as error:
        raise _refused("monitor-interval", interval, "a time such as '100ms'") from error
    found["owns_process"] = owns_process
    found["spill_parts"] = bool(config.get("distributed.p2p.storage.disk", True))
    return found


def _share(name: str, default: float) -> float | None:
    given = config.get(f"distributed.worker.memory.{name}", default)
    if given is None or given is False:
        return None
    try:
        share = float(given)
    except (TypeError, ValueError):
        share = -1.0
    if isinstance(given, bool) or not 0.0 <= share <= 1.0:
        raise _refused(name, given, "a share of the memory limit between 0 and 1, or False")
    return share or None


def _bytes(name: str, given: Any) -> int:
    from samite.utils import parse_bytes

    try:
        amount = int(parse_bytes(given))
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(name, given, "a number of bytes such as '10 GiB', or False") from error
    if isinstance(given, bool) or amount < 0:
        raise _refused(name, given, "a number of bytes such as '10 GiB', or False")
    return amount


def _refused(name: str, given: Any, wanted: str) -> ValueError:
    return ValueError(
        f"the setting distributed.worker.memory.{name} is {given!r}: it has to be {wanted}"
    )
