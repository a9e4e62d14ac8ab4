"""Which Python and platform this is, and imports of packages that may be missing."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    from typing import Any, Literal

EMSCRIPTEN = sys.platform == "emscripten"
LINUX = sys.platform == "linux"
MACOS = sys.platform == "darwin"
WINDOWS = sys.platform == "win32"

#: The oldest version of each optional package that Samite works with.
VERSIONS = {
    "bokeh": "3.1.0",
    "fsspec": "2021.9.0",
    "numpy": "1.24",
    "pandas": "2.0.0",
    "pyarrow": "16.0.0",
    "rich": "13.0",
}

#: Where the package to install is not named as the module.
INSTALL_MAPPING = {"yaml": "pyyaml", "sklearn": "scikit-learn"}


def __getattr__(name: str) -> Any:
    # Both are slow to import and seldom asked for.
    if name == "PY_VERSION":
        from packaging.version import Version

        return Version(".".join(map(str, sys.version_info[:3])))
    if name == "importlib_metadata":
        import importlib.metadata

        return importlib.metadata
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_version(module: types.ModuleType) -> str:
    """A module's version.

    Raises
    ------
    ImportError
        It does not tell.
    """
    version = getattr(module, "__version__", None)
    if version is None:
        raise ImportError(f"Can't determine version for {module.__name__}")
    return version


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: enough to compare with a minimum."""
    numbers = []
    for part in version.split("."):
        digits = part[: next((i for i, char in enumerate(part) if not char.isdigit()), len(part))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def import_optional_dependency(
    name: str,
    extra: str = "",
    min_version: str | None = None,
    *,
    errors: Literal["raise", "warn", "ignore"] = "raise",
) -> types.ModuleType | None:
    """Import a package that Samite can do without.

    Parameters
    ----------
    extra
        Text to add to the error.
    min_version
        The oldest version that will do; :data:`VERSIONS` names it by default.
    errors
        What a missing package means, and one that is too old: an ``ImportError``; or None
        (with a warning about one that is too old). ``"ignore"`` gives a package that is too old
        as it is.
    """
    import importlib
    import warnings

    package = name.partition(".")[0]
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if errors != "raise":
            return None
        to_install = INSTALL_MAPPING.get(package, package)
        raise ImportError(
            f"Missing optional dependency {to_install!r}. {extra} "
            f"Use pip or conda to install {to_install}."
        ) from error
    minimum = min_version or VERSIONS.get(package)
    if minimum and errors != "ignore":
        version = get_version(sys.modules[package])
        if _release(version) < _release(minimum):
            message = f"Samite needs {package} {minimum} or newer; version {version} is installed."
            if errors == "raise":
                raise ImportError(message)
            warnings.warn(message, UserWarning, stacklevel=2)
            return None
    return module
