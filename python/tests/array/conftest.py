"""What the tests of arrays share: the oracle, and strategies for shapes, chunks and dtypes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def quiet_numpy():
    """NumPy's warnings about NaN and infinity are as many in the oracle as in what is tested."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
