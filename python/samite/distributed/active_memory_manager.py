"""Copies of results that workers hold: which are made, and which are dropped.

Every ``distributed.scheduler.active-memory-manager.interval`` the scheduler asks its *policies*
what to do. The one that is there by default, :class:`ReduceReplicas`, drops copies which tasks have
made by reading a result and which no task is going to read any more.

Where a policy runs
-------------------
:class:`ReduceReplicas` is the engine's own: it runs in the scheduler, without Python, and looks
only at results that are on several workers. Other policies are Python objects, named by the setting
``distributed.scheduler.active-memory-manager.policies``. They run in the process of the
:class:`Scheduler` object (the one that made the :class:`LocalCluster`, or ``samite scheduler``), on
a thread of their own, beside the scheduler and not in it: at each run they get a picture of all
workers and results, and what they suggest is carried out afterwards, where it still makes sense.
The picture is made of all results that exist, so that it takes time in proportion to their number.

A result that clients scattered to several workers stays on all of them, and one for which
:meth:`Client.replicate` was called on as many as it asked for.
"""

from __future__ import annotations

import abc
import importlib
import logging
import threading
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from samite import config

if TYPE_CHECKING:
    from samite.distributed._memory_views import ClusterView, ResultView, WorkerOfView

__all__ = [
    "AMMClientProxy",
    "ActiveMemoryManagerExtension",
    "ActiveMemoryManagerPolicy",
    "ReduceReplicas",
    "RetireWorker",
    "Suggestion",
]

logger = logging.getLogger("samite.distributed.active_memory_manager")

_SETTINGS = "distributed.scheduler.active-memory-manager"


class Suggestion(NamedTuple):
    """What a policy wants done with one copy of a result.

    Attributes
    ----------
    op:
        ``"replicate"`` or ``"drop"``.
    ts:
        The result.
    candidates:
        The workers of which one is chosen; None for all.
    """

    op: str
    ts: ResultView
    candidates: set[WorkerOfView] | None = None


SuggestionGenerator: TypeAlias = Generator[Suggestion, "WorkerOfView | None", None]


class ActiveMemoryManagerPolicy(abc.ABC):
    """What the manager asks for suggestions. Subclass it, and name the class in the setting
    ``distributed.scheduler.active-memory-manager.policies``::

        policies:
          - class: samite.distributed.active_memory_manager.ReduceReplicas
          - class: mymodule.MyPolicy
            option: 3  # an argument of MyPolicy

    Policies other than :class:`ReduceReplicas` run in the process of the :class:`Scheduler` object,
    on a thread beside the scheduler.

    Attributes
    ----------
    manager:
        The manager that runs it: `manager.scheduler` has ``workers``, ``tasks``, ``running`` and
        ``replicated_tasks`` as they were when the run began, `manager.pending` what was chosen so
        far in this run, and `manager.workers_memory` the bytes of each worker with all of that
        done.
    """

    manager: ActiveMemoryManagerExtension

    @abc.abstractmethod
    def run(self) -> SuggestionGenerator:
        """Yield suggestions: ``("replicate", ts)``, ``("drop", ts)``, or the same with a set of
        workers as the third element. What ``yield`` returns is the worker that was chosen, or None
        where nothing is done: a last copy is never dropped, nor one that a task of its worker is
        about to read.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ReduceReplicas(ActiveMemoryManagerPolicy):
    """Drop copies that nobody needs any more.

    One is kept, and one more for each worker, or task without a worker, that reads the result yet.
    The scheduler itself does so without Python; this class is for managers of one's own, and to be
    subclassed.
    """

    def run(self) -> SuggestionGenerator:
        """Suggest to drop what is too much."""
        for ts in self.manager.scheduler.replicated_tasks:
            readers = {waiter.processing_on or waiter for waiter in ts.waiters}
            surplus = len(ts.who_has) - max(1, len(readers))
            if ts in self.manager.pending:
                copied, dropped = self.manager.pending[ts]
                surplus += len(copied) - len(dropped)
            for _ in range(surplus):
                yield Suggestion("drop", ts)


class RetireWorker(ActiveMemoryManagerPolicy):
    """Copy elsewhere what only one worker holds, so that it can leave.

    :meth:`Client.retire_workers` does not need it: the scheduler copies what leaving workers hold
    by itself, at once. It is for managers of one's own.

    Parameters
    ----------
    address:
        The worker.

    Attributes
    ----------
    no_recipients:
        Whether there was no worker that could take a result.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.no_recipients = False

    def __repr__(self) -> str:
        return f"RetireWorker({self.address!r})"

    def run(self) -> SuggestionGenerator:
        """Suggest to drop what others have, and to copy the rest."""
        scheduler = self.manager.scheduler
        worker = scheduler.workers.get(self.address)
        if worker is None:
            self.manager.policies.discard(self)
            return
        moved = refused = 0
        for ts in worker.has_what:
            if len(ts.who_has) > 1:
                dropped = yield Suggestion("drop", ts, {worker})
                if dropped is not None or (ts.who_has - {worker}) & scheduler.running:
                    continue
            moved += 1
            if ts not in self.manager.pending or not self.manager.pending[ts][0]:
                others = scheduler.running - {worker}
                if (yield Suggestion("replicate", ts, others)) is None:
                    refused += 1
        if refused:
            self.no_recipients = True
            logger.warning(
                "The worker %s holds %s results that no other worker can take",
                self.address,
                refused,
            )
        if refused or not moved:
            self.manager.policies.discard(self)

    def done(self) -> bool:
        """Whether nothing is left that only this worker holds, or nothing can be done about it."""
        if self not in self.manager.policies:
            return True
        worker = self.manager.look().workers.get(self.address)
        return worker is None or all(len(ts.who_has) > 1 for ts in worker.has_what)


class ActiveMemoryManagerExtension:
    """Runs policies on a scheduler of this process.

    A scheduler makes one by itself where the settings name policies other than
    :class:`ReduceReplicas`. One of one's own runs when :meth:`run_once` is called, or by itself
    after :meth:`start`.

    Parameters
    ----------
    scheduler:
        The :class:`Scheduler`.
    policies:
        What to ask; by default what the setting ``policies`` names.
    measure:
        What counts as the memory of a worker: ``"process"``, ``"optimistic"``, ``"managed"``,
        ``"managed_total"``, ``"spilled"``, ``"unmanaged"``, ``"unmanaged_old"`` or
        ``"unmanaged_recent"``.
    register:
        Whether it runs whenever the scheduler's own manager does (``Client.amm``), in its process.
    start:
        Whether it runs by itself at once; by default as the setting ``start`` says. A registered
        one leaves that to the scheduler.
    interval:
        Seconds between runs.

    Raises
    ------
    TypeError
        If a policy is none.
    ValueError
        If there is no such measure.
    """

    def __init__(
        self,
        scheduler: Any,
        policies: Iterable[ActiveMemoryManagerPolicy] | None = None,
        *,
        measure: str | None = None,
        register: bool = True,
        start: bool | None = None,
        interval: Any = None,
    ) -> None:
        from samite.distributed._settings import memory_manager
        from samite.utils import parse_timedelta

        known = memory_manager()
        if measure is not None:
            with config.set({f"{_SETTINGS}.measure": measure}):
                known["measure"] = memory_manager()["measure"]
        self._ask: Callable[[str, dict[str, Any]], Any] = scheduler._ask
        self.measure: str = known["measure"]
        self.interval = known["interval"] if interval is None else parse_timedelta(interval)
        self.policies: set[ActiveMemoryManagerPolicy] = set()
        for policy in policies_of_settings() if policies is None else policies:
            self.add_policy(policy)
        self.scheduler: ClusterView = None  # type: ignore[assignment]
        self.pending: dict[ResultView, tuple[set[WorkerOfView], set[WorkerOfView]]] = {}
        self.workers_memory: dict[WorkerOfView, int] = {}
        self._running = threading.Lock()
        self._stopped: threading.Event | None = None
        self._registered = _Registered(self, scheduler) if register else None
        if start is None:
            start = known["start"]
        if start and not register:
            self.start()

    # ---- life -----------------------------------------------------------------------------------

    def add_policy(self, policy: ActiveMemoryManagerPolicy) -> None:
        """Ask one more.

        Raises
        ------
        TypeError
            If it is no policy.
        """
        if not isinstance(policy, ActiveMemoryManagerPolicy):
            raise TypeError(f"Expected ActiveMemoryManagerPolicy; got {policy!r}")
        self.policies.add(policy)
        policy.manager = self

    @property
    def running(self) -> bool:
        """Whether it runs by itself."""
        if self._registered is not None:
            return bool(self._ask("amm", {"method": "running"}))
        return self._stopped is not None

    def start(self) -> None:
        """Run by itself from now on; again does nothing."""
        if self._registered is not None:
            self._ask("amm", {"method": "start"})
        elif self._stopped is None:
            self._stopped = stopped = threading.Event()
            threading.Thread(
                target=self._run_now_and_then, args=(stopped,), name="samite-memory", daemon=True
            ).start()

    def stop(self) -> None:
        """Run by itself no more."""
        if self._registered is not None:
            self._ask("amm", {"method": "stop"})
        elif self._stopped is not None:
            self._stopped.set()
            self._stopped = None

    def _close(self) -> None:
        """Run no more, in any way."""
        if self._registered is not None:
            self._registered.close()
        elif self._stopped is not None:
            self.stop()

    def _run_now_and_then(self, stopped: threading.Event) -> None:
        while not stopped.wait(self.interval):
            try:
                self.run_once()
            except (OSError, RuntimeError, TimeoutError):
                # The scheduler is gone, or too busy to tell what there is.
                if stopped.is_set():
                    return
                logger.warning("The memory manager could not run", exc_info=True)

    # ---- runs -----------------------------------------------------------------------------------

    def look(self) -> ClusterView:
        """The workers and results that there are now."""
        from samite.distributed._memory_views import ClusterView

        return ClusterView(self._ask("amm_state", {}))

    def run_once(self) -> None:
        """Ask all policies, and have done what they suggest.

        A policy that raises is logged, and the others are asked nevertheless.
        """
        with self._running:
            self.scheduler = self.look()
            self.pending = {}
            self.workers_memory = {
                worker: getattr(worker.memory, self.measure)
                for worker in self.scheduler.workers.values()
            }
            for policy in list(self.policies):
                try:
                    self._ask_policy(policy)
                except Exception:
                    logger.exception("The policy %r failed", policy)
            self._enact()

    def _ask_policy(self, policy: ActiveMemoryManagerPolicy) -> None:
        suggestions = policy.run()
        chosen: WorkerOfView | None = None
        while True:
            try:
                suggestion = Suggestion(*suggestions.send(chosen))
            except StopIteration:
                return
            if suggestion.op not in ("replicate", "drop"):
                raise ValueError(f"a policy suggests 'replicate' or 'drop', not {suggestion.op!r}")
            copied, dropped = self.pending.get(suggestion.ts) or (set(), set())
            if suggestion.op == "replicate":
                chosen = self._find_recipient(suggestion, copied)
                if chosen is not None:
                    copied.add(chosen)
                    self.workers_memory[chosen] += suggestion.ts.nbytes
            else:
                chosen = self._find_dropper(suggestion, dropped)
                if chosen is not None:
                    dropped.add(chosen)
                    left = self.workers_memory[chosen] - suggestion.ts.nbytes
                    self.workers_memory[chosen] = max(0, left)
            if chosen is not None:
                self.pending[suggestion.ts] = copied, dropped

    def _find_recipient(
        self, suggestion: Suggestion, copied: set[WorkerOfView]
    ) -> WorkerOfView | None:
        """The worker with the least memory in use that can take a copy."""
        able = set(self.scheduler.running)
        if suggestion.candidates is not None:
            able &= suggestion.candidates
        able -= suggestion.ts.who_has
        able -= copied
        return min(able, key=lambda one: (self.workers_memory[one], one.address), default=None)

    def _find_dropper(
        self, suggestion: Suggestion, dropped: set[WorkerOfView]
    ) -> WorkerOfView | None:
        """The worker with the most memory in use that can do without its copy; those first that
        take no more tasks."""
        ts = suggestion.ts
        if len(ts.who_has) - len(dropped) < 2:
            return None
        readers = {waiter.processing_on for waiter in ts.waiters}
        able = set(ts.who_has) - dropped
        if suggestion.candidates is not None:
            able &= suggestion.candidates
        needed, able = able & readers, able - readers
        if not able:
            return None
        running = self.scheduler.running
        chosen = max(
            able, key=lambda one: (one not in running, self.workers_memory[one], one.address)
        )
        # The copies of workers that leave soon are not counted on.
        if chosen in running and not (set(ts.who_has) - dropped - {chosen}) & running and needed:
            return None
        return chosen

    def _enact(self) -> None:
        wanted: dict[str, list[list[int]]] = {"replicate": [], "drop": []}
        for ts, (copied, dropped) in self.pending.items():
            for name, workers in (("replicate", copied), ("drop", dropped)):
                wanted[name] += [[*ts.id, worker.id] for worker in workers]
        if any(wanted.values()):
            self._ask("amm_enact", wanted)


class _Registered:
    """What runs a manager whenever the scheduler says so, on a thread of its own."""

    def __init__(self, manager: ActiveMemoryManagerExtension, scheduler: Any) -> None:
        import queue

        self._manager = manager
        self._runs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        # Its own connection: it is told of runs, and asks, under its number.
        self._engine = scheduler._make_asker("memory-manager")
        manager._ask = lambda name, arguments: self._engine.request(name, arguments, 30.0)
        topic = manager._ask("amm_manage", {})
        # Called on a thread of the engine's, on which nothing may be asked.
        self._engine.subscribe(topic, lambda event: self._runs.put(event["run"]))
        self._thread = threading.Thread(target=self._work, name="samite-memory", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (run := self._runs.get()) is not None:
            try:
                self._manager.run_once()
            except Exception:
                if self._engine.closed:
                    return
                logger.exception("The memory manager could not run")
            try:
                self._manager._ask("amm_done", {"run": run})
            except (OSError, RuntimeError, TimeoutError):
                return  # The scheduler is gone.

    def close(self) -> None:
        """Run no more, and end the connection."""
        self._runs.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join(5.0)
        self._engine.close(1.0)


def policies_of_settings() -> list[ActiveMemoryManagerPolicy]:
    """The policies that the settings name.

    Raises
    ------
    ImportError, AttributeError
        If there is no such class.
    TypeError
        If it is no policy, or does not take its arguments.
    ValueError
        If the setting is no list of those.
    """
    name = f"{_SETTINGS}.policies"
    found = []
    for entry in config.get(name, None) or []:
        if not isinstance(entry, dict) or not isinstance(entry.get("class"), str):
            raise ValueError(
                f"{name} is a list of mappings with the name of a class under 'class', and its "
                f"arguments; {entry!r} is none"
            )
        arguments = {key: value for key, value in entry.items() if key != "class"}
        module, _, term = entry["class"].rpartition(".")
        if module == "distributed.active_memory_manager":
            module = __name__
        policy = getattr(importlib.import_module(module), term)(**arguments)
        if not isinstance(policy, ActiveMemoryManagerPolicy):
            raise TypeError(f"Expected ActiveMemoryManagerPolicy; got {policy!r}")
        found.append(policy)
    return found


class AMMClientProxy:
    """The memory manager of a client's scheduler. On an asynchronous client all is to be
    awaited."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def _run(self, method: str) -> Any:
        return self._client._run(self._client._request("amm", {"method": method}))

    def start(self) -> Any:
        """Let it run by itself, every ``distributed.scheduler.active-memory-manager.interval``."""
        return self._run("start")

    def stop(self) -> Any:
        """Let it run no more by itself."""
        return self._run("stop")

    def running(self) -> Any:
        """Whether it runs by itself."""
        return self._run("running")

    def run_once(self) -> Any:
        """Run it now; returns when what policies suggest is on its way to the workers.

        Raises
        ------
        TimeoutError
            If policies of one's own take longer than 30 seconds.
        """
        return self._run("run_once")

    def __repr__(self) -> str:
        return f"<AMMClientProxy of {self._client.scheduler_address!r}>"
