"""Functions chosen by the type of their first argument."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Table(dict):
    """Type to function; tells the owner when an entry changes, also when tests remove one."""

    def __init__(self, changed: Callable[[], None]):
        super().__init__()
        self._changed = changed

    def __setitem__(self, key: type, value: Callable) -> None:
        super().__setitem__(key, value)
        self._changed()

    def __delitem__(self, key: type) -> None:
        super().__delitem__(key)
        self._changed()

    def pop(self, *args: Any) -> Any:
        result = super().pop(*args)
        self._changed()
        return result


class Dispatch:
    """A function with one implementation a type; subclasses inherit.

    >>> describe = Dispatch("describe")
    >>> @describe.register(int)
    ... def describe_int(number):
    ...     return f"the number {number}"
    >>> describe(3), describe(True)
    ('the number 3', 'the number True')
    """

    def __init__(self, name: str | None = None):
        self._resolved: dict[type, Callable] = {}
        self._lookup = _Table(self._resolved.clear)
        self._lazy: dict[str, Callable[[], Any]] = {}
        if name:
            self.__name__ = name
        # Where it was made, so that what refers to it can do so by a name there.
        self.__module__ = str(sys._getframe(1).f_globals.get("__name__"))

    def __reduce__(self) -> Any:
        # A global variable of a module that others can import is that variable, whose functions
        # are registered by that module. Those of a program travel with it.
        module = sys.modules.get(self.__module__)
        if module is not None and self.__module__ != "__main__":
            for name, value in tuple(vars(module).items()):
                if value is self:
                    return name
        functions, lazy = dict(self._lookup), dict(self._lazy)
        arguments = (type(self), getattr(self, "__name__", None), self.__module__, functions, lazy)
        return _rebuilt, arguments

    def register(self, type: type | tuple[type, ...], func: Callable | None = None) -> Callable:
        """Use `func` for objects of `type`, one or a tuple; without `func`, a decorator."""
        types = type if isinstance(type, tuple) else (type,)

        def wrapper(func: Callable) -> Callable:
            for each in types:
                self._lookup[each] = func
            return func

        return wrapper if func is None else wrapper(func)

    def register_lazy(self, toplevel: str, func: Callable | None = None) -> Callable:
        """Call `func`, once, when first asked for a type from the package `toplevel`.

        `func` then imports the package and registers its types; without `func`, a decorator.
        """

        def wrapper(func: Callable) -> Callable:
            self._lazy[toplevel] = func
            self._resolved.clear()
            return func

        return wrapper if func is None else wrapper(func)

    def dispatch(self, cls: type) -> Callable:
        """The implementation for the class `cls`.

        Raises
        ------
        TypeError
            There is none.
        """
        try:
            return self._resolved[cls]
        except KeyError:
            pass
        for base in cls.__mro__:
            if self._lazy:
                # Some extension types have a property in place of the module's name.
                toplevel = str(getattr(base, "__module__", "")).partition(".")[0]
                load = self._lazy.get(toplevel)
                if load is not None:
                    load()
                    self._lazy.pop(toplevel, None)
                    return self.dispatch(cls)
            implementation = self._lookup.get(base)
            if implementation is not None:
                self._resolved[cls] = implementation
                return implementation
        raise TypeError(f"No dispatch for {cls}")

    def __call__(self, arg: Any, *args: Any, **kwargs: Any) -> Any:
        """Call the implementation for the type of `arg`."""
        return self.dispatch(type(arg))(arg, *args, **kwargs)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        try:
            return self.dispatch(object).__doc__
        except TypeError:
            return "A function with one implementation a type"


def _rebuilt(
    kind: type[Dispatch], name: str | None, module: str, functions: dict, lazy: dict
) -> Dispatch:
    """A copy of one that no module has."""
    made = kind(name)
    made.__module__ = module
    made._lookup.update(functions)
    made._lazy.update(lazy)
    return made
