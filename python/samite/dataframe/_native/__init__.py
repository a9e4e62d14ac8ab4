"""Parts of an expression that the engine computes itself.

:func:`nativized` finds them: the largest parts whose every operation has a native form with
pandas' meaning become one node each, whose tasks run a plan of the engine. Whatever has no
native form is left as it is and runs pandas on partitions.
"""

from samite.dataframe._native.rewrite import nativized

__all__ = ["nativized"]
