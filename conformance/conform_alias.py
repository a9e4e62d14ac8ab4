"""The child side of conform.py: the dask alias, and the pytest hooks that record each outcome.

sitecustomize.py loads this file, as module conform_alias, into every Python below the harness and
calls `activate`; pytest takes it as a plugin too. See conform.py for what the alias does.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import json
import os
import re
import sys
import threading
import time
import types
from pathlib import Path

ORACLE = {  # module: names that are always the wheel's
    "dask.array.utils": {"assert_eq", "assert_eq_shape", "same_keys", "allclose"},
    "dask.bag.utils": {"assert_eq"},
    "dask.dataframe.utils": {
        "assert_eq",
        "assert_eq_dtypes",
        "assert_divisions",
        "assert_max_deps",
        "assert_sane_keynames",
        "assert_dask_graph",
        "assert_dask_dtypes",
    },
    "dask.utils_test": "*",
}
FILL = {  # module: names that are the wheel's where the package has none
    "dask._compatibility": "*",
    "dask._pandas_compat": "*",
    "dask.dataframe._compat": "*",
    "dask.array.numpy_compat": "*",
    "distributed.utils_test": "*",
    "distributed.compatibility": "*",
    "dask.dataframe.utils": {"pyarrow_strings_enabled", "get_string_dtype"},
    "distributed.utils": {"is_valid_xml", "open_port", "tmp_text", "wait_for", "LateLoopEvent"},
    "distributed.system": {"MEMORY_LIMIT"},
    "dask.utils": {"tmpfile", "tmpdir", "tmp_cwd", "filetext", "filetexts", "changed_cwd"},
}
# Modules whose source a wheel helper, never a test, may fall back on.
PURE = {
    "dask.utils",
    "dask.core",
    "dask.typing",
    "dask.array.utils",
    "dask.dataframe.utils",
    "dask.dataframe.methods",
    "dask.dataframe._pyarrow",
}


class State:
    """What the alias and the pytest hooks share; `activate` fills it from $CONFORM."""

    package = asserts = tests = ""
    strict_names = runslow = shim = client = False
    wheel: dict = {}  # "dask", "distributed": the folder in site-packages
    running = False  # is a test, its fixtures included, running?
    touched: list = []  # missing names used since the test, or the collection, began
    began = 0.0  # when the running test began
    relocated: set = set()  # names found in a parent namespace


class MissingName(BaseException):
    """A running test used a name the package lacks. Not an Exception: no `except` hides it."""


class Missing:
    """Stands in for an absent name: absorbs any use while collecting, fails a running test."""

    def __init__(self, path):
        self.__dict__.update(_path=path, __name__=path.rpartition(".")[2])

    def _use(self, *args, **kwargs):
        if State.running:
            State.touched.append(self._path)
            raise MissingName(self._path)
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(f"{self._use()._path}.{name}")

    def __bool__(self):
        return self._use() is None

    def __iter__(self):
        self._use()
        return iter(())

    def __instancecheck__(self, obj):
        return asker() == "test" and self._use() is None

    def __mro_entries__(self, bases):
        return ()

    for _op in (
        "call getitem enter exit contains add radd sub rsub mul rmul truediv rtruediv and "
        "rand or ror invert neg lt le gt ge"
    ).split():
        locals()[f"__{_op}__"] = _use


def asker():
    """Who asks, importlib and this file apart: 'test', 'helper' (wheel source) or None."""
    frame = sys._getframe(1)
    while frame:
        name = frame.f_code.co_filename
        if not (name == __file__ or name.startswith("<frozen") or "/importlib/" in name):
            helper = any(name.startswith(folder) for folder in State.wheel.values())
            test = name.startswith(State.tests) or "/_pytest/config/" in name  # marks' warnings
            return "test" if test else "helper" if helper else None
        frame = frame.f_back
    return None


class Proxy(types.ModuleType):
    """A `dask.*` module: reads go to `Alias.resolve`, writes (monkeypatching) to NAME's module."""

    def __init__(self, name, target):
        super().__init__(name)
        self.__dict__.update(_target=target, _replaced={}, __path__=[])

    def __getattr__(self, attr):
        return Alias.resolve(self, attr)

    def __setattr__(self, attr, value):
        submodule = sys.modules.get(f"{self.__name__}.{attr}") is value  # importlib binds children
        if submodule and hasattr(self._target, attr):
            return
        if attr.startswith("__") or submodule or self._target is None:
            self.__dict__[attr] = value
        else:
            if attr in vars(self._target):  # monkeypatch undoes by deleting what is not in __dict__
                self._replaced.setdefault(attr, vars(self._target)[attr])
            setattr(self._target, attr, value)

    def __delattr__(self, attr):
        if attr in self.__dict__:
            del self.__dict__[attr]
        elif attr in self._replaced:
            setattr(self._target, attr, self._replaced.pop(attr))
        else:
            delattr(self._target, attr)

    def __dir__(self):
        return sorted({*self.__dict__, *dir(self._target)})

    def __reduce__(self):  # functions that are pickled by value take their modules along
        return importlib.import_module, (self.__name__,)


class Alias:
    """The import hook (finder and loader) behind `dask.*` and `distributed.*`."""

    lock = threading.RLock()
    sources: dict = {  # name: module executed from the wheel's source...
        # ...but for this one, whose source needs all of the wheel's dispatch for one small function
        "dask.dataframe.methods": types.SimpleNamespace(tolist=lambda index: index.tolist())
    }

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] not in State.wheel:
            return None
        if re.search(r"\.tests(\.|$)", fullname):  # what tests import from other tests
            file = Path(State.tests, *fullname.split("."))
            if not file.is_dir():
                return importlib.util.spec_from_file_location(fullname, f"{file}.py")
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(file)]
            return spec
        return importlib.machinery.ModuleSpec(
            fullname,
            self,
            loader_state=self.build(fullname),
            # Modules that are run as programs are none, for runpy.
            is_package=not re.search(r"(^|\.)__main__$|\.cli\.", fullname),
        )

    def create_module(self, spec):
        return spec.loader_state

    def exec_module(self, module):
        pass

    def get_code(self, fullname):  # for `python -m dask`
        name = self.counterpart(fullname)
        # It is there already, since its alias was made, and runpy would warn of that.
        run = (
            f"import runpy, sys\nsys.modules.pop({name!r}, None)\n"
            f"runpy.run_module({name!r}, None, '__main__', alter_sys=True)"
        )
        return compile(run, "<conform>", "exec")

    def build(self, fullname):
        if ORACLE.get(fullname) == "*":
            return self.source(fullname)
        target = self.target(fullname)
        if target is None and FILL.get(fullname) != "*" and fullname not in ORACLE:
            who = asker()
            if who is None or (who == "test" and State.running):
                State.touched.append(fullname)
                raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return Proxy(fullname, target)

    @staticmethod
    def counterpart(fullname):
        return re.sub(r"^(dask|(?=distributed))\b\.?", State.package + ".", fullname).rstrip(".")

    @classmethod
    def target(cls, fullname):
        """NAME's counterpart of a module, or None."""
        name = cls.counterpart(fullname)
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and f"{name}.".startswith(f"{error.name}."):
                return None
            raise

    @classmethod
    def source(cls, name):
        """The wheel's module of this name, executed here, with `dask` meaning NAME."""
        with cls.lock:  # a thread that comes meanwhile would see half of the module
            return cls.executed(name)

    @classmethod
    def executed(cls, name):
        if name not in cls.sources:
            root, _, rest = name.partition(".")
            path = Path(State.wheel[root], *rest.split("."))
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            module = cls.sources[name] = types.ModuleType(name)
            module.__dict__.update(__file__=str(path), __package__=name.rpartition(".")[0])
            try:
                exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
            except BaseException:  # whoever comes next would take half of it for the whole
                del cls.sources[name]
                raise
            if name == "distributed.utils_test":  # the wheel has no certificates
                module.certs_dir = str(Path(State.tests, "distributed/tests"))
            if State.client:
                shims().leave_scheduler_open(module)
        return cls.sources[name]

    @classmethod
    def resolve(cls, proxy, attr):
        module, target = proxy.__name__, proxy._target
        full, absent = f"{module}.{attr}", object()
        if module == "distributed.utils_test" and attr in shims().cluster_shim():
            return shims().cluster_shim()[attr]
        if attr in ORACLE.get(module, ()):
            if attr == "assert_eq" and State.asserts == "values":
                return shims().VALUE_ASSERTS.get(module) or getattr(cls.source(module), attr)
            return getattr(cls.source(module), attr)
        value = absent if target is None else getattr(target, attr, absent)
        if isinstance(value, types.ModuleType) and value.__name__.startswith(State.package + "."):
            return importlib.import_module("dask" + value.__name__[len(State.package) :])
        if value is not absent:
            return value
        who, names = asker(), FILL.get(module, ())
        if who is None or attr.startswith("__"):
            # A pickle of a helper is loaded by nobody that could be asked.
            if module == "distributed.utils_test" and not attr.startswith("__"):
                value = getattr(cls.source(module), attr, absent)
                if value is not absent:
                    return value
            raise AttributeError(f"module {module!r} has no attribute {attr!r}")
        if names == "*" or attr in names or (who == "helper" and module in PURE):
            value = getattr(cls.source(module), attr, absent)
            if value is not absent:
                return value
        if (
            cls.target(full) is not None
            or FILL.get(full) == "*"
            or full in ORACLE
            or (who == "helper" and full in PURE)
        ):
            return importlib.import_module(full)
        while not State.strict_names and "." in module:
            module = module.rpartition(".")[0]
            value = getattr(cls.target(module), attr, None)
            if value is not None and not isinstance(value, types.ModuleType):
                State.relocated.add(full)
                return value
        if who == "helper" or not State.running:
            return Missing(full)
        State.touched.append(full)
        raise AttributeError(f"module {proxy.__name__!r} has no attribute {attr!r}")


# ---- in the pytest processes --------------------------------------------------------------------


def activate():
    """Called by sitecustomize.py in every Python below the harness."""
    for key, value in json.loads(os.environ["CONFORM"]).items():
        setattr(State, key, value)
    if State.package != "dask":
        sys.meta_path.insert(0, Alias())


def shims():
    return load("conform_shims", Path(__file__).with_name("conform_shims.py"))


def load(name, path):
    """A module of the harness; threads of workers that come together see it whole."""
    if name not in sys.modules:
        with LOADING:
            if name not in sys.modules:
                spec = importlib.util.spec_from_file_location(name, path)
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                sys.modules[name] = module
    return sys.modules[name]


LOADING = threading.Lock()


def record(**entry):
    with open(Path(os.environ["CONFORM_FOLDER"], "log.jsonl"), "a") as log:
        log.write(json.dumps(entry) + "\n")


def listed(name):
    """The items in a file of the run's folder, or None: too many for the environment."""
    path = Path(os.environ["CONFORM_FOLDER"], name)
    return set(json.loads(path.read_text())) if path.exists() else None


def fixtures(path):
    names = {"__name__": "conftest", "__file__": path}
    try:
        exec(compile(Path(path).read_text(), path, "exec"), names)
    except Exception as error:
        record(conftest=repr(error))
    return {name: value for name, value in names.items() if not name.startswith("__")}


def reason(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    parts = report.longrepr if isinstance(report.longrepr, tuple) else [str(report.longrepr)]
    return " ".join((crash.message if crash else parts[-1]).split())[:300]


def pytest_configure(config):
    if State.package != "dask":
        return
    if State.asserts == "values":
        for module, function in shims().VALUE_ASSERTS.items():
            importlib.import_module(module).assert_eq = function
    if any("distributed" in arg for arg in config.args):
        for folder in Path(State.tests, "distributed").rglob("tests"):  # what tests import of tests
            package = ".".join(folder.parent.relative_to(State.tests).parts)
            importlib.import_module(package).__path__.append(str(folder.parent))
        helpers = importlib.import_module("distributed.utils_test")
        helpers.certs_dir = str(Path(State.tests, "distributed/tests"))
        helpers.__dict__.update(shims().cluster_shim() if State.shim else {})


def pytest_collection_modifyitems(items):
    done, only = listed("done.json"), listed("only.json")
    items[:] = [
        item for item in items if item.nodeid not in done and (only is None or item.nodeid in only)
    ]
    for item in items:  # the name by which tests, and what they pickle, know the module
        name = item.nodeid.partition("::")[0].removesuffix(".py").replace("/", ".")
        sys.modules.setdefault(name, item.module)
        for mark in item.iter_markers("filterwarnings"):  # an unknown category would end the run
            object.__setattr__(mark, "args", tuple(filter(known_warning, mark.args)))


def pytest_collection_finish(session):
    record(collected=[item.nodeid for item in session.items])
    if State.client and session.items:
        shims().start_client(importlib.import_module(f"{State.package}.distributed"))


def known_warning(text):
    from _pytest.config import parse_warning_filter

    try:
        return bool(parse_warning_filter(str(text), escape=False))
    except Exception:
        return False


def pytest_collectreport(report):
    if report.outcome != "passed":
        record(
            id=report.nodeid,
            outcome="error" if report.failed else "skipped",
            reason=f"collection: {reason(report)}",
            missing=sorted(set(State.touched)),
        )


def pytest_runtest_logstart(nodeid):
    State.touched, State.result, State.began = [], ("passed", ""), time.time()
    record(start=nodeid)


def pytest_runtest_setup(item):  # after pytest's own skip marks, before the fixtures
    import pytest

    unwanted = {"array_expr", "network", "gpu"} | ({"slow"} if not State.runslow else set())
    if unwanted & set(item.keywords):
        pytest.skip(f"conform leaves out {unwanted & set(item.keywords)}")
    State.running = True


def pytest_runtest_logreport(report):
    outcome = {"failed": "failed" if report.when == "call" else "error"}.get(
        report.outcome, report.outcome
    )
    if hasattr(report, "wasxfail"):
        outcome = "xfailed" if report.skipped else "xpassed"
    if outcome != "passed" and State.result[0] in ("passed", "xpassed"):
        State.result = outcome, reason(report)


def pytest_runtest_logfinish(nodeid):
    State.running = False
    outcome, why = State.result
    record(
        id=nodeid,
        outcome=outcome,
        reason=why,
        seconds=round(time.time() - State.began, 2),
        missing=sorted(set(State.touched)) if outcome != "passed" else [],
    )


def pytest_sessionfinish():
    if State.client:
        shims().stop_client()
    files = {
        name: getattr(module, "__file__", None) or "" for name, module in list(sys.modules.items())
    }
    record(
        end=True,
        relocated=sorted(State.relocated),
        leaks=[
            name
            for name, file in files.items()
            if State.package != "dask"
            and name not in Alias.sources
            and file.startswith(State.wheel["dask"])
        ],
    )
