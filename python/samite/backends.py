"""Libraries that the pieces of collections can be made with, such as pandas or cuDF."""

from __future__ import annotations

import functools

from samite import config
from samite._utils.introspection import funcname

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["CreationDispatch", "DaskBackendEntrypoint", "detect_entrypoints"]


class DaskBackendEntrypoint:
    """Base class of what a library offers: functions that create collections.

    Making an instance registers what the library's pieces need to be computed with.
    """

    @classmethod
    def to_backend_dispatch(cls) -> Any:
        """The function, chosen by type, that moves a piece to this library."""
        raise NotImplementedError

    @staticmethod
    def to_backend(data: Any) -> Any:
        """A collection like `data` with its pieces moved to this library."""
        raise NotImplementedError


@functools.lru_cache(maxsize=8)
def detect_entrypoints(entry_point_name: str) -> dict[str, Any]:
    """The installed entry points of a group, by name."""
    from importlib.metadata import entry_points

    return {found.name: found for found in entry_points(group=entry_point_name)}


class CreationDispatch:
    """Creates collections with the library that a setting names.

    Parameters
    ----------
    module_name
        Of the collection: the setting is ``<module_name>.backend``, and libraries are found as
        entry points of the group ``<entrypoint_root>.<module_name>.backends``.
    default
        The library to use where the setting has no value.
    entrypoint_class
        What libraries must be instances of.
    """

    def __init__(
        self,
        module_name: str,
        default: str,
        entrypoint_class: type[DaskBackendEntrypoint],
        name: str | None = None,
        entrypoint_root: str = "samite",
    ):
        self._lookup: dict[str, DaskBackendEntrypoint] = {}
        self._module_name = module_name
        self._config_field = f"{module_name}.backend"
        self._default = default
        self._entrypoint_class = entrypoint_class
        self._entrypoint_root = entrypoint_root
        if name:
            self.__name__ = name

    def register_backend(self, name: str, backend: DaskBackendEntrypoint) -> DaskBackendEntrypoint:
        """Offer a library under that name.

        Raises
        ------
        ValueError
            `backend` is not an instance of the entry point class.
        """
        if not isinstance(backend, self._entrypoint_class):
            raise ValueError(
                f"A backend for {self._module_name} must be an instance of "
                f"{self._entrypoint_class}, got {type(backend)}"
            )
        self._lookup[name] = backend
        return backend

    def dispatch(self, backend: str) -> DaskBackendEntrypoint:
        """The library of that name.

        Raises
        ------
        ValueError
            There is none.
        """
        if backend in self._lookup:
            return self._lookup[backend]
        found = detect_entrypoints(f"{self._entrypoint_root}.{self._module_name}.backends")
        if backend in found:
            return self.register_backend(backend, found[backend].load()())
        raise ValueError(f"No backend dispatch registered for {backend}")

    @property
    def backend(self) -> str:
        """The name of the library that the setting asks for."""
        return config.get(self._config_field, self._default) or self._default

    @backend.setter
    def backend(self, value: str) -> None:
        raise RuntimeError(f"Set the backend by configuring the {self._config_field} option")

    def register_inplace(
        self, backend: str, name: str | None = None
    ) -> Callable[[Callable], Callable]:
        """Decorator: `backend`'s way to create a collection, and a function that chooses a way.

        The function that takes the decorated one's place calls that of the library that is set,
        and says in errors which one it was.
        """

        def decorator(function: Callable) -> Callable:
            dispatch_name = name or function.__name__
            setattr(self.dispatch(backend), dispatch_name, function)

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                chosen = getattr(self, dispatch_name)
                try:
                    return chosen(*args, **kwargs)
                except Exception as error:
                    message = (
                        f"An error occurred while calling the {funcname(chosen)} method "
                        f"registered to the {self.backend} backend.\nOriginal Message: {error}"
                    )
                    try:
                        explained = type(error)(message)
                    except Exception:  # Some exceptions cannot be made from one text.
                        raise error from None
                    raise explained from error

            wrapper.__name__ = dispatch_name
            return wrapper

        return decorator

    def __getattr__(self, item: str) -> Any:
        """What the library that is set offers under that name."""
        if item.startswith("__"):
            raise AttributeError(item)
        return getattr(self.dispatch(self.backend), item)
