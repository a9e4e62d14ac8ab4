"""What this machine has."""

from __future__ import annotations

from samite.system import total_memory

__all__ = ["MEMORY_LIMIT"]

# The memory that this process may use, in bytes: the machine's, or its control group's.
MEMORY_LIMIT = int(total_memory())
