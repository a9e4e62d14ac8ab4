"""Plugins: objects that workers set up when they start, and tear down when they end."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

__all__ = [
    "CondaInstall",
    "Environ",
    "ForwardLogging",
    "ForwardOutput",
    "InstallPlugin",
    "NannyPlugin",
    "PipInstall",
    "SchedulerPlugin",
    "SetupCallback",
    "UploadDirectory",
    "UploadFile",
    "WorkerPlugin",
]

logger = logging.getLogger("samite.distributed")


class SchedulerPlugin:
    """Base of plugins of a scheduler, which live in the process that started it.

    The scheduler is no Python program: methods are called on a thread of their own, soon after what
    they tell of, and nothing that they do or raise holds it up.

    Attributes
    ----------
    idempotent:
        Whether it is left out where there is one of the same name; it replaces that otherwise.
    """

    idempotent = False

    async def start(self, scheduler: Any) -> None:
        """Called when it is added."""

    async def before_close(self) -> None:
        """Called when the scheduler is about to end."""

    async def close(self) -> None:
        """Called when it is removed, or the scheduler ends."""

    def add_worker(self, scheduler: Any, worker: str) -> Any:
        """Called when a worker has come, with its address."""

    def remove_worker(self, scheduler: Any, worker: str, *, stimulus_id: str, **kwargs: Any) -> Any:
        """Called when a worker has left or was lost, with its address."""

    def transition(
        self, key: Any, start: str, finish: str, *args: Any, stimulus_id: str, **kwargs: Any
    ) -> None:
        """Called for each task that ran, once that is over: from ``"waiting"`` to ``"processing"``,
        then to ``"memory"`` or ``"erred"``, with ``worker=`` and, the second time,
        ``startstops=``."""

    def restart(self, scheduler: Any) -> None:
        """Called when a client has restarted the cluster."""


class WorkerPlugin:
    """Base of plugins of workers.

    Attributes
    ----------
    idempotent:
        Whether it is left out on workers where there is one of the same name; it replaces that
        otherwise.

    Examples
    --------
    >>> class Count(WorkerPlugin):
    ...     def setup(self, worker):
    ...         worker.count = 0
    """

    idempotent = False

    def setup(self, worker: Any) -> Any:
        """Called on each worker when it starts, or the plugin is registered."""

    def teardown(self, worker: Any) -> Any:
        """Called when the worker ends, or the plugin is unregistered."""

    def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
        """Never called: the states of tasks are the engine's."""


class NannyPlugin:
    """Base of plugins of the processes that watch workers.

    Attributes
    ----------
    restart:
        Whether the worker is restarted once it is set up.
    idempotent:
        Whether it is left out where there is one of the same name; it replaces that otherwise.
    """

    restart = False
    idempotent = False

    def setup(self, nanny: Any) -> Any:
        """Called on each nanny when it starts, or the plugin is registered."""

    def teardown(self, nanny: Any) -> Any:
        """Called when it ends, or the plugin is unregistered."""


def kind_of(plugin: Any) -> str:
    """``"worker"``, ``"nanny"`` or ``"scheduler"``.

    Raises
    ------
    TypeError
        If it is no plugin.
    """
    if isinstance(plugin, type):
        raise TypeError(f"register_plugin takes an instance, not a class: {plugin.__name__}(...)")
    if isinstance(plugin, NannyPlugin):
        return "nanny"
    if isinstance(plugin, SchedulerPlugin):
        return "scheduler"
    if isinstance(plugin, WorkerPlugin):
        return "worker"
    raise TypeError(
        "register_plugin takes a WorkerPlugin, NannyPlugin or SchedulerPlugin, not "
        f"{type(plugin).__name__}"
    )


def name_of(plugin: Any) -> str:
    """How a plugin is called."""
    name = getattr(plugin, "name", None)
    if name:
        return str(name)
    return f"{type(plugin).__name__}-{uuid.uuid4().hex}"


def hears_transitions(plugin: Any) -> bool:
    """Whether a plugin of workers wants to hear of the states of tasks."""
    return getattr(type(plugin), "transition", None) is not WorkerPlugin.transition


# ---- on workers ---------------------------------------------------------------------------------


def set_up(plugin: Any, name: str) -> None:
    """Set a plugin up on the worker that is called."""
    from samite.distributed._current import get_worker

    get_worker()._add_plugin(plugin, name)


def tear_down(name: str) -> None:
    """Tear a plugin down on the worker that is called."""
    from samite.distributed._current import get_worker

    get_worker()._remove_plugin(name)


# ---- plugins ------------------------------------------------------------------------------------


class SetupCallback(WorkerPlugin):
    """Calls a function on each worker; it may have a parameter ``dask_worker``."""

    def __init__(self, function: Callable[..., Any] | None) -> None:
        self.function = function
        self.name = f"setup-{getattr(function, '__qualname__', function)}"

    def setup(self, worker: Any) -> None:
        """Call it."""
        if self.function is not None:
            from samite.distributed._calls import call_function

            call_function(self.function, (), {})


class Environ(NannyPlugin):
    """Environment variables for workers, whose processes are restarted to have them."""

    restart = True

    def __init__(self, environ: dict[str, Any] | None = None) -> None:
        self.environ = {name: str(value) for name, value in (environ or {}).items()}
        self.name = "environ"

    def setup(self, nanny: Any) -> None:
        """Add them."""
        nanny.env.update(self.environ)


class UploadFile(WorkerPlugin):
    """Sends a module or an archive of modules to workers.

    Parameters
    ----------
    filepath:
        The file.
    load:
        Whether it is imported at once.
    """

    def __init__(self, filepath: str | os.PathLike[str], load: bool = True) -> None:
        self.filename = os.path.basename(os.fspath(filepath))
        self.load = load
        self.name = f"upload-file-{self.filename}"
        with open(filepath, "rb") as file:
            self.data = file.read()

    def setup(self, worker: Any) -> None:
        """Write the file, and import it."""
        # Workers of one process share its modules and the folders where they are found.
        with _uploading:
            self._import(worker)

    def _import(self, worker: Any) -> None:
        import importlib

        folder = folder_for_uploads(worker)
        path = os.path.join(folder, self.filename)
        with open(path, "wb") as file:
            file.write(self.data)
        stem, suffix = os.path.splitext(self.filename)
        # What was sent last is found first.
        first = path if suffix in (".egg", ".zip", ".pyz") else folder
        if first in sys.path:
            sys.path.remove(first)
        sys.path.insert(0, first)
        importlib.invalidate_caches()
        sys.path_importer_cache.pop(path, None)
        if self.load and suffix in (".py", ".pyc", ".egg", ".zip", ".pyz"):
            for name in _modules_in(path, stem, suffix):
                if name in sys.modules:
                    importlib.reload(sys.modules[name])
                else:
                    importlib.import_module(name)


def _modules_in(path: str, stem: str, suffix: str) -> list[str]:
    if suffix in (".py", ".pyc"):
        return [stem]
    import pkgutil

    return [module.name for module in pkgutil.iter_modules([path])]


def folder_for_uploads(worker: Any) -> str:
    """A folder of this process in which modules are found."""
    import atexit
    import tempfile

    folder = _folders.get(os.getpid())
    if folder is None:
        # A folder that is made for a worker goes with it, and others of the process stay.
        parent = worker.given_directory
        if parent is not None:
            os.makedirs(parent, exist_ok=True)
        folder = _folders[os.getpid()] = tempfile.mkdtemp(prefix="samite-uploads-", dir=parent)
        atexit.register(remove_uploads)
        sys.path.insert(0, folder)
    return folder


def remove_uploads() -> None:
    """Remove the folder; for processes that end without Python's own clean-up, too."""
    import shutil

    folder = _folders.pop(os.getpid(), None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


_folders: dict[int, str] = {}
_uploading = threading.Lock()


class UploadDirectory(WorkerPlugin):
    """Sends a folder to workers.

    Parameters
    ----------
    path:
        The folder.
    restart_workers:
        Whether workers are restarted afterwards.
    update_path:
        Whether modules are found in it.
    skip_words:
        Parts of paths that are left out, such as ``".git"``.
    skip:
        Functions of a path that tell whether it is left out.
    mode:
        ``"workers"``: the scheduler has no Python that would look into a folder.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    NotImplementedError
        For the modes ``"all"`` and ``"scheduler"``.
    ValueError
        For another mode.
    """

    def __init__(
        self,
        path: str,
        restart_workers: bool = False,
        update_path: bool = False,
        skip_words: Any = (".git", ".github", ".pytest_cache", "tests", "docs"),
        skip: Any = (lambda path: os.path.splitext(path)[1] == ".pyc",),
        mode: str = "workers",
    ) -> None:
        import io
        import zipfile

        if mode not in ("all", "workers", "scheduler"):
            raise ValueError(
                f"UploadDirectory: mode is 'all', 'workers' or 'scheduler', not {mode!r}"
            )
        if mode != "workers":
            raise NotImplementedError(
                f"UploadDirectory(mode={mode!r}): the scheduler has no Python; use mode='workers'"
            )
        path = os.path.abspath(os.path.expanduser(path))
        if not os.path.isdir(path):
            raise FileNotFoundError(f"UploadDirectory: there is no folder {path}")
        self.restart_workers = restart_workers
        self.update_path = update_path
        self.name = f"upload-directory-{os.path.basename(path)}"
        self.folder = os.path.basename(path)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for parent, _, files in os.walk(path):
                for file in files:
                    full = os.path.join(parent, file)
                    relative = os.path.relpath(full, os.path.dirname(path))
                    if any(word in relative.split(os.sep) for word in skip_words):
                        continue
                    if any(predicate(full) for predicate in skip):
                        continue
                    archive.write(full, relative)
        self.data = buffer.getvalue()

    def setup(self, worker: Any) -> None:
        """Unpack it."""
        import io
        import zipfile

        root = folder_for_uploads(worker)
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            archive.extractall(root)
        if self.update_path:
            path = os.path.join(root, self.folder)
            if path not in sys.path:
                sys.path.insert(0, path)


class InstallPlugin(WorkerPlugin):
    """Calls a function that installs something, once a machine.

    Parameters
    ----------
    install_fn:
        The function, without arguments.
    restart_workers:
        Whether workers are restarted afterwards.
    """

    def __init__(self, install_fn: Callable[[], Any], restart_workers: bool = False) -> None:
        self.install_fn = install_fn
        self.restart_workers = restart_workers
        self.name = f"install-{getattr(install_fn, '__qualname__', uuid.uuid4().hex)}"

    def setup(self, worker: Any) -> None:
        """Install it."""
        self.install_fn()


class _Command:
    """Runs an installer, one at a time on a machine."""

    def __init__(self, command: list[str], packages: list[str], options: list[str]) -> None:
        self.command = command
        self.packages = packages
        self.options = options
        self.__qualname__ = " ".join([command[-1], *packages])

    def __call__(self) -> None:
        import fcntl
        import tempfile

        with open(
            os.path.join(tempfile.gettempdir(), f"samite-install-{os.getuid()}"), "w"
        ) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            command = [sys.executable if part == "python" else part for part in self.command]
            done = subprocess.run(
                [*command, *self.options, *self.packages], capture_output=True, text=True
            )
        if done.returncode:
            raise RuntimeError(f"installing {self.packages} failed: {done.stderr.strip()}")


class PipInstall(InstallPlugin):
    """Installs packages on workers with pip.

    Parameters
    ----------
    packages:
        As pip takes them.
    pip_options:
        More options for pip.
    restart_workers:
        Whether workers are restarted afterwards.
    """

    def __init__(
        self,
        packages: list[str],
        pip_options: list[str] | None = None,
        restart_workers: bool = False,
    ) -> None:
        command = ["python", "-m", "pip", "install"]
        super().__init__(_Command(command, packages, pip_options or []), restart_workers)
        self.packages = packages
        self.name = f"pip-install-{'-'.join(packages)}"


class CondaInstall(InstallPlugin):
    """Installs packages on workers with conda, where workers run in an environment of it.

    Parameters
    ----------
    packages:
        As conda takes them.
    conda_options:
        More options for conda.
    restart_workers:
        Whether workers are restarted afterwards.
    """

    def __init__(
        self,
        packages: list[str],
        conda_options: list[str] | None = None,
        restart_workers: bool = False,
    ) -> None:
        command = ["conda", "install", "-y"]
        super().__init__(_Command(command, packages, conda_options or []), restart_workers)
        self.packages = packages
        self.name = f"conda-install-{'-'.join(packages)}"


class ForwardOutput(WorkerPlugin):
    """Shows at clients what tasks print: the standard output and standard error of workers."""

    def __init__(self) -> None:
        self.name = "forward-output"

    def setup(self, worker: Any) -> None:
        """Begin."""
        self.before = sys.stdout, sys.stderr
        sys.stdout = _Forwarding(sys.stdout, worker, 1)
        sys.stderr = _Forwarding(sys.stderr, worker, 2)

    def teardown(self, worker: Any) -> None:
        """End."""
        if isinstance(sys.stdout, _Forwarding) and isinstance(sys.stderr, _Forwarding):
            sys.stdout, sys.stderr = self.before

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name}


class _Forwarding:
    """A stream whose text goes to clients too."""

    def __init__(self, stream: Any, worker: Any, number: int) -> None:
        self.stream = stream
        self.worker = worker
        self.number = number

    def write(self, text: str) -> int:
        """Write here and there."""
        written = self.stream.write(text)
        if text:
            said = {"args": (text,), "end": "", "file": self.number, "pid": os.getpid()}
            # A stream must not fail since nobody can be told.
            with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                self.worker.log_event("print", said)
        return int(written if written is not None else len(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


# ---- logging ------------------------------------------------------------------------------------


def log_topic(name: str) -> str:
    """The topic under which records of a logger are events."""
    return f"forwarded-log-records-{name}"


class ForwardLogging(WorkerPlugin):
    """Makes events of what a logger of workers logs."""

    def __init__(self, logger_name: str | None, level: int) -> None:
        self.logger_name = logger_name
        self.level = level
        self.name = f"forward-logging-{logger_name or 'root'}"
        self.handler: logging.Handler | None = None
        self.level_before = logging.NOTSET

    def setup(self, worker: Any) -> None:
        """Begin."""
        target = logging.getLogger(self.logger_name)
        topic = log_topic(self.logger_name or "root")
        self.handler = _EventHandler(worker, topic, self.level)
        self.level_before = target.level
        if self.level and not target.isEnabledFor(self.level):
            target.setLevel(self.level)
        target.addHandler(self.handler)

    def teardown(self, worker: Any) -> None:
        """End."""
        if self.handler is not None:
            target = logging.getLogger(self.logger_name)
            target.removeHandler(self.handler)
            target.setLevel(self.level_before)
            self.handler = None


class _EventHandler(logging.Handler):
    def __init__(self, worker: Any, topic: str, level: int) -> None:
        super().__init__(level=level)
        self.worker = worker
        self.topic = topic

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, with its message and traceback as text."""
        fields = dict(record.__dict__)
        fields["msg"] = record.getMessage()
        fields["args"] = None
        if fields.get("exc_info"):
            fields["exc_text"] = logging.Formatter().formatException(fields["exc_info"])
            fields["exc_info"] = None
        self.worker.log_event(self.topic, fields)
