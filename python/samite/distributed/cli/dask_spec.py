"""The command under the name by which launchers for Dask call it."""

from __future__ import annotations

from samite.distributed.cli.spec import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
