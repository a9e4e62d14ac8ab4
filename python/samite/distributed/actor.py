"""Actors: objects that live on a worker, whose methods are called from elsewhere."""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from samite import _engine

__all__ = ["Actor", "ActorFuture", "BaseActorFuture", "EagerActorFuture"]

T = TypeVar("T")

# The actors that live in this process, by key.
_living: weakref.WeakValueDictionary[str, Actor] = weakref.WeakValueDictionary()


class Actor:
    """A stand-in for an object that lives on a worker.

    Methods return an :class:`ActorFuture`; attributes are fetched. On the worker where the object
    lives, both are immediate. The object is lost with its worker.

    Parameters
    ----------
    cls:
        The object's class.
    address:
        The worker's address.
    key:
        The key of the future that made it.
    """

    def __init__(self, cls: type, address: str, key: str, instance: Any = None) -> None:
        self._cls = cls
        self._address = address
        self.key = key
        self._instance = instance
        self._lock = threading.RLock()
        # Keeps the object alive for as long as this stands for it; a task's arguments live anyway.
        self._future = None
        if instance is None and _engine.current_task() is None:
            from samite.distributed._current import current_client
            from samite.distributed.future import Future

            client = current_client()
            if client is not None:
                self._future = Future(key, client)

    def substitute(self, subs: Any, key: Any = None) -> Any:
        """What stands for this in a graph after renaming: ``subs`` maps keys to new keys or to
        tasks."""
        from samite._task_spec import TaskRef

        return TaskRef(self.key).substitute(subs, key) if self.key in subs else self

    def __reduce__(self) -> tuple[Any, ...]:
        return (_actor_here, (self._cls, self._address, self.key))

    def __repr__(self) -> str:
        return f"<Actor: {self._cls.__name__}, key={self.key}>"

    def __dask_tokenize__(self) -> Any:
        return ("samite.Actor", self.key)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(self._cls) if name[0] != "_")})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name.endswith("_"):
            raise AttributeError(name)
        if self._instance is not None:
            return self._local(name)
        found = getattr(self._cls, name, None)
        if callable(found):
            return _Method(self, name)
        if self.client.asynchronous and not hasattr(self._cls, name):
            # Whether the object has it could only be awaited.
            raise AttributeError(f"{self._cls.__name__} has no attribute {name!r}")
        return _remote(self, get_attribute, (self.key, name)).result()

    def _local(self, name: str) -> Any:
        value = getattr(self._instance, name)
        if not callable(value) or not hasattr(type(self._instance), name):
            return value

        def call(*args: Any, **kwargs: Any) -> BaseActorFuture[Any]:
            kwargs.pop("separate_thread", None)
            with self._lock:
                returned = value(*args, **kwargs)
                if inspect.iscoroutine(returned) and _in_loop():
                    return LoopActorFuture(returned)
                return EagerActorFuture(_awaited(returned))

        call.__name__ = name
        call.__doc__ = getattr(value, "__doc__", None)
        return call

    @property
    def client(self) -> Any:
        """The client that asks the worker."""
        from samite.distributed._current import get_client

        return get_client()


class _Method:
    """A method of an actor that lives elsewhere."""

    def __init__(self, actor: Actor, name: str) -> None:
        import functools

        self._actor = actor
        self._name = name
        functools.update_wrapper(self, getattr(actor._cls, name), updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> ActorFuture[Any]:
        actor = self._actor
        kwargs.pop("separate_thread", None)  # Dask's; calls have threads of their own here
        return _remote(actor, call_method, (actor.key, self._name, args, kwargs))


def _in_loop() -> bool:
    """Whether this thread runs an event loop, which must not wait for what it has to run."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _awaited(value: Any) -> Any:
    if inspect.iscoroutine(value):
        from samite.distributed._calls import run_on_loop

        return run_on_loop(value)
    return value


class BaseActorFuture(Generic[T]):
    """The result of a method of an actor."""

    def result(self, timeout: Any = None) -> T:
        """Wait for the value; on an asynchronous client to be awaited."""
        raise NotImplementedError

    def done(self) -> bool:
        """Whether the method has returned."""
        raise NotImplementedError

    def value(self) -> T:
        """The value, once it is done."""
        raise NotImplementedError

    def when_done(self, call: Callable[[], Any]) -> None:
        """Call a function once it is done, at once where it is."""
        raise NotImplementedError


class EagerActorFuture(BaseActorFuture[T]):
    """The result of a method that was called on the actor's own worker."""

    def __init__(self, value: T) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, T]:
        return self._value
        yield

    def result(self, timeout: Any = None) -> T:
        """The value."""
        return self._value

    def done(self) -> bool:
        """True."""
        return True

    def value(self) -> T:
        """The value."""
        return self._value

    def when_done(self, call: Callable[[], Any]) -> None:
        """Call a function."""
        call()

    def __repr__(self) -> str:
        return f"<EagerActorFuture: {self._value!r}>"


class LoopActorFuture(BaseActorFuture[T]):
    """The result of an ``async`` method that was called on the actor's own worker, by what runs in
    an event loop there and awaits it."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        import asyncio

        self._task = asyncio.ensure_future(coroutine)

    def __await__(self) -> Generator[Any, Any, T]:
        return self._task.__await__()

    def result(self, timeout: Any = None) -> Any:
        """Wait for the value, which is to be awaited.

        Raises
        ------
        TimeoutError
            If it takes too long.
        """
        import asyncio

        from samite.distributed._named import seconds_of

        return asyncio.wait_for(self._task, seconds_of(timeout))

    def done(self) -> bool:
        """Whether the method has returned."""
        return self._task.done()

    def value(self) -> T:
        """The value, once it is done."""
        return self._task.result()

    def when_done(self, call: Callable[[], Any]) -> None:
        """Call a function once it is done."""
        self._task.add_done_callback(lambda _: call())

    def __repr__(self) -> str:
        return f"<LoopActorFuture: {'done' if self.done() else 'pending'}>"


class ActorFuture(BaseActorFuture[T]):
    """The result of a method that was called on another worker."""

    def __init__(self, client: Any, what: str) -> None:
        self._client = client
        self._what = what
        self._changed = threading.Condition()
        self._outcome: tuple[str, Any] | None = None
        self._watchers: list[Any] = []

    def _set(self, succeeded: bool, reply: Any) -> None:
        outcome = ("ok", reply) if succeeded else ("error", reply)
        with self._changed:
            self._outcome = outcome
            self._changed.notify_all()
            watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher()

    def done(self) -> bool:
        """Whether the method has returned."""
        return self._outcome is not None

    def when_done(self, call: Callable[[], Any]) -> None:
        """Call a function once it is done, on a thread of the client's; at once where it is."""
        with self._changed:
            if self._outcome is None:
                self._watchers.append(call)
                return
        call()

    def value(self) -> T:
        """The value, once it is done.

        Raises
        ------
        Exception
            What the method raised.
        ValueError
            If its worker was lost.
        """
        assert self._outcome is not None
        kind, reply = self._outcome
        if kind == "error":
            raise reply
        from samite.distributed._calls import answer_of, load_bytes

        for status, data in reply.values():
            if status != "ok":
                raise ValueError(f"Worker holding Actor was lost. {self._what}: {data!r}")
            kind, value = answer_of(load_bytes(data))
            if kind == "error":
                raise value
            return value
        raise ValueError(f"Worker holding Actor was lost. {self._what}")

    def result(self, timeout: Any = None) -> Any:
        """Wait for the value; on an asynchronous client to be awaited.

        Raises
        ------
        TimeoutError
            If it takes too long.
        Exception
            What the method raised.
        """
        if self._client.asynchronous:
            return self._awaited(timeout)
        import time

        from samite.distributed._named import seconds_of

        seconds = seconds_of(timeout)
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while self._outcome is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"{self._what} did not return within {timeout} seconds")
                self._changed.wait(0.5 if left is None else min(left, 0.5))
        return self.value()

    async def _awaited(self, timeout: Any = None) -> T:
        import asyncio

        from samite.distributed._named import seconds_of
        from samite.distributed._steps import settle

        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(settle, woken)

        with self._changed:
            if self._outcome is None:
                self._watchers.append(wake)
            else:
                woken.set_result(None)
        await asyncio.wait_for(woken, seconds_of(timeout))
        return self.value()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._awaited().__await__()

    def __repr__(self) -> str:
        return f"<ActorFuture: {self._what}, {'done' if self.done() else 'pending'}>"


def _remote(actor: Actor, function: Any, args: tuple[Any, ...]) -> ActorFuture[Any]:
    from samite.distributed._calls import request_bytes

    client = actor.client
    future: ActorFuture[Any] = ActorFuture(client, f"{actor._cls.__name__}.{args[1]}")
    client._connected().request_later(
        "run",
        {
            "function": request_bytes(function, args, {}),
            "workers": [actor._address],
            "wait": True,
            "nanny": False,
        },
        future._set,
    )
    return future


# ---- on the worker ------------------------------------------------------------------------------


def create_actor(cls: Any, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Actor:
    """The task that makes an actor: its result lives here, and is pickled as a stand-in."""
    from samite.distributed._current import get_worker

    instance = cls(*args, **kwargs)
    actor = Actor(type(instance), get_worker().address, key, instance)
    _living[key] = actor
    return actor


def _actor_here(cls: type, address: str, key: str) -> Actor:
    """An unpickled actor: the living one where it lives in this process on that worker."""
    actor = _living.get(key)
    if actor is not None and actor._address == address and _engine.current_task() is not None:
        return actor
    return Actor(cls, address, key)


def _living_actor(key: str) -> Actor:
    actor = _living.get(key)
    if actor is None:
        raise ValueError(f"Worker holding Actor was lost: there is no actor {key!r} here")
    return actor


def call_method(key: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method of an actor that lives here; one call at a time."""
    actor = _living_actor(key)
    method = getattr(actor._instance, name)
    if inspect.iscoroutinefunction(method):
        return method(*args, **kwargs)
    with actor._lock:
        return method(*args, **kwargs)


def get_attribute(key: str, name: str) -> Any:
    """Read an attribute of an actor that lives here."""
    return getattr(_living_actor(key)._instance, name)
