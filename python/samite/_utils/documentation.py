"""Docstrings taken over from NumPy and pandas, deprecations, and shorter tracebacks."""

from __future__ import annotations

import functools
import re
import warnings

from samite._utils.introspection import get_named_args

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Mapping
    from typing import Any


# ---- docstrings ------------------------------------------------------------------------------


def _skip_doctest(line: str) -> str:
    """Mark one line of a docstring as not to be run, if it is an example."""
    code = line.strip()
    if not code.startswith(">>>") or code == ">>>" or code.startswith(">>> #"):
        return line
    if "# doctest: +SKIP" in line or "+SKIP" in line.partition("# doctest:")[2]:
        return line
    return f"{line}, +SKIP" if "# doctest:" in line else f"{line}  # doctest: +SKIP"


def skip_doctest(doc: str | None) -> str:
    """Mark all examples of a docstring as not to be run."""
    return "" if doc is None else "\n".join(map(_skip_doctest, doc.split("\n")))


def extra_titles(doc: str) -> str:
    """Rename the second section of the same title to "Extra ...": numpydoc allows just one."""
    lines = doc.split("\n")
    seen: set[str] = set()
    for number, underline in enumerate(lines[1:]):
        title = lines[number].strip()
        if not title or not re.fullmatch(r"\s*-{3,}\s*", underline):
            continue
        if title in seen:
            lines[number] = lines[number].replace(title, f"Extra {title}", 1)
            lines[number + 1] = underline.replace("-" * 3, "-" * (3 + len("Extra ")), 1)
        seen.add(title)
    return "\n".join(lines)


def ignore_warning(
    doc: str | None,
    cls: Any,
    name: str,
    extra: str = "",
    skipblocks: int = 0,
    inconsistencies: str | None = None,
) -> str:
    """Say, after the first paragraph of a docstring, where it was copied from.

    Parameters
    ----------
    cls, name
        The class or module, and the name in it, that the docstring comes from.
    extra
        Text to add after that.
    skipblocks
        How many more paragraphs to leave before it.
    inconsistencies
        Known differences.
    """
    if isinstance(cls, type):
        origin = f"{cls.__module__}.{cls.__name__}.{name}"
    else:
        origin = f"{cls.__name__}.{name}"
    paragraphs = (doc or "").split("\n\n")
    indented = [line for line in "\n\n".join(paragraphs[1:]).split("\n") if line.strip()]
    indent = " " * min((len(line) - len(line.lstrip()) for line in indented), default=0)
    notes = [f"This docstring was copied from {origin}."]
    if inconsistencies is None:
        notes.append("Some inconsistencies with the Samite version may exist.")
    else:
        notes.append(f"Known inconsistencies: {inconsistencies}")
    if extra:
        # Dedented, so that it fits below any other docstring.
        notes.append("\n".join(indent + line.strip() for line in extra.strip().split("\n")).strip())
    added = [indent + note for note in notes]
    position = 1 + skipblocks
    text = "\n\n".join([*paragraphs[:position], *added, *paragraphs[position:]])
    return text.rstrip() + "\n\n"


def unsupported_arguments(doc: str, args: list[str]) -> str:
    """Say, in the section on parameters, that these are not supported."""
    lines = doc.split("\n")
    for argument in args:
        pattern = re.compile(rf"^\s*\*{{0,2}}{re.escape(argument)}\s*:")
        found = [number for number, line in enumerate(lines) if pattern.match(line)]
        # More than one match means that it is not the description of a parameter.
        if len(found) == 1:
            lines[found[0]] += "  (Not supported in Samite)"
    return "\n".join(lines)


def _original(owner: Any, name: str) -> Any:
    found = getattr(owner, name)
    if isinstance(found, property):
        # pandas gives some accessors a documented getter and an undocumented property.
        return found.fget
    return getattr(found, "func", found) if isinstance(found, functools.cached_property) else found


def _derived_from(
    cls: Any,
    method: Callable,
    ua_args: list[str] | None = None,
    extra: str = "",
    skipblocks: int = 0,
    inconsistencies: str | None = None,
) -> str:
    """The docstring of ``cls``'s method of the same name, made fit for `method`."""
    original = _original(cls, method.__name__)
    doc = getattr(original, "__doc__", None)
    if not isinstance(doc, str):
        doc = ""
    doc = ignore_warning(doc, cls, method.__name__, extra, skipblocks, inconsistencies)
    doc = skip_doctest(extra_titles(doc))
    unsupported = list(ua_args or ())
    try:
        own = set(get_named_args(method))
        unsupported += [name for name in get_named_args(original) if name not in own]
    except (TypeError, ValueError):  # Written in C, without a signature.
        pass
    return unsupported_arguments(doc, [name for name in unsupported if name != "self"])


def derived_from(
    original_klass: Any,
    version: str | None = None,
    ua_args: list[str] | None = None,
    skipblocks: int = 0,
    inconsistencies: str | None = None,
) -> Callable[[Callable], Callable]:
    """Decorator: take over the docstring of the method that this one imitates.

    It says where the text is from, which arguments are not supported, keeps the method's own
    docstring as an addition, and marks the examples as not to be run.

    Parameters
    ----------
    original_klass
        The class or module that has the original, under the same name.
    version
        Since when it has. A method without an original raises ``NotImplementedError``.
    ua_args
        Arguments to be marked as not supported, besides those that `method` does not have.
    skipblocks
        How many more paragraphs to leave before the notice.
    inconsistencies
        Known differences, in place of the general notice.
    """

    def wrapper(method: Callable) -> Callable:
        try:
            method.__doc__ = _derived_from(
                original_klass,
                method,
                ua_args=ua_args or [],
                extra=getattr(method, "__doc__", None) or "",
                skipblocks=skipblocks,
                inconsistencies=inconsistencies,
            )
            return method
        except AttributeError:
            module = original_klass.__module__.partition(".")[0]
            message = f"{module} has no {method.__name__!r}."
            if version is not None:
                message += f" Use {module} {version} or later to use it."

            @functools.wraps(method)
            def missing(*args: Any, **kwargs: Any) -> Any:
                raise NotImplementedError(message)

            return missing

    return wrapper


# ---- deprecations ----------------------------------------------------------------------------


def _deprecated(
    *,
    version: str | None = None,
    after_version: str | None = None,
    message: str | None = None,
    use_instead: str | None = None,
    category: type[Warning] = FutureWarning,
) -> Callable[[Callable], Callable]:
    """Decorator: warn when the function is called.

    Parameters
    ----------
    version, after_version
        In, or after, which version it was deprecated.
    message
        The whole text of the warning, in place of the usual one.
    use_instead
        What to use in its place.
    """

    def decorator(func: Callable) -> Callable:
        if message is not None:
            text = message
        else:
            text = f"{func.__name__} is deprecated "
            if version is not None:
                text += f"in version {version} "
            elif after_version is not None:
                text += f"after version {after_version} "
            text += "and will be removed in a future release."
            if use_instead is not None:
                text += f" Please use {use_instead} instead."

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            warnings.warn(text, category=category, stacklevel=2)
            return func(*args, **kwargs)

        return wrapper

    return decorator


def _deprecated_kwarg(
    old_arg_name: str,
    new_arg_name: str | None = None,
    mapping: Mapping[Any, Any] | Callable[[Any], Any] | None = None,
    stacklevel: int = 2,
    comment: str | None = None,
) -> Callable[[Callable], Callable]:
    """Decorator: warn when the function is given a former keyword argument, and translate it.

    Parameters
    ----------
    new_arg_name
        The argument that replaced it; None: there is none, the value is passed on.
    mapping
        From old values to new ones: a mapping, or a function.
    comment
        Text to add to the warning.

    Raises
    ------
    TypeError
        On a call with both the old and the new argument.
    """
    if mapping is not None and not callable(mapping) and not hasattr(mapping, "get"):
        raise TypeError("mapping from old to new argument values must be dict or callable!")
    suffix = f"\n{comment}" if comment else ""

    def decorator(func: Callable) -> Callable:
        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            old = kwargs.pop(old_arg_name, _NOT_GIVEN)
            if old is _NOT_GIVEN:
                return func(*args, **kwargs)
            if new_arg_name is None:
                warnings.warn(
                    f"the {old_arg_name!r} keyword is deprecated and will be removed in a future "
                    f"version. Please take steps to stop the use of {old_arg_name!r}{suffix}",
                    FutureWarning,
                    stacklevel=stacklevel,
                )
                kwargs[old_arg_name] = old
                return func(*args, **kwargs)
            if callable(mapping):
                new = mapping(old)
            else:
                new = old if mapping is None else mapping.get(old, old)
            values = "" if mapping is None else f"={old!r}"
            instead = "" if mapping is None else f"={new!r}"
            warnings.warn(
                f"the {old_arg_name}{values} keyword is deprecated, use {new_arg_name}{instead} "
                f"instead.{suffix}",
                FutureWarning,
                stacklevel=stacklevel,
            )
            if new_arg_name in kwargs:
                raise TypeError(f"Can only specify {old_arg_name!r} or {new_arg_name!r}, not both.")
            kwargs[new_arg_name] = new
            return func(*args, **kwargs)

        return wrapper

    return decorator


_NOT_GIVEN = object()


# ---- tracebacks ------------------------------------------------------------------------------


class shorten_traceback:
    """Take frames out of the traceback of an exception that leaves the block.

    Left out are frames whose file matches a pattern of the setting ``admin.traceback.shorten``,
    except for the first and the last one. An empty list there keeps everything.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: types.TracebackType | None,
    ) -> None:
        if exc_val is not None and exc_tb is not None:
            exc_val.__traceback__ = self.shorten(exc_tb)

    @staticmethod
    def shorten(exc_tb: types.TracebackType) -> types.TracebackType:
        """The same traceback, its links changed in place."""
        from samite import config

        patterns = config.get("admin.traceback.shorten", None)
        if not patterns:
            return exc_tb
        hidden = re.compile("|".join(patterns))
        kept = previous = exc_tb
        current = exc_tb.tb_next
        while current is not None:
            following = current.tb_next
            if following is None or not hidden.search(current.tb_frame.f_code.co_filename):
                previous.tb_next = current
                previous = current
            current = following
        return kept
