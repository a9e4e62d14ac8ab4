"""What a client does with data: gathering, scattering, replicas, data sets, metadata."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, MutableMapping
from typing import Any

from samite.distributed import _hints
from samite.distributed._client_base import ClientBase
from samite.distributed._current import _current_client
from samite.distributed._options import no_default, worker_list
from samite.distributed._steps import in_thread
from samite.distributed._waiting import check_not_iterator, futures_of
from samite.distributed.exceptions import FutureCancelledError, FuturesCancelledError
from samite.distributed.future import Future, key_text
from samite.utils import shorten_traceback


class DataMixin(ClientBase):
    """The part of `Client` that moves data."""

    def gather(  # type: ignore[override]
        self, futures: Any, errors: str = "raise", direct: Any = None, asynchronous: Any = None
    ) -> Any:
        """Wait for futures and fetch their values.

        Parameters
        ----------
        futures:
            A future, or lists, tuples, sets, dicts of futures, nested too.
        errors:
            ``"raise"``, or ``"skip"`` to leave those out of lists that have no value.
        direct:
            Whether to fetch from the workers; by default where that is possible.

        Returns
        -------
        Values in the same containers.

        Raises
        ------
        TypeError
            For iterators and queues.
        ValueError
            For another ``errors``.
        Exception
            What the first task raised that failed.
        """
        check_not_iterator("gather", futures)
        if errors not in ("raise", "skip"):
            raise ValueError(f"gather: errors= is 'raise' or 'skip', got {errors!r}")
        if self.asynchronous if asynchronous is None else asynchronous:
            from samite.distributed._steps import run_awaiting

            return run_awaiting(self._gathered(futures, errors, direct))
        with shorten_traceback():
            return self._gather_now(futures, errors, direct)

    async def _gathered(self, futures: Any, errors: str, direct: Any) -> Any:
        found = _leaves(futures)
        self._check_own(found)
        if found:
            await self._wait_step(found, None, until_failure=errors == "raise")
        return await in_thread(lambda: self._gather_now(futures, errors, direct))

    def _gather_now(self, futures: Any, errors: str = "raise", direct: Any = None) -> Any:
        if direct is None:
            direct = self._direct is not False
        if type(futures) is list and errors == "raise":
            if all(type(one) is Future and one._client is self for one in futures):
                return self._values(futures, direct)
        found = _leaves(futures)
        if not found:
            return futures
        self._check_own(found)
        distinct = {key_text(future.key): future for future in found}
        if errors == "raise":
            values = self._values(list(distinct.values()), direct)
            return _filled(futures, dict(zip(distinct, values, strict=True)))
        keys = list(distinct)
        self._connected().wait(keys, None, False)
        got = self._connected().values(keys, None, direct)
        good = {key: one[1] for key, one in zip(keys, got, strict=True) if one[0] == "ok"}
        return _filled(futures, good)

    def _check_own(self, futures: list[Future[Any]]) -> None:
        """Refuse futures of other clients, whose results this one does not hold."""
        others = {id(one): one for one in futures if one.client not in (None, self)}
        if others:
            names = sorted({str(one.client.id) for one in others.values()})
            raise ValueError(
                f"Cannot gather Futures created by another client: {len(others)} of "
                f"{len(futures)} are of {', '.join(names)}, and this client is {self.id}. Use the "
                "client that made them."
            )

    def _values(self, futures: list[Future[Any]], direct: bool = True) -> list[Any]:
        engine, token = self._connected(in_order=False), _current_client.set(self)
        waiting = _hints.waiting(self)
        try:
            return engine.gather(futures, None, direct)
        except FutureCancelledError:
            raise
        except Exception as raised:
            cancelled = [future for future in futures if future.status == "cancelled"]
            if cancelled and _is_cancelled(raised):
                if len(cancelled) == 1:
                    raise FutureCancelledError(cancelled[0].key) from None
                groups = [FutureCancelledError(future.key) for future in cancelled]
                raise FuturesCancelledError(groups) from None
            raise
        finally:
            _hints.over(waiting)
            _current_client.reset(token)

    def _gather_one(self, future: Future[Any], timeout: float | None) -> Any:
        # Futures and actors inside of the value are this client's.
        engine, token = self._connected(in_order=False), _current_client.set(self)
        waiting = _hints.waiting(self)
        try:
            return engine.gather([future], timeout, True)[0]
        except FutureCancelledError:
            raise
        except Exception as raised:
            if _is_cancelled(raised):
                raise FutureCancelledError(future.key) from None
            raise
        finally:
            _hints.over(waiting)
            _current_client.reset(token)

    def scatter(
        self,
        data: Any,
        workers: Any = None,
        broadcast: Any = False,
        direct: Any = None,
        hash: bool = True,
        timeout: Any = no_default,
        asynchronous: Any = None,
    ) -> Any:
        """Send data to workers.

        Parameters
        ----------
        data:
            A list, tuple, set or frozenset of values, a dict of values by key, or one value.
        workers:
            Who shall hold it; by default, turns are taken.
        broadcast:
            Whether each worker shall hold all of it; a number tells how many.
        hash:
            Whether keys are hashes of the values, so that equal values are kept once.
        timeout:
            Seconds to wait for workers.

        Returns
        -------
        Futures, in a container of the same kind; for one value one future.
        """
        if timeout is no_default:
            timeout = self._timeout
        check_not_iterator("scatter", data, "values and containers of them")
        if isinstance(data, range):
            data = list(data)
        return self._run(
            self._scattered(data, worker_list(workers), broadcast, hash, timeout), asynchronous
        )

    async def _scattered(
        self, data: Any, workers: Any, broadcast: Any, hash: bool, timeout: Any
    ) -> Any:
        kind = type(data)
        if isinstance(data, Mapping):
            keys, values = list(data), list(data.values())
        else:
            named = isinstance(data, tuple) and hasattr(data, "_fields")
            several = named or kind in (list, tuple, set, frozenset)
            values = list(data) if several else [data]
            keys = [_data_key(value, hash) for value in values]
        copies = 1
        if broadcast is True:
            copies = _EVERY_WORKER
        elif broadcast:
            copies = int(broadcast)
        engine, seconds = self._connected(), self._seconds(timeout)
        texts = [key_text(key) for key in keys]
        if values:
            await in_thread(lambda: engine.scatter(texts, values, workers, copies, seconds))
        # From here on the client says that it wants the data, also to a scheduler that is started
        # again before there are copies.
        futures = Future._many(keys, self)
        if values and copies > 1:
            wanted = _given(n=None if copies == _EVERY_WORKER else copies, workers=workers)
            await self._copied({"keys": texts, **wanted}, seconds)
        for future, value in zip(futures, values, strict=True):
            future._type = type(value)
        if isinstance(data, Mapping):
            return dict(zip(keys, futures, strict=True))
        if named:
            return kind(*futures)
        return kind(futures) if several else futures[0]

    async def _copied(self, arguments: dict[str, Any], seconds: float | None) -> None:
        """Ask for copies, and again where it is not known whether they were made: those that are
        there already are enough."""
        from samite.distributed.exceptions import CommClosedError

        for _ in range(_TRIES - 1):
            try:
                await self._request("replicate", arguments, seconds)
            except CommClosedError:
                continue
            return
        await self._request("replicate", arguments, seconds)

    # ---- where data is --------------------------------------------------------------------------

    def who_has(self, futures: Any = None, **kwargs: Any) -> Any:
        """The addresses of the workers that hold each key: a dict of tuples."""

        async def asked() -> Any:
            keys = self._keys(futures)
            found = await self._request("who_has", {} if keys is None else {"keys": keys})
            return WhoHas({key: tuple(workers) for key, workers in found.items()})

        return self._run(asked(), kwargs.get("asynchronous"))

    def has_what(self, workers: Any = None, **kwargs: Any) -> Any:
        """The keys that each worker holds: a dict of tuples."""

        async def asked() -> Any:
            found = await self._request("has_what", _given(workers=worker_list(workers)))
            return HasWhat({worker: tuple(keys) for worker, keys in found.items()})

        return self._run(asked(), kwargs.get("asynchronous"))

    def nbytes(self, keys: Any = None, summary: bool = True, **kwargs: Any) -> Any:
        """The bytes of each key; with ``summary`` of each kind of key."""

        async def asked() -> Any:
            found = await self._request("nbytes", _given(keys=self._keys(keys)))
            if not summary:
                return dict(found)
            from samite.utils import key_split

            total: dict[str, int] = {}
            for key, size in found.items():
                name = key_split(key)
                total[name] = total.get(name, 0) + size
            return total

        return self._run(asked(), kwargs.get("asynchronous"))

    def replicate(
        self,
        futures: Any,
        n: int | None = None,
        workers: Any = None,
        branching_factor: int = 2,
        **kwargs: Any,
    ) -> Any:
        """Copy results to more workers: to ``n``, or all of them."""
        found = futures_of(futures, self)

        async def replicated() -> None:
            if found:
                await self._wait_step(found, None)
            await self._request(
                "replicate",
                {
                    "keys": [key_text(future.key) for future in found],
                    **_given(n=n, workers=worker_list(workers)),
                },
            )

        return self._run(replicated(), kwargs.get("asynchronous"))

    def rebalance(self, futures: Any = None, workers: Any = None, **kwargs: Any) -> Any:
        """Move results from workers that hold much to those that hold little."""
        found = None if futures is None else futures_of(futures, self)

        async def rebalanced() -> None:
            keys = None
            if found is not None:
                await self._wait_step(found, None)
                keys = [key_text(future.key) for future in found]
            await self._request("rebalance", _given(keys=keys, workers=worker_list(workers)))

        return self._run(rebalanced(), kwargs.get("asynchronous"))

    def _keys(self, futures: Any) -> list[str] | None:
        if futures is None:
            return None
        if isinstance(futures, Future) or hasattr(futures, "__dask_graph__"):
            futures = [futures]
        if isinstance(futures, (str, tuple)) and not any(
            isinstance(one, Future) for one in futures
        ):
            futures = [futures]
        keys = []
        for one in futures:
            if isinstance(one, (str, bytes, int, float)):
                keys.append(key_text(one))
            elif isinstance(one, tuple) and not any(isinstance(part, Future) for part in one):
                keys.append(key_text(one))
            else:
                keys.extend(key_text(future.key) for future in futures_of(one))
        return keys

    # ---- data sets ------------------------------------------------------------------------------

    def publish_dataset(
        self, *args: Any, name: Any = None, override: bool = False, **kwargs: Any
    ) -> Any:
        """Give collections and futures a name by which other clients get them, and keep them.

        Raises
        ------
        ValueError
            If several are given with one name, or without names.
        KeyError
            If a name is taken, unless ``override``.
        """
        datasets = _named_datasets(args, name, kwargs)

        async def published() -> None:
            from samite.distributed._calls import dump_bytes

            for one, value in datasets.items():
                keys = [key_text(future.key) for future in futures_of(value, self)]
                if override:
                    await self._request("unpublish", {"name": _name_text(one)})
                taken = await self._request(
                    "publish",
                    {
                        "name": _name_text(one),
                        "keys": keys,
                        "data": dump_bytes((one, value)),
                    },
                )
                if taken is False:
                    raise KeyError(f"Dataset {one} already exists")

        return self._run(published())

    def unpublish_dataset(self, name: Any, **kwargs: Any) -> Any:
        """Forget a data set, or a list of them; where there is none of a name, nothing is done."""

        async def unpublished() -> None:
            for one in name if isinstance(name, list) else [name]:
                await self._request("unpublish", {"name": _name_text(one)})

        return self._run(unpublished(), kwargs.get("asynchronous"))

    def list_datasets(self, **kwargs: Any) -> Any:
        """The names of all data sets."""

        async def listed() -> tuple[Any, ...]:
            names = await self._request("list_datasets", {})
            return tuple(_name_of_text(name) for name in names)

        return self._run(listed(), kwargs.get("asynchronous"))

    def get_dataset(self, name: Any, default: Any = no_default, **kwargs: Any) -> Any:
        """A data set, or a list of them, by name.

        Raises
        ------
        KeyError
            If there is none of this name and no default.
        """

        async def got() -> Any:
            if isinstance(name, list):
                return [await self._dataset(one, default) for one in name]
            return await self._dataset(name, default)

        return self._run(got(), kwargs.get("asynchronous"))

    async def _dataset(self, name: Any, default: Any) -> Any:
        from samite.distributed._calls import load_bytes

        found = await self._request("get_dataset", {"name": _name_text(name)})
        if found is None:
            if default is no_default:
                raise KeyError(f"Dataset '{name}' not found")
            return default
        data = found["data"] if isinstance(found, dict) else found
        with self.as_current():
            return load_bytes(data)[1]

    @property
    def datasets(self) -> Datasets:
        """The data sets as a mapping."""
        return Datasets(self)

    # ---- metadata -------------------------------------------------------------------------------

    def get_metadata(self, keys: Any, default: Any = no_default) -> Any:
        """Arbitrary metadata that the scheduler keeps, by a name or a path of names.

        Raises
        ------
        KeyError
            If there is none and no default.
        """
        path = list(keys) if isinstance(keys, (list, tuple)) else [keys]

        async def got() -> Any:
            from samite.distributed._calls import load_bytes

            found = await self._request("get_metadata", {"keys": [str(key) for key in path]})
            if found is None:
                if default is no_default:
                    raise KeyError(keys)
                return default
            return _loaded_tree(found, load_bytes)

        return self._run(got())

    def set_metadata(self, key: Any, value: Any) -> Any:
        """Keep a value on the scheduler, by a name or a path of names."""
        path = list(key) if isinstance(key, (list, tuple)) else [key]

        async def was_set() -> None:
            from samite.distributed._calls import dump_bytes

            tree = _dumped_tree(value, dump_bytes)
            await self._request("set_metadata", {"keys": [str(one) for one in path], "value": tree})

        return self._run(was_set())


# More copies than there can be workers.
_EVERY_WORKER = 2**32 - 1
# How often copies are asked for where schedulers die meanwhile.
_TRIES = 5


class WhoHas(dict):
    """Workers by key."""


class HasWhat(dict):
    """Keys by worker."""


class Datasets(MutableMapping):
    """The published data sets of a client's cluster, by name."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def _check(self, instead: str) -> None:
        if self._client.asynchronous:
            raise TypeError(f"the data sets of an asynchronous client: use {instead}")

    def __getitem__(self, name: Any) -> Any:
        return self._client.get_dataset(name)

    def __setitem__(self, name: Any, value: Any) -> None:
        self._check("'await client.publish_dataset(...)'")
        self._client.publish_dataset(value, name=name)

    def __delitem__(self, name: Any) -> None:
        self._check("'await client.unpublish_dataset(...)'")
        self._client.unpublish_dataset(name)

    def __contains__(self, name: Any) -> bool:
        self._check("'await client.list_datasets()'")
        return name in self._client.list_datasets()

    def __iter__(self) -> Any:
        self._check("'async for'")
        yield from self._client.list_datasets()

    def __aiter__(self) -> Any:
        if not self._client.asynchronous:
            raise TypeError("the data sets of a client that is not asynchronous: use 'for'")
        return self._names()

    async def _names(self) -> Any:
        for name in await self._client.list_datasets():
            yield name

    def __len__(self) -> int:
        self._check("'await client.list_datasets()'")
        return len(self._client.list_datasets())


# ---- helpers ------------------------------------------------------------------------------------


def _is_cancelled(raised: BaseException) -> bool:
    from samite.distributed.exceptions import CancelledError

    return isinstance(raised, CancelledError)


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _leaves(obj: Any) -> list[Future[Any]]:
    """The futures in containers."""
    found: list[Future[Any]] = []
    waiting = [obj]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Future):
            found.append(one)
        elif isinstance(one, (list, tuple, set, frozenset)):
            waiting.extend(one)
        elif isinstance(one, dict):
            waiting.extend(one.values())
    found.reverse()
    return found


def _filled(obj: Any, values: Mapping[str, Any]) -> Any:
    """Containers with values in the places of futures; those without a value are left out."""
    if isinstance(obj, Future):
        return values.get(key_text(obj.key))
    kind = type(obj)
    if isinstance(obj, dict):
        return {
            key: _filled(value, values) for key, value in obj.items() if not _missing(value, values)
        }
    if isinstance(obj, (list, tuple, set, frozenset)):
        items = [_filled(item, values) for item in obj if not _missing(item, values)]
        return kind(*items) if hasattr(kind, "_fields") else kind(items)
    return obj


def _missing(obj: Any, values: Mapping[str, Any]) -> bool:
    return isinstance(obj, Future) and key_text(obj.key) not in values


def _data_key(value: Any, by_content: bool) -> str:
    name = type(value).__name__
    if not by_content:
        return f"{name}-{uuid.uuid4().hex}"
    from samite.tokenize import tokenize

    return f"{name}-{tokenize(value)}"


def _named_datasets(args: tuple[Any, ...], name: Any, kwargs: dict[str, Any]) -> dict[Any, Any]:
    if name is not None:
        if not args or kwargs:
            raise ValueError(
                "If name is provided, expecting call signature like publish_dataset(df, name='ds')"
            )
        return {name: args[0] if len(args) == 1 else args}
    if args and (len(args) > 1 or not isinstance(args[0], dict)):
        raise ValueError(
            "If name is omitted, positional argument must be a single dict of data sets by name"
        )
    return {**(args[0] if args else {}), **kwargs}


# Names may be any key: other than text they travel as a pickle in text.
_MARK = "\0"


def _name_text(name: Any) -> str:
    if isinstance(name, str):
        return name
    import base64

    from samite.distributed._calls import dump_bytes

    return _MARK + base64.b64encode(dump_bytes(name)).decode()


def _name_of_text(text: str) -> Any:
    if not text.startswith(_MARK):
        return text
    import base64

    from samite.distributed._calls import load_bytes

    return load_bytes(base64.b64decode(text[1:]))


def _dumped_tree(value: Any, dump: Any) -> Any:
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _dumped_tree(item, dump) for key, item in value.items()}
    return dump(value)


def _loaded_tree(tree: Any, load: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _loaded_tree(item, load) for key, item in tree.items()}
    return load(tree) if isinstance(tree, (bytes, bytearray, memoryview)) else tree
