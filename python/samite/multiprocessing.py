"""Scheduler on worker processes."""
from samite.local import get_sync as get  # placeholder until the pool is there
