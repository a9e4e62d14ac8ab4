"""Rows chosen at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.expressions.sampling import RandomSplit, Sample


def sample(frame: Any, n: Any, frac: Any, replace: bool, random_state: Any) -> Any:
    """See :meth:`DataFrame.sample`."""
    import warnings

    if n is not None:
        if not (isinstance(n, float) and 0 <= n <= 1 and frac is None):
            raise ValueError(
                "sample does not support the number of sampled items parameter, 'n'. Please use "
                "the 'frac' parameter instead."
            )
        warnings.warn(
            "sample(0.5): the first argument is taken as 'frac'; give it by name", stacklevel=3
        )
        frac = n
    if frac is None:
        raise ValueError("frac must not be None")
    if frac < 0 or (frac > 1 and not replace):
        raise ValueError(f"frac must be between 0 and 1 without replacement, got {frac!r}")
    seeds = _seeds(random_state, frame.npartitions)
    return new_collection(Sample(frame.expr, seeds, frac, replace))


def random_split(frame: Any, frac: Any, random_state: Any, shuffle: bool) -> list[Any]:
    """See :meth:`DataFrame.random_split`."""
    frac = [float(part) for part in frac]
    if not np.isclose(sum(frac), 1):
        raise ValueError(f"frac should sum to 1, got {frac} with the sum {sum(frac)}")
    seeds = _seeds(random_state, frame.npartitions)
    return [
        new_collection(RandomSplit(frame.expr, frac, seeds, index, bool(shuffle)))
        for index in range(len(frac))
    ]


def _seeds(random_state: Any, count: int) -> list[int]:
    """A seed for each partition."""
    if isinstance(random_state, (np.random.RandomState, np.random.Generator)):
        draw = getattr(random_state, "integers", None) or random_state.randint
        entropy = [int(value) for value in draw(0, 2**31 - 1, 4)]
    else:
        entropy = random_state
    children = np.random.SeedSequence(entropy).spawn(count)
    return [int(child.generate_state(1)[0]) for child in children]


def sampled_rows(part: Any, seed: int, frac: float, replace: bool) -> Any:
    """A fraction of the rows of a partition."""
    state = np.random.RandomState(seed)
    if not len(part):
        return part
    return part.sample(frac=frac, replace=replace, random_state=state)


def split_rows(part: Any, frac: list[float], seed: int, index: int, shuffle: bool) -> Any:
    """Those rows of a partition that belong to part ``index`` of a random split."""
    state = np.random.RandomState(seed)
    if shuffle:
        part = part.sample(frac=1.0, random_state=state)
    bounds = np.cumsum(frac)
    places = np.searchsorted(bounds[:-1], state.random_sample(len(part)), side="right")
    return part[places == index]
