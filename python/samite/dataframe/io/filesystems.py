"""Where files of data frames lie: paths and the filesystem that they belong to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any


class Filesystem:
    """An fsspec filesystem, to list and write files, and the Arrow one to read them.

    Two are equal, and have equal tokens, if they reach the same storage with the same options.
    Without ``spec`` it is that of this machine's files, and fsspec is imported when it is asked
    for: reading does not.
    """

    def __init__(self, spec: Any = None, arrow: Any = None) -> None:
        self._spec = spec
        self._arrow = arrow

    @property
    def spec(self) -> Any:
        """The filesystem as fsspec's."""
        if self._spec is None:
            import fsspec

            self._spec = fsspec.filesystem("file")
        return self._spec

    @property
    def arrow(self) -> Any:
        """The filesystem as pyarrow's."""
        if self._arrow is None:
            from pyarrow import fs as arrow_fs

            if self.is_local:
                self._arrow = arrow_fs.LocalFileSystem()
            else:
                self._arrow = arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(self.spec))
        return self._arrow

    @property
    def protocols(self) -> tuple[str, ...]:
        """The names of the protocol, such as ``("file", "local")``."""
        protocol = ("file", "local") if self._spec is None else getattr(self._spec, "protocol", ())
        return (protocol,) if isinstance(protocol, str) else tuple(protocol)

    @property
    def is_local(self) -> bool:
        """Whether paths are those of this machine's own files."""
        if self._spec is None:
            return True
        return "file" in self.protocols and type(self._spec).__name__ == "LocalFileSystem"

    @property
    def _is_plain(self) -> bool:
        """Whether it is that of this machine's files, without options."""
        if self._spec is None:
            return True
        given = [getattr(self._spec, name, ()) for name in ("storage_args", "storage_options")]
        return self.is_local and not any(given)

    def __dask_tokenize__(self) -> Any:
        from samite.tokenize import tokenize

        return tokenize("files of this machine" if self._is_plain else self.spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Filesystem):
            return False
        return (self._is_plain and other._is_plain) or self.spec == other.spec

    def __hash__(self) -> int:
        return hash(self.protocols)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_local:
            return type(self), (self._spec,)
        return type(self), (self.spec, self._picklable_arrow())

    def _picklable_arrow(self) -> Any:
        from pyarrow import fs as arrow_fs

        return None if isinstance(self._arrow, arrow_fs.PyFileSystem) else self._arrow

    def __repr__(self) -> str:
        return f"<{self.protocols[0] if self.protocols else 'files'}>"


def as_path(path: Any) -> Any:
    """A path as text, or a list of such.

    Raises
    ------
    TypeError
        It is neither a path nor a sequence of paths.
    """
    if isinstance(path, (str, os.PathLike)):
        return os.fspath(path)
    if isinstance(path, Sequence) and all(isinstance(p, (str, os.PathLike)) for p in path):
        return [os.fspath(p) for p in path]
    if hasattr(path, "name"):
        return os.fspath(path.name)
    raise TypeError(f"path must be a path, or a list of paths, got {type(path).__name__}")


def find_filesystem(
    path: Any, filesystem: Any = None, storage_options: Any = None
) -> tuple[Filesystem, list[str]]:
    """The filesystem of a path, or of a list of paths, and the paths as it names them.

    Patterns with ``*`` are not looked up.

    Parameters
    ----------
    filesystem:
        "fsspec" (or None, "auto"), "arrow", or a filesystem of either library.

    Raises
    ------
    ValueError
        There is no such filesystem, or no path.
    """
    given = as_path(path)
    paths = [given] if isinstance(given, str) else list(given)
    if not paths:
        raise ValueError("An empty list of paths was given; name at least one file or folder.")
    options = dict(storage_options or {})
    if filesystem is None or (isinstance(filesystem, str) and filesystem in ("fsspec", "auto")):
        if not options and all(map(_is_plain_path, paths)):
            return Filesystem(), paths
        from fsspec.core import get_fs_token_paths

        spec, _, stripped = get_fs_token_paths(
            paths, mode="rb", storage_options=options, expand=False
        )
        return Filesystem(spec), list(stripped)
    if isinstance(filesystem, str):
        if filesystem not in ("arrow", "pyarrow"):
            raise ValueError(
                f"filesystem must be 'fsspec', 'arrow' or a filesystem, got {filesystem!r}"
            )
        return _arrow_filesystem(paths, options)
    import fsspec

    if isinstance(filesystem, fsspec.AbstractFileSystem):
        if options:
            raise ValueError(
                "storage_options cannot be given together with a filesystem object; "
                "make the filesystem with these options"
            )
        return Filesystem(filesystem), [filesystem._strip_protocol(p) for p in paths]
    from pyarrow import fs as arrow_fs

    if isinstance(filesystem, arrow_fs.FileSystem):
        if options:
            raise ValueError("storage_options cannot be given together with a filesystem object")
        return _wrapped(filesystem), [_without_protocol(p) for p in paths]
    raise ValueError(
        "filesystem must be 'fsspec', 'arrow', an fsspec filesystem or a pyarrow one, "
        f"got {type(filesystem).__name__}"
    )


def _is_plain_path(path: Any) -> bool:
    """Whether a path is one of this machine's that any library takes as it is."""
    if not isinstance(path, str) or os.sep != "/" or not path.startswith("/"):
        return False
    return not any(mark in path for mark in ("::", "://", "//", "/./", "/../")) and not (
        path.endswith(("/", "/.", "/..")) or "\0" in path
    )


def _arrow_filesystem(paths: list[str], options: dict[str, Any]) -> tuple[Filesystem, list[str]]:
    from pyarrow import fs as arrow_fs

    if "://" not in paths[0]:
        return _wrapped(arrow_fs.LocalFileSystem()), [os.path.abspath(p) for p in paths]
    if paths[0].startswith(("s3://", "s3a://")) and options:
        return _wrapped(arrow_fs.S3FileSystem(**options)), [_without_protocol(p) for p in paths]
    found, _ = arrow_fs.FileSystem.from_uri(paths[0])
    return _wrapped(found), [_without_protocol(p) for p in paths]


def _wrapped(arrow: Any) -> Filesystem:
    import fsspec
    from pyarrow import fs as arrow_fs

    if isinstance(arrow, arrow_fs.LocalFileSystem):
        return Filesystem(fsspec.filesystem("file"), arrow)
    from fsspec.implementations.arrow import ArrowFSWrapper

    return Filesystem(ArrowFSWrapper(arrow), arrow)


def _without_protocol(path: str) -> str:
    head, mark, rest = path.partition("://")
    if not mark:
        return os.path.abspath(path)
    return "/" + rest.lstrip("/") if head == "file" else rest


def is_pattern(path: str) -> bool:
    """Whether a path stands for those that match it."""
    return any(mark in path for mark in "*?[")
