"""Files of a scheduler's state."""

from __future__ import annotations

import gzip
import json
import os
from typing import Any

__all__ = ["load_cluster_dump", "write_dump"]

_SUFFIX = {"msgpack": ".msgpack.gz", "yaml": ".yaml", "json": ".json"}


def write_dump(filename: Any, state: Any, format: str, storage_options: dict[str, Any]) -> str:
    """Write a state; the name of the file."""
    filename = os.fspath(filename)
    path = filename if filename.endswith(_SUFFIX[format]) else filename + _SUFFIX[format]
    if format == "msgpack":
        import msgpack

        data = gzip.compress(msgpack.packb(state, use_bin_type=True, default=str))
    elif format == "yaml":
        import yaml

        data = yaml.safe_dump(json.loads(json.dumps(state, default=str))).encode()
    else:
        data = json.dumps(state, default=str, indent=1).encode()
    if "://" in path:
        import fsspec

        with fsspec.open(path, "wb", **storage_options) as file:
            file.write(data)
    else:
        with open(path, "wb") as file:
            file.write(data)
    return path


def load_cluster_dump(url: Any, **kwargs: Any) -> Any:
    """Read a file that :meth:`Client.dump_cluster_state` wrote.

    Raises
    ------
    ValueError
        If its name says no format that is known.
    """
    url = os.fspath(url)
    if url.endswith(".msgpack.gz"):
        import msgpack

        with gzip.open(url, "rb") as file:
            return msgpack.unpackb(file.read(), strict_map_key=False)
    if url.endswith(".yaml"):
        import yaml

        with open(url) as text:
            return yaml.safe_load(text)
    if url.endswith(".json"):
        with open(url) as text:
            return json.load(text)
    raise ValueError(f"a dump's name ends in .msgpack.gz, .yaml or .json, not {url!r}")
