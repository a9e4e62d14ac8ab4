#!/usr/bin/env python3
"""Run Dask's own tests against a package that mirrors dask's namespace.

    python conform.py --package samite --suite delayed --baseline baseline/delayed.txt
    python conform.py --package samite --suite core --modules test_config --path ../python
    python conform.py --package dask --suite core --json dask-core.json     # a new baseline

The tests are copied, at run time, out of the installed dask wheel into a scratch folder; nothing
of Dask is stored here. Each test module runs in a pytest of its own, `--jobs` of them at a time, in
which dask and distributed are aliases:

    dask.array.core -> NAME.array.core          distributed.client -> NAME.distributed.client

A name is looked for in this order (conform_alias.Alias.resolve):
  1. ORACLE   helpers that give the verdict (assert_eq...) are never the tested package's own:
              they are loaded from the wheel's source, and themselves see NAME as `dask`;
  2. NAME     the mirrored module's attribute or submodule;
  3. FILL     helpers with no behaviour under test (tmpfile, PANDAS_GE_300...): the wheel's;
  4. parents  dask.array.core.Array is taken from NAME.array, then NAME (--strict-names: never);
  5. Missing  while a module is collected, a stand-in that absorbs every use; once a test runs,
              touching it fails that test alone, and the report names what was missing.

A sitecustomize.py on PYTHONPATH sets the alias, so the processes that tests start have it too.
With --package dask there is no alias. --baseline scores a run over the items that passed there:
skipped and absent items count as failed. A module whose process dies or hangs is resumed after
the item that was running.

The child side is conform_alias.py (the alias, the pytest plugin) and conform_shims.py (original
stand-ins for helpers); item_lists.py reads and writes lists of test items.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import importlib.machinery
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import item_lists

# distributed's commit whose tests are run: the last one before the release of requirements/.
DISTRIBUTED_COMMIT = "40fcd99a8"
SUITES = {  # globs below site-packages; "!" takes files out again
    "array": ["dask/array/tests/test_*.py", "dask/array/_array_expr/tests/test_*.py"],
    "bag": ["dask/bag/tests/test_*.py"],
    "dataframe": [
        f"dask/dataframe/{part}tests/test_*.py"
        for part in ("", "io/", "tseries/", "dask_expr/", "dask_expr/io/")
    ],
    "delayed": ["dask/tests/test_delayed.py"],
    "core": [f"dask/{part}tests/test_*.py" for part in ("", "bytes/", "diagnostics/", "widgets/")]
    + ["!dask/tests/test_delayed.py", "!dask/tests/test_distributed.py"],
    "distributed": ["dask/tests/test_distributed.py", "distributed/**/tests/test_*.py"],
}
COLUMNS = ("passed", "failed", "error", "skipped", "xfailed", "xpassed", "crashed")
GOOD = ("passed", "xpassed")
HERE = Path(__file__).resolve().parent
STOP = threading.Event()  # Ctrl-C: the pytest processes are ended too


# ---- what is run --------------------------------------------------------------------------------


def stage(args, work):
    """Copy the tests below `work`; returns the chosen test files, and what State needs."""
    tests, wheel = work / "tests", {}
    for root in ("dask", "distributed"):
        found = importlib.machinery.PathFinder.find_spec(root)
        if found is None:
            sys.exit(f"{root} must be installed: the harness reads its tests and test helpers")
        wheel[root] = found.submodule_search_locations[0] + os.sep
        for folder in Path(wheel[root]).rglob("tests"):
            shutil.copytree(
                folder,
                tests / root / folder.relative_to(wheel[root]),
                ignore=shutil.ignore_patterns("__init__.py", "__pycache__"),
            )
    # The wheel's conftest asks the package for its settings; a failure there must not end the run.
    (tests / "dask/conftest.py").write_text(
        "import conform_alias\n"
        f"globals().update(conform_alias.fixtures({str(Path(wheel['dask'], 'conftest.py'))!r}))\n"
    )
    if args.distributed_tests and args.suite == "distributed":
        stage_distributed(args, tests)
    if args.files:  # other projects' tests are run where they are
        files = [Path(file).resolve() for file in args.files]
        root = os.path.commonpath([f.parent for f in files]) + os.sep
        return files, {"tests": root, "wheel": wheel}
    chosen = set()
    for glob in SUITES[args.suite]:
        matches = set(tests.glob(glob.lstrip("!")))
        chosen = chosen - matches if glob.startswith("!") else chosen | matches
    wanted = [pattern.removesuffix(".py") for pattern in args.modules or ["*"]]
    chosen = [
        path
        for path in sorted(chosen)
        if any(fnmatch.fnmatch(path.stem, w) or path.with_suffix("").match(w) for w in wanted)
    ]
    return chosen, {"tests": str(tests) + os.sep, "wheel": wheel}


def stage_distributed(args, tests):
    """The tests of distributed come out of its repository: its wheel ships none."""
    folder = Path(args.distributed_tests)
    folder = folder / ".git" if (folder / ".git").exists() else folder
    git = ["git", "--git-dir", folder, "archive", args.ref, "distributed"]
    archive = subprocess.run(git, check=True, stdout=subprocess.PIPE).stdout
    untar = ["tar", "-x", "-C", tests, "--wildcards", "--exclude", "__init__.py", "*/tests/*"]
    subprocess.run(untar, input=archive, check=True)
    (tests / "distributed/conftest.py").write_text(
        "from distributed.utils_test import *\n"
        if args.package == "dask"
        else "from conform_alias import shims\nglobals().update(shims().cluster_shim())\n"
    )


def write_site(work):
    """The sitecustomize.py that loads the alias into every Python below the harness."""
    (work / "site").mkdir(parents=True)
    (work / "pytest.ini").write_text("[pytest]\n")
    (work / "site/sitecustomize.py").write_text(
        "import importlib.util as u, sys\n"
        f"spec = u.spec_from_file_location('conform_alias', {str(HERE / 'conform_alias.py')!r})\n"
        "sys.modules['conform_alias'] = module = u.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\nmodule.activate()\n"
    )


# ---- running one module -------------------------------------------------------------------------


class ModuleRun:
    """One test module, in pytest processes of its own that are resumed after each death."""

    def __init__(self, path, args, work, config, only=None):
        self.path, self.args, self.config = path, args, config
        self.folder = Path(tempfile.mkdtemp(prefix=f"{path.stem}-", dir=work))
        self.log, self.output = self.folder / "log.jsonl", self.folder / "pytest.out"
        self.log.write_text("")
        self.output.write_text("")
        self.results, self.items, self.facts, self.note = {}, [], {}, ""
        self.command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=short",
            "-p",
            "conform_alias",
            "-p",
            "no:cacheprovider",
            "-c",
            str(work / "pytest.ini"),
            "--rootdir",
            config["tests"],
            "-W",
            "ignore::pytest.PytestWarning",
        ]
        if importlib.util.find_spec("pytest_timeout"):
            self.command += [f"--timeout={args.timeout}", "--timeout-method=signal"]
        self.command += ["-k", args.k] if args.k else []
        self.command.append(str(path))
        paths = [str(work / "site"), *args.path, *filter(None, [os.environ.get("PYTHONPATH")])]
        home = self.folder / "home"  # tests of settings write to the user's
        home.mkdir(exist_ok=True)
        self.env = dict(
            os.environ,
            HOME=str(home),
            PYTHONPATH=os.pathsep.join(paths),
            CONFORM=json.dumps(config),
            CONFORM_FOLDER=str(self.folder),
            PYTHONDONTWRITEBYTECODE="1",
        )
        if only is not None:
            (self.folder / "only.json").write_text(json.dumps(sorted(only)))

    def run(self):
        began = time.time()
        for _ in range(self.args.restarts + 1):
            known = len(self.results)
            (self.folder / "done.json").write_text(json.dumps(list(self.results)))
            ended, hung = self.process()
            started = self.read_log()
            left = [item for item in self.items if item not in self.results]
            if started in left:
                left = [started]
            elif len(self.results) > known:  # it died between two items: blame the next one
                left = left[:1]
            reason = "hung" if hung else f"pytest ended with {ended}"
            self.results.update(
                (item, {"outcome": "crashed", "missing": [], "reason": reason}) for item in left
            )
            if STOP.is_set() or not set(self.items) - set(self.results):
                break
        if not self.facts and not self.results:
            tail = " ".join(self.output.read_text().split())[-300:]
            self.results[self.path.name] = {
                "outcome": "error",
                "reason": f"pytest did not start: {tail}",
            }
        return {
            "seconds": round(time.time() - began, 1),
            "tests": self.results,
            "counts": dict(Counter(t["outcome"] for t in self.results.values())),
            "relocated": self.facts.get("relocated", []),
            "leaks": self.facts.get("leaks", []),
            "conftest": self.note,
        }

    def process(self):
        """One pytest, watched: (its return code, whether it hung)."""
        with (
            open(self.output, "a") as out,
            tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as cwd,
        ):
            process = subprocess.Popen(
                self.command,
                cwd=cwd,
                env=self.env,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            size, changed, hung = -1, time.time(), False
            try:
                while process.poll() is None and not hung and not STOP.is_set():
                    time.sleep(0.1)
                    if self.log.stat().st_size != size:
                        size, changed = self.log.stat().st_size, time.time()
                    hung = time.time() - changed > self.args.timeout + 60  # deaf to pytest-timeout
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # and what the tests left behind
                process.wait()
            return process.returncode, hung

    def read_log(self):
        """Take over what the plugin recorded; returns the item that was running last."""
        started = None
        for entry in map(json.loads, self.log.read_text().splitlines()):
            started = entry.get("start", started)
            self.note = entry.get("conftest", self.note)
            self.items = entry.get("collected", self.items)
            self.facts = entry if "end" in entry else {}
            if "id" in entry:
                self.results[entry.pop("id")] = entry
        return started


# ---- report -------------------------------------------------------------------------------------


def line(name, counts, seconds, score):
    cells = "".join(f"{counts.get(column, 0):8d}" for column in COLUMNS)
    return f"{name:58s}{sum(counts.values()):7d}{cells}{seconds:8.1f}s  {score}"


class Report:
    """Outcomes by module, printed as they come, and scored over the baseline's items."""

    def __init__(self, baseline):
        self.modules, self.missing, self.total = {}, Counter(), Counter()
        self.baseline, self.good, self.due = baseline, 0, 0
        print(f"{'module':58s}{'items':>7}" + "".join(f"{column:>8}" for column in COLUMNS))

    def add(self, name, result):
        self.modules[name], tests, score = result, result["tests"], ""
        if self.baseline is not None:
            due = [item for item in self.baseline if item.partition("::")[0] == name]
            kept = sum(tests.get(item, {}).get("outcome") in GOOD for item in due)
            self.good, self.due = self.good + kept, self.due + len(due)
            score = f"{kept}/{len(due)}"
        self.missing.update(m for test in tests.values() for m in test.get("missing", []))
        self.total.update(result["counts"])
        print(line(name, result["counts"], result["seconds"], score), flush=True)

    def close(self):
        share = f"{self.good}/{self.due} = {self.good / self.due:.1%}" if self.due else ""
        seconds = sum(result["seconds"] for result in self.modules.values())
        print(line("total", self.total, seconds, share))
        for name, count in self.missing.most_common(15):
            print(f"  {count:6d} items did not pass and had used the missing {name}")
        leaks = sorted({leak for result in self.modules.values() for leak in result["leaks"]})
        if leaks:
            print(f"  warning: real dask modules were loaded: {leaks[:5]}")
        for note in {result["conftest"] for result in self.modules.values()} - {""}:
            print(f"  warning: dask's conftest could not be used: {note}")


def run(modules, args, work, config):
    """All modules, the longest known ones first, so that the last job does not wait alone."""
    only = item_lists.read(args.only) if args.only else None
    baseline = item_lists.read(args.baseline) if args.baseline else None
    names = {path: str(path.relative_to(config["tests"])) for path in modules}
    cost = Counter()
    for item, seconds in (only or baseline or {}).items():
        cost[item.partition("::")[0]] += seconds
    wanted = {
        path: None
        if only is None
        else {item for item in only if item.partition("::")[0] == names[path]}
        for path in modules
    }
    modules = [path for path in modules if only is None or wanted[path]]
    report = Report(baseline)
    with ThreadPoolExecutor(args.jobs) as pool:
        waiting = {
            pool.submit(ModuleRun(path, args, work, config, wanted[path]).run): names[path]
            for path in sorted(modules, key=lambda path: -cost[names[path]])
        }
        try:
            for future in as_completed(waiting):
                report.add(waiting[future], future.result())
        except BaseException:
            STOP.set()
            pool.shutdown(cancel_futures=True)
            raise
    report.close()
    return report


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--package", required=True, help="the package that mirrors dask's namespace"
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--suite", choices=SUITES)
    which.add_argument("--files", nargs="+", help="other projects' test files, run under the alias")
    parser.add_argument(
        "--modules", nargs="*", help="test modules, globs allowed (test_reductions)"
    )
    parser.add_argument("--only", help="a list of items (see item_lists.py): run no others")
    parser.add_argument("--json", help="write every item's outcome here")
    parser.add_argument("--baseline", help="list, or --json file of a dask run, to score against")
    parser.add_argument("--path", action="append", default=[], help="a folder for PYTHONPATH")
    parser.add_argument(
        "--jobs", type=int, default=1, help="test modules that run at the same time"
    )
    parser.add_argument(
        "--asserts",
        choices=["dask", "values"],
        default="dask",
        help="assert_eq: the wheel's, or one that compares computed values only",
    )
    parser.add_argument(
        "--strict-names", action="store_true", help="no look-up in parent namespaces"
    )
    parser.add_argument("--runslow", action="store_true", help="run tests marked slow")
    parser.add_argument("--timeout", type=int, default=120, help="seconds for one item")
    parser.add_argument("--restarts", type=int, default=20, help="resumptions of one module")
    parser.add_argument(
        "--distributed-tests",
        metavar="GIT_DIR",
        default=os.environ.get("SAMITE_DISTRIBUTED_TESTS"),
        help="a clone of distributed, whose wheel ships no tests (SAMITE_DISTRIBUTED_TESTS)",
    )
    parser.add_argument(
        "--ref", default=DISTRIBUTED_COMMIT, help="the commit to take from --distributed-tests"
    )
    parser.add_argument(
        "--shim", action="store_true", help="clusters by the public API even for dask"
    )
    parser.add_argument(
        "--client",
        action="store_true",
        help="the default scheduler is a client of a cluster in the process",
    )
    parser.add_argument("--keep", help="use, and leave, this new scratch folder")
    parser.add_argument("-k", help="pytest's -k expression")
    return parser.parse_args()


def main():
    args = arguments()
    # Below nohup the signal is ignored, and some tests interrupt themselves.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    work = Path(args.keep or tempfile.mkdtemp(prefix="conform-")).resolve()
    args.path = [str(Path(folder).resolve()) for folder in args.path]
    try:
        write_site(work)
        modules, config = stage(args, work)
        config.update(
            {
                key: getattr(args, key)
                for key in ("package", "asserts", "shim", "strict_names", "runslow", "client")
            }
        )
        report = run(modules, args, work, config)
    finally:
        if not args.keep:
            shutil.rmtree(work, ignore_errors=True)
    if args.json:
        said = {
            key: getattr(args, key)
            for key in ("package", "suite", "files", "asserts", "strict_names")
        }
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(
            json.dumps(
                {
                    **said,
                    "total": report.total,
                    "missing": report.missing,
                    "modules": report.modules,
                },
                indent=1,
            )
        )


if __name__ == "__main__":
    main()
