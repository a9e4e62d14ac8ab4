"""The versions of Python and packages, here and elsewhere."""

from __future__ import annotations

import platform
import sys
import warnings
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

__all__ = ["VersionMismatchWarning", "check_versions", "error_message", "get_versions"]

_REQUIRED = ("samite", "cloudpickle")
_OPTIONAL = ("numpy", "pandas", "pyarrow", "lz4")


class VersionMismatchWarning(Warning):
    """Packages differ between the client, the scheduler and workers."""


def get_versions(packages: Iterable[Any] | None = None) -> dict[str, dict[str, Any]]:
    """The versions here.

    Parameters
    ----------
    packages:
        Names of more packages; or pairs of a module's name and a function of the module.

    Returns
    -------
    dict
        With ``"host"`` and ``"packages"``.
    """
    found: dict[str, Any] = {"python": ".".join(map(str, sys.version_info[:4]))}
    for name in (*_REQUIRED, *_OPTIONAL):
        found[name] = _version(name)
    for package in packages or ():
        if isinstance(package, str):
            found[package] = _version(package)
            continue
        name, function = package
        try:
            import importlib

            found[name] = function(importlib.import_module(name))
        except ImportError:
            found[name] = None
    host = {
        "python": found["python"],
        "python-bits": 64 if sys.maxsize > 2**32 else 32,
        "OS": platform.system(),
        "OS-release": platform.release(),
        "machine": platform.machine(),
        "processor": platform.processor(),
        "byteorder": sys.byteorder,
    }
    return {"host": host, "packages": found}


def _version(name: str) -> str | None:
    if name == "samite":
        import samite

        return samite.__version__
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def differing(versions: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The packages that are not the same everywhere, and who has which version."""
    members = {"client": versions.get("client"), "scheduler": versions.get("scheduler")}
    members.update(versions.get("workers") or {})
    names = sorted({name for member in members.values() for name in _packages(member)})
    found = {}
    for name in names:
        have = {who: _packages(member).get(name) for who, member in members.items() if member}
        if len(set(map(str, have.values()))) > 1:
            found[name] = have
    return found


def _packages(member: Any) -> dict[str, Any]:
    return member.get("packages", {}) if isinstance(member, Mapping) else {}


def error_message(
    scheduler: Any, workers: Mapping[str, Any], source: Any, source_name: str = "Client"
) -> dict[str, str]:
    """What to say where versions differ."""
    found = differing({"client": source, "scheduler": scheduler, "workers": workers})
    lines = [
        f"{name}: " + ", ".join(f"{who} has {version}" for who, version in have.items())
        for name, have in found.items()
    ]
    return {"warning": "\n".join(lines), "error": ""}


def check_versions(versions: Mapping[str, Any]) -> None:
    """Raise where required packages differ, and warn where others do.

    Raises
    ------
    ValueError
        If a package that must be the same everywhere is not.
    """
    found = differing(versions)
    required = {name: have for name, have in found.items() if name in (*_REQUIRED, "python")}
    if required:
        raise ValueError(f"Mismatched versions found: {required}")
    if found:
        warnings.warn(f"Mismatched versions found: {found}", VersionMismatchWarning, stacklevel=3)
