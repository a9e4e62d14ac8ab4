"""Settings: from files, from the environment, and from the program.

A setting has a dotted name, such as ``array.chunk-size``; hyphens and underscores mean the same.
Its value is taken from the first of these that has it:

1. :func:`set`, called in the program, for a block or for the rest of the run;
2. environment variables: ``SAMITE_ARRAY__CHUNK_SIZE=64MiB`` (``__`` stands for the dot). A value
   that reads as a Python literal becomes one; any other is a string;
3. YAML files: the file or folder that ``SAMITE_CONFIG`` names, then ``~/.config/samite``, then
   ``etc/samite`` below the Python installation, then ``/etc/samite`` (or ``SAMITE_ROOT_CONFIG``).
   A folder's ``*.yaml``, ``*.yml`` and ``*.json`` files are read in alphabetical order, later wins;
4. the defaults that Samite and its extensions registered with :func:`update_defaults`.

For those who come from Dask: each environment variable may also be spelled with the prefix
``DASK_``. Where both are there, ``SAMITE_`` wins. Dask's YAML files are not searched for, but
``DASK_CONFIG=~/.config/dask`` names them as it does for Dask.

All functions take ``config=``, any nested dictionary, in place of the process-wide one.
"""

from __future__ import annotations

import builtins
import os
import site
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping

from samite._config_defaults import DEFAULTS, DEPRECATIONS
from samite._sentinels import no_default

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    PathLike = str | os.PathLike[str]

# In increasing priority: what comes later replaces what came before.
_PREFIXES = ("DASK_", "SAMITE_")
# Variables that say where settings are; they are no settings themselves.
_META_VARIABLES = frozenset({"CONFIG", "ROOT_CONFIG", "INTERNAL_INHERIT_CONFIG"})
_YAML_SUFFIXES = (".json", ".yaml", ".yml")


def _variable(name: str, env: Mapping[str, str] | None = None) -> str | None:
    """The environment variable ``SAMITE_<name>``, else ``DASK_<name>``, else None."""
    env = os.environ if env is None else env
    for prefix in reversed(_PREFIXES):
        value = env.get(prefix + name)
        if value is not None:
            return value
    return None


def _get_paths() -> list[str]:
    """Where YAML files are searched, in increasing priority."""
    prefixes = [sys.prefix, *site.PREFIXES]
    candidates = [_variable("ROOT_CONFIG") or "/etc/samite"]
    # The installation's own prefix comes first in PREFIXES and has to win, hence the reversal.
    candidates += [os.path.join(prefix, "etc", "samite") for prefix in reversed(prefixes)]
    candidates.append(os.path.join(os.path.expanduser("~"), ".config", "samite"))
    named = _variable("CONFIG")
    if named:
        candidates.append(named)
    # A folder that occurs twice keeps its place of highest priority.
    return list(dict.fromkeys(reversed(candidates)))[::-1]


paths = _get_paths()
#: The user's own settings: where :func:`ensure_file` writes.
PATH = _variable("CONFIG") or os.path.join(os.path.expanduser("~"), ".config", "samite")

global_config: dict = {}
config = global_config
config_lock = threading.Lock()
defaults: list[Mapping] = []
deprecations = DEPRECATIONS


# ---- names and nested dictionaries -----------------------------------------------------------


def canonical_name(k: Any, config: Mapping) -> Any:
    """The spelling of `k` that `config` already uses, be it with ``-`` or ``_``; else `k` itself.

    >>> canonical_name("chunk_size", {"chunk-size": 1})
    'chunk-size'
    """
    if k in config or not isinstance(k, str):
        return k
    for other in (k.replace("_", "-"), k.replace("-", "_")):
        if other in config:
            return other
    return k


def update(
    old: dict,
    new: Mapping,
    priority: Literal["old", "new", "new-defaults"] = "new",
    defaults: Mapping | None = None,
) -> dict:
    """Merge `new` into the nested dictionary `old`, in place, and return it.

    Parameters
    ----------
    priority
        Which side wins where both have a value. ``"new-defaults"``: the new one, but only where
        the old one equals its entry in `defaults`, that is, where nobody has changed it.

    >>> update({"x": 1, "y": {"a": 2}}, {"y": {"b": 3}})
    {'x': 1, 'y': {'a': 2, 'b': 3}}
    """
    for name, value in new.items():
        name = canonical_name(name, old)
        default = (
            defaults.get(canonical_name(name, defaults), no_default) if defaults else no_default
        )
        present = old.get(name)
        unchanged = priority == "new-defaults" and default is not no_default and default == present
        if isinstance(value, Mapping):
            if isinstance(present, Mapping):
                below = default if isinstance(default, Mapping) else None
                update(old[name], value, priority, below)
            elif present is None or priority == "new" or unchanged:
                old[name] = update({}, value)
        elif name not in old or priority == "new" or unchanged:
            old[name] = value
    return old


def merge(*dicts: Mapping) -> dict:
    """A new nested dictionary with the entries of all `dicts`; later ones win.

    >>> merge({"x": 1, "y": {"a": 2}}, {"y": {"b": 3}})
    {'x': 1, 'y': {'a': 2, 'b': 3}}
    """
    result: dict = {}
    for each in dicts:
        update(result, each)
    return result


def _split(key: str) -> list[str]:
    return key.split(".")


# ---- reading ---------------------------------------------------------------------------------


def get(
    key: str,
    default: Any = no_default,
    config: Mapping | None = None,
    override_with: Any = None,
) -> Any:
    """The value of the setting `key`.

    Parameters
    ----------
    default
        What to return where there is no such setting; without it, that is a ``KeyError``.
    override_with
        If not None, returned instead of the setting: ``get("x", override_with=argument)`` lets an
        optional argument win over the settings.

    >>> get("y.a-b", config={"y": {"a_b": 1}})
    1
    """
    if override_with is not None:
        return override_with
    result: Any = global_config if config is None else config
    try:
        for name in _split(key):
            result = result[canonical_name(name, result)]
    except (KeyError, TypeError, IndexError):
        if default is no_default:
            raise KeyError(key) from None
        return default
    return result


def pop(key: str, default: Any = no_default, config: dict | None = None) -> Any:
    """Remove the setting `key` and return its value; `default`, or a ``KeyError``, without one."""
    result: Any = global_config if config is None else config
    *outer, last = _split(key)
    try:
        for name in outer:
            result = result[canonical_name(name, result)]
        return result.pop(canonical_name(last, result))
    except (KeyError, TypeError, AttributeError):
        if default is no_default:
            raise KeyError(key) from None
        return default


# ---- writing ---------------------------------------------------------------------------------


class set:
    """Change settings: for a ``with`` block, or, called alone, from now on.

    Parameters
    ----------
    arg
        Settings by dotted name.
    config, lock
        What to change, and the lock that guards it.
    **kwargs
        More settings; ``__`` stands for the dot, as in ``set(array__chunk_size="1MiB")``.

    >>> settings = {}
    >>> with set({"foo.bar": 123}, config=settings):
    ...     settings
    {'foo': {'bar': 123}}
    >>> settings
    {}
    """

    config: dict

    def __init__(
        self,
        arg: Mapping | None = None,
        config: dict | None = None,
        lock: threading.Lock = config_lock,
        **kwargs: Any,
    ):
        self.config = global_config if config is None else config
        self._lock = lock
        # Pairs of (path to a place, what it held), undone from the last to the first.
        self._undo: list[tuple[tuple, Any]] = []
        changes = list(arg.items()) if arg is not None else []
        changes += [(name.replace("__", "."), value) for name, value in kwargs.items()]
        with lock:
            changes = [(check_deprecations(name), value) for name, value in changes]
            for name, value in changes:
                self._assign(name, value)

    def _assign(self, key: str, value: Any) -> None:
        place = self.config
        path: tuple = ()
        *outer, last = _split(key)
        for name in outer:
            name = canonical_name(name, place)
            path += (name,)
            inner = place.get(name, no_default)
            if not isinstance(inner, dict):
                self._undo.append((path, inner))
                inner = place[name] = {}
            place = inner
        name = canonical_name(last, place)
        self._undo.append((path + (name,), place.get(name, no_default)))
        # The object itself: `cache`, for one, is a dict that the caller goes on looking at.
        place[name] = value

    def __enter__(self) -> dict:
        return self.config

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            for path, before in reversed(self._undo):
                place: Any = self.config
                *outer, last = path
                for name in outer:
                    place = place.get(name)
                    if not isinstance(place, dict):
                        break
                else:
                    if before is no_default:
                        place.pop(last, None)
                    else:
                        place[last] = before


def update_defaults(
    new: Mapping, config: dict | None = None, defaults: list[Mapping] = defaults
) -> None:
    """Add default values, as an extension does for its own settings.

    They fill what is missing, and replace earlier defaults that nobody has changed.
    """
    before = merge(*defaults)
    defaults.append(new)
    update(
        global_config if config is None else config, new, priority="new-defaults", defaults=before
    )


def refresh(config: dict | None = None, defaults: list[Mapping] = defaults, **kwargs: Any) -> None:
    """Read everything anew: the defaults, the YAML files, then the environment.

    What :func:`set` did without a ``with`` block is lost. `kwargs` go to :func:`collect`.
    Running code that has read a setting before will not notice the change.
    """
    config = global_config if config is None else config
    config.clear()
    for each in defaults:
        update(config, each, priority="old")
    update(config, collect(**kwargs))


# ---- files and environment -------------------------------------------------------------------


def collect(paths: Iterable[PathLike] | None = None, env: Mapping[str, str] | None = None) -> dict:
    """The settings found in YAML files and in the environment, which wins; defaults left aside.

    Settings under a former name are moved to today's, with a ``FutureWarning`` unless today's
    name is given with a higher priority.
    """
    layers = [*collect_yaml(_module_paths() if paths is None else paths), collect_env(env)]
    result: dict = {}
    renamed: dict[str, str | None] = {}
    for layer in layers:
        for old in list(renamed):
            if _mentions(layer, renamed[old] or f"ignore-deprecated.{old}"):
                del renamed[old]
        renamed.update(rename(config=layer))
        update(result, layer)
    for old, new in renamed.items():
        if new is not None:
            warnings.warn(
                f"The setting {old!r} is deprecated: use {new!r} instead",
                FutureWarning,
                stacklevel=2,
            )
        elif not _mentions(result, f"ignore-deprecated.{old}"):
            warnings.warn(
                f"The setting {old!r} has been removed and is ignored. To keep it for an older "
                f"version and silence this warning, set 'ignore-deprecated.{old}'",
                FutureWarning,
                stacklevel=2,
            )
    return result


def _module_paths() -> list[str]:
    return paths


def _mentions(settings: Mapping, key: str) -> bool:
    try:
        get(key, config=settings)
    except KeyError:
        return False
    return True


def collect_yaml(
    paths: Iterable[PathLike] | None = None, *, return_paths: bool = False
) -> Iterator[dict | tuple[Any, dict]]:
    """The contents of the YAML files in `paths` (files or folders), in the order of priority.

    Files that cannot be opened are passed over; a malformed one is a ``ValueError`` that names it.

    Parameters
    ----------
    return_paths
        Give pairs of path and content.
    """
    for file in _yaml_files(_module_paths() if paths is None else paths):
        content = _load_yaml(file)
        if content is not None:
            if return_paths:
                from pathlib import Path

                yield Path(file), content
            else:
                yield content


def _yaml_files(paths: Iterable[PathLike]) -> Iterator[str]:
    for path in paths:
        path = os.fspath(path)
        if not os.path.isdir(path):
            yield path
            continue
        try:
            # Listed in an order that the file system chooses: sorting makes priority predictable.
            names = sorted(os.listdir(path))
        except OSError:
            continue
        for name in names:
            if os.path.splitext(name)[1].lower() in _YAML_SUFFIXES:
                yield os.path.join(path, name)


def _load_yaml(path: str) -> dict | None:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return None
    lines = (line.strip() for line in text.splitlines())
    if not any(line and not line.startswith("#") for line in lines):
        return {}  # The usual state of a template; parsing it would cost the import of yaml.
    try:
        import yaml
    except ImportError as error:
        raise ImportError(
            f"Reading the settings in {path!r} needs PyYAML: pip install pyyaml"
        ) from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(
            f"The settings file {path!r} is malformed, original error message:\n\n{error}"
        ) from None
    if content is not None and not isinstance(content, dict):
        raise ValueError(
            f"The settings file {path!r} is malformed: a settings file must have a dict at the "
            f"top level, this one has a {type(content).__name__}"
        )
    return content or {}


def paths_containing_key(key: str, paths: Iterable[PathLike] | None = None) -> Iterator[Any]:
    """The YAML files, as ``pathlib.Path``, in which the setting `key` is given."""
    for path, content in collect_yaml(paths, return_paths=True):
        if _mentions(content, key):
            yield path


def interpret_value(value: str) -> Any:
    """The Python value that the text of an environment variable stands for.

    >>> interpret_value("[1, 2]"), interpret_value("TRUE"), interpret_value("null")
    ([1, 2], True, None)
    >>> interpret_value("/some/path")
    '/some/path'
    """
    lowered = value.lower()
    if lowered in _SPECIAL_VALUES:
        return _SPECIAL_VALUES[lowered]
    import ast

    try:
        return ast.literal_eval(value)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return value


_SPECIAL_VALUES = {"none": None, "null": None, "false": False, "true": True}


def collect_env(env: Mapping[str, str] | None = None) -> dict:
    """The settings in the environment: ``SAMITE_A__B_C=1`` gives ``{"a": {"b_c": 1}}``.

    ``DASK_A__B_C`` is read too, and yields to ``SAMITE_A__B_C``. Settings that a parent process
    passed on in ``SAMITE_INTERNAL_INHERIT_CONFIG`` (see :func:`serialize`) come below both.
    """
    env = os.environ if env is None else env
    inherited = _variable("INTERNAL_INHERIT_CONFIG", env)
    result = deserialize(inherited) if inherited else {}
    for prefix in _PREFIXES:
        layer: dict = {}
        for name in sorted(env):
            if name.startswith(prefix) and name[len(prefix) :] not in _META_VARIABLES:
                key = name[len(prefix) :].lower().replace("__", ".")
                _place(layer, key, interpret_value(env[name]))
        update(result, layer)
    return result


def ensure_file(
    source: PathLike, destination: PathLike | None = None, comment: bool = True
) -> None:
    """Copy a YAML file to the user's settings folder, unless one of that name is there.

    Parameters
    ----------
    destination
        A folder, made if missing; :data:`PATH` by default.
    comment
        Turn each line into a comment, so that the copy shows what can be set and sets nothing.
    """
    source = os.fspath(source)
    folder = os.fspath(PATH if destination is None else destination)
    if os.path.splitext(folder)[1].lower() not in _YAML_SUFFIXES:
        target = os.path.join(folder, os.path.basename(source))
    else:
        folder, target = os.path.dirname(folder), folder
    # Read-only homes are common in containers, and nothing depends on this copy.
    try:
        if os.path.exists(target):
            return
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(source, encoding="utf-8") as file:
            lines = file.readlines()
        if comment:
            lines = [
                f"# {line}" if line.strip() and not line.startswith("#") else line for line in lines
            ]
        # Written aside and renamed: another process never sees half a file.
        partial = f"{target}.{os.getpid()}.{threading.get_ident()}.tmp"
        with open(partial, "w", encoding="utf-8") as file:
            file.writelines(lines)
        os.replace(partial, target)
    except OSError:
        pass


def expand_environment_variables(config: Any) -> Any:
    """Replace ``$NAME`` in all strings of a nested structure by the environment's value.

    >>> import os
    >>> os.environ["HOUSE"] = "42"
    >>> expand_environment_variables({"a": [1, "$HOUSE"]})
    {'a': [1, '42']}
    """
    if isinstance(config, Mapping):
        return {name: expand_environment_variables(value) for name, value in config.items()}
    if isinstance(config, str):
        return os.path.expandvars(config)
    if isinstance(config, (list, tuple, builtins.set)):
        return type(config)(expand_environment_variables(value) for value in config)
    return config


def serialize(data: Any) -> str:
    """Settings as ASCII text for an environment variable; :func:`deserialize` is the inverse."""
    import base64
    import json

    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode()


def deserialize(data: str) -> Any:
    """The settings in a text that :func:`serialize` made."""
    import base64
    import json

    return json.loads(base64.urlsafe_b64decode(data.encode()).decode())


# ---- former names ----------------------------------------------------------------------------


def rename(
    deprecations: Mapping[str, str | None] | None = None, config: dict | None = None
) -> dict[str, str | None]:
    """Move settings from former names to today's, in place; one that is gone is removed.

    A value under today's name stays. Returns the pairs of former and today's name that applied.
    """
    config = global_config if config is None else config
    table = globals()["deprecations"] if deprecations is None else deprecations
    applied: dict[str, str | None] = {}
    moved: dict[str, Any] = {}
    for old, new in table.items():
        if _mentions(config, old):
            value = pop(old, config=config)
            applied[old] = new
            if new is not None:
                moved[new] = value
    for new, value in moved.items():
        # "super.old" may become "super": what is left of that section has to give way.
        if get(new, {}, config=config) == {}:
            _place(config, new, value)
    return applied


def _place(config: dict, key: str, value: Any) -> None:
    place = config
    *outer, last = _split(key)
    for name in outer:
        name = canonical_name(name, place)
        inner = place.get(name)
        if not isinstance(inner, dict):
            inner = place[name] = {}
        place = inner
    place[canonical_name(last, place)] = value


def check_deprecations(key: str, deprecations: Mapping[str, str | None] | None = None) -> str:
    """Today's name of the setting `key`, with a ``FutureWarning`` if `key` is a former one.

    Raises
    ------
    ValueError
        The setting is gone.
    """
    table = globals()["deprecations"] if deprecations is None else deprecations
    former = key.replace("_", "-")
    if former not in table:
        return key
    new = table[former]
    if not new:
        raise ValueError(f"The setting {former!r} has been removed")
    warnings.warn(
        f"The setting {former!r} is deprecated: use {new!r} instead", FutureWarning, stacklevel=4
    )
    return new


update_defaults(DEFAULTS)
refresh()
