"""Callbacks: registration, nesting, threads, and the choice between native and per task."""

from __future__ import annotations

import pytest

from samite.callbacks import (
    Callback,
    add_callbacks,
    local_callbacks,
    normalize_callback,
    split_native,
    unpack_callbacks,
)


@pytest.fixture(autouse=True)
def nothing_left_registered():
    assert not Callback.active
    yield
    assert not Callback.active


class Native(Callback):
    _native = True

    def _pretask(self, key, dsk, state):
        raise AssertionError("never called natively")


def test_constructor_functions_and_subclass_methods_become_hooks():
    class Both(Callback):
        def _finish(self, dsk, state, errored):
            pass

    callback = Both(pretask=print)
    start, start_state, pretask, posttask, finish = callback._callback
    assert (start, start_state, pretask, posttask) == (None, None, print, None)
    assert finish == callback._finish


def test_context_manager_mutates_the_active_set_in_place():
    active = Callback.active
    with Callback(start=print) as callback:
        assert Callback.active is active
        assert callback._callback in active


def test_register_and_unregister():
    callback = Callback(start=print)
    callback.register()
    callback.register()
    assert len(Callback.active) == 1
    callback.unregister()
    with pytest.raises(KeyError):
        callback.unregister()


def test_add_callbacks_takes_tuples_and_objects():
    hooks = (None, None, print, None, None)
    with add_callbacks(hooks, Callback(start=print)):
        assert hooks in Callback.active
        assert len(Callback.active) == 2


def test_normalize_rejects_other_objects():
    with pytest.raises(TypeError, match="int"):
        normalize_callback(3)


def test_unpack():
    assert [list(hooks) for hooks in unpack_callbacks(())] == [[]] * 5
    unpacked = unpack_callbacks([(None, None, print, None, None), (len, None, repr, None, None)])
    assert unpacked == [[len], [], [print, repr], [], []]


def test_only_the_outermost_run_sees_the_callbacks():
    with Callback(start=print) as outer:
        with local_callbacks() as first:
            assert list(first) == [outer._callback]
            with Callback(start=len) as inner, local_callbacks() as second:
                assert list(second) == [inner._callback]
                assert not Callback.active
            with local_callbacks() as third:
                assert not third
        assert Callback.active == {outer._callback}


def test_explicit_callbacks_leave_the_active_ones():
    with Callback(start=print) as outer, local_callbacks([(None,) * 5]) as given:
        assert given == [(None,) * 5]
        assert Callback.active == {outer._callback}


def test_overlapping_runs_that_end_in_the_order_they_began():
    """Two threads compute at once and the first one ends first: nothing is lost."""
    registered = Callback(start=print)
    registered.register()
    try:
        first, second = local_callbacks(), local_callbacks()
        assert list(first.__enter__()) == [registered._callback]
        assert not second.__enter__()
        first.__exit__(None, None, None)
        assert not Callback.active
        second.__exit__(None, None, None)
        assert Callback.active == {registered._callback}
    finally:
        registered.unregister()


def test_callback_entered_while_another_thread_computes():
    run_a, run_b = local_callbacks(), local_callbacks()
    run_a.__enter__()
    with Callback(start=print) as late:
        assert list(run_b.__enter__()) == [late._callback]
        run_a.__exit__(None, None, None)
        run_b.__exit__(None, None, None)
        assert Callback.active == {late._callback}


def test_split_native():
    native, plain, tuple_hooks = Native(), Callback(start=print), (len, None, None, None, None)
    natives, per_task = split_native([native._callback, plain._callback, tuple_hooks])
    assert natives == [native]
    assert per_task == [plain._callback, tuple_hooks]


def test_overriding_a_hook_loses_the_native_path():
    class Overrides(Native):
        def _posttask(self, key, result, dsk, state, worker_id):
            pass

    class Keeps(Native):
        pass

    class Redeclares(Native):
        _native = True

        def _posttask(self, key, result, dsk, state, worker_id):
            pass

    assert split_native([Overrides()._callback])[0] == []
    assert len(split_native([Keeps()._callback])[0]) == 1
    assert len(split_native([Redeclares()._callback])[0]) == 1
    assert split_native([Keeps(pretask=print)._callback])[0] == []


def test_dask_callbacks_are_accepted():
    dask_callbacks = pytest.importorskip("dask.callbacks")
    theirs = dask_callbacks.Callback(pretask=print)
    assert normalize_callback(theirs) == (None, None, print, None, None)
