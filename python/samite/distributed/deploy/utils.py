"""Small functions that clusters of other packages import from here."""

from __future__ import annotations

from samite.distributed.deploy.local import nprocesses_nthreads

__all__ = ["nprocesses_nthreads"]
