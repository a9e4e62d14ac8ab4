"""Stacks of image files."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from samite._task_spec import Task
from samite.array.core import Array, make_array
from samite.base import tokenize

__all__ = ["imread"]


def imread(
    filename: str,
    imread: Callable[[str], Any] | None = None,
    preprocess: Callable[[Any], Any] | None = None,
) -> Array:
    """The images of many files as one array, with a chunk for each file.

    The first file is read at once, for its shape and dtype; all others have to be like it.

    Parameters
    ----------
    filename:
        The names, as a pattern with ``*``; the images are in the order of these.
    imread:
        Reads one file; by default that of scikit-image.
    preprocess:
        Called with each image.

    Raises
    ------
    ValueError
        If no file matches.
    ImportError
        If scikit-image is needed and not installed.
    """
    if imread is None:
        from skimage.io import imread
    names = sorted(glob.glob(os.fspath(filename)))
    if not names:
        raise ValueError(f"No files found under name {filename!r}")
    assert imread is not None
    first = _image(imread, preprocess, names[0])
    token = tokenize(names, [os.path.getmtime(name) for name in names], imread, preprocess)
    name = f"imread-{token}"
    inner = first.shape[1:]
    layer = {}
    for n, file in enumerate(names):
        key = (name, n, *(0 for _ in inner))
        layer[key] = Task(key, _image, imread, preprocess, file, _data_producer=True)
    chunks = ((1,) * len(names), *((length,) for length in inner))
    return make_array(name, layer, chunks, first[:0])


def _image(imread: Callable, preprocess: Callable | None, file: str) -> Any:
    image = np.asarray(imread(file))
    if preprocess is not None:
        image = preprocess(image)
    return image[np.newaxis, ...]
