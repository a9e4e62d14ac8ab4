"""Blockwise operations: layers that do the same to every block of their inputs."""

from samite._blockwise.deps import BlockIndex, BlockwiseDep, BlockwiseDepDict
from samite._blockwise.fusion import _unique_dep as _unique_dep
from samite._blockwise.fusion import (
    fuse_annotations,
    fuse_roots,
    optimize_blockwise,
    rewrite_blockwise,
)
from samite._blockwise.layer import Blockwise, blockwise
from samite._blockwise.shape import PREFIX as _BLOCKWISE_DEFAULT_PREFIX  # noqa: F401
from samite._blockwise.shape import (
    blockwise_token,
    broadcast_dimensions,
    index_subs,
    lol_tuples,
)

__all__ = [
    "BlockIndex",
    "Blockwise",
    "BlockwiseDep",
    "BlockwiseDepDict",
    "blockwise",
    "blockwise_token",
    "broadcast_dimensions",
    "fuse_annotations",
    "fuse_roots",
    "index_subs",
    "lol_tuples",
    "optimize_blockwise",
    "rewrite_blockwise",
]
