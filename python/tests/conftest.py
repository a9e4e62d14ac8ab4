"""Fixtures that all of Samite's Python tests share."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Started in the background, where shells switch Ctrl-C off; the tests that send it need it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A check that decides whether a change lands gives the same answer twice; elsewhere property tests
# look at new input every time.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

SCHEDULERS = ("synchronous", "threads", "processes")


@pytest.fixture(params=SCHEDULERS)
def scheduler(request: pytest.FixtureRequest) -> str:
    """The name of each scheduler in turn: a collection gives the same answer on all of them."""
    return request.param


@pytest.fixture(autouse=True)
def settings_of_its_own():
    """A test's changes to the configuration end with the test."""
    import copy

    from samite import config

    before = copy.deepcopy(config.config)
    yield
    config.config.clear()
    config.config.update(before)
