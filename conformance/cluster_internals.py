#!/usr/bin/env python3
"""Which of distributed's tests are about how its scheduler and workers are made.

    python cluster_internals.py --distributed-tests GIT_DIR     # rewrites internals-distributed.md

A test is listed by what its text reads, never by whether it passes: by the attributes of the
scheduler and worker objects other than their address and name, by private attributes, by names
that only distributed's own modules show, and by classes that extend or patches that replace parts
of distributed. Helpers, classes and fixtures of the same module count as part of the test.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import io
import subprocess
import sys
import tarfile
from collections import defaultdict
from pathlib import Path

import item_lists
from conform import DISTRIBUTED_COMMIT

HERE = Path(__file__).resolve().parent
# What a test may read of a scheduler or a worker: how to reach it, and what it is called.
OPEN_ATTRIBUTES = {"address", "name"}
# Attributes with an underscore that belong to public protocols.
PROTOCOLS = {"_asdict", "_fields", "_ipython_display_", "_repr_html_", "_repr_mimebundle_"}
SERVERS = {"Scheduler", "Worker", "Nanny", "BrokenWorker", "SlowScheduler"}
# Parameters by which functions that run on a cluster, and plugins, are given its objects.
GIVEN_OBJECTS = {"dask_worker", "dask_scheduler", "scheduler", "worker", "nanny"}
# Modules of helpers for tests, and those whose names appear in distributed's documentation.
OPEN_MODULES = {
    "distributed",
    "distributed.actor",
    "distributed.cfexecutor",
    "distributed.client",
    "distributed.compatibility",
    "distributed.deploy",
    "distributed.diagnostics",
    "distributed.diagnostics.plugin",
    "distributed.diagnostics.progressbar",
    "distributed.event",
    "distributed.exceptions",
    "distributed.lock",
    "distributed.metrics",
    "distributed.multi_lock",
    "distributed.queues",
    "distributed.security",
    "distributed.semaphore",
    "distributed.system",
    "distributed.threadpoolexecutor",
    "distributed.utils",
    "distributed.utils_test",
    "distributed.variable",
    "distributed.worker_client",
}
# Public names that tests import from where they happen to be defined.
OPEN_NAMES = {
    "Adaptive",
    "AsyncioTimeout",
    "Cluster",
    "ConnectionPool",
    "KilledWorker",
    "LocalCluster",
    "NoValidWorkerError",
    "Nanny",
    "ProcessInterface",
    "Scheduler",
    "SpecCluster",
    "Status",
    "Worker",
    "get_client",
    "get_worker",
    "run_spec",
    "secede",
    "thread_state",
    "VersionMismatchWarning",
}
# Helpers of utils_test that reach into workers or schedulers.
INSIDE_HELPERS = {
    "BlockedExecute",
    "BlockedGatherDep",
    "BlockedGetData",
    "BlockedInstantiateNanny",
    "BlockedInstantiateWorker",
    "BrokenComm",
    "freeze_batched_send",
    "freeze_data_fetching",
    "lock_inc",
    "slowidentity_state",
    "wait_for_state",
    "wait_for_stimulus",
    "ws_with_running_task",
}
WHY = {
    "scheduler": "they read the Python scheduler's object",
    "worker": "they read the Python worker's object",
    "private": "they read private attributes",
    "module": "they use names that are in no public module",
    "extend": "they extend, replace or patch parts of distributed",
}


class Reader(ast.NodeVisitor):
    """What one function or class reads, and which names of its module it uses."""

    def __init__(self, internal_names):
        self.internal_names = internal_names
        self.objects = {}  # name of a variable: "scheduler", "worker" or "cluster"
        self.found, self.used = set(), set()

    # -- names that stand for servers

    def kind(self, node):
        """Which kind of server, or a cluster of some, an expression stands for, or None."""
        if isinstance(node, ast.Name):
            return self.objects.get(node.id)
        if isinstance(node, (ast.Subscript, ast.Starred, ast.Await)):
            return self.kind(node.value)
        if isinstance(node, (ast.List, ast.Tuple)):
            kinds = {self.kind(item) for item in node.elts}
            return kinds.pop() if len(kinds) == 1 else None
        if isinstance(node, ast.Attribute):
            if node.attr in ("scheduler", "workers"):
                base = ast.unparse(node.value)
                if self.kind(node.value) == "cluster" or "cluster" in base or base == "self":
                    return node.attr.removesuffix("s")
            # The scheduler as clients have it: whose attributes are calls of its handlers.
            if node.attr == "scheduler" and self.kind(node.value) is None:
                return "scheduler" if isinstance(node.value, ast.Name) else None
            return None
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name == "get_worker":
                return "worker"
            if name.endswith("Cluster"):
                return "cluster"
            if name in SERVERS:
                return "scheduler" if name.endswith("Scheduler") else "worker"
            if isinstance(node.func, ast.Attribute) and node.func.attr == "values":
                return self.kind(node.func.value)
        return None

    def bind(self, target, kind):
        for name in ast.walk(target):
            if isinstance(name, ast.Name) and kind:
                self.objects[name.id] = kind

    def visit_Assign(self, node):
        kind = self.kind(node.value)
        if kind:
            for target in node.targets:
                self.bind(target, kind)
            self.consume(node.value)
        else:
            self.generic_visit(node)

    def visit_withitem(self, node):
        kind = self.kind(node.context_expr)
        if kind and node.optional_vars is not None:
            self.bind(node.optional_vars, kind)
        self.consume(node.context_expr)

    def visit_For(self, node):
        self.bind(node.target, self.kind(node.iter))
        self.consume(node.iter)
        for child in [*node.body, *node.orelse]:
            self.visit(child)

    visit_AsyncFor = visit_For

    def visit_comprehension(self, node):
        self.bind(node.target, self.kind(node.iter))
        self.consume(node.iter)
        for child in node.ifs:
            self.visit(child)

    def comprehensions_first(self, node):
        for child in node.generators:
            self.visit(child)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.comprehension):
                self.visit(child)

    visit_ListComp = visit_SetComp = visit_GeneratorExp = comprehensions_first
    visit_DictComp = comprehensions_first

    def consume(self, node):
        """Visit an expression that may be a server, or a list of them, as a whole."""
        if self.kind(node) is None:
            self.visit(node)
        elif isinstance(node, ast.Call):
            self.generic_visit(node)
        elif isinstance(node, ast.Await):
            self.consume(node.value)

    # -- what is read

    def visit_Attribute(self, node):
        kind = self.kind(node.value)
        if kind in ("scheduler", "worker") and node.attr not in OPEN_ATTRIBUTES:
            self.found.add(kind)
        private = node.attr.startswith("_") and not node.attr.startswith("__")
        if private and node.attr not in PROTOCOLS:
            self.found.add("private")
        self.consume(node.value)

    def visit_Name(self, node):
        if self.kind(node) in ("scheduler", "worker"):
            self.found.add(self.kind(node))
        if node.id in self.internal_names:
            self.found.add("module")
        self.used.add(node.id)

    def visit_Call(self, node):
        name = ast.unparse(node.func)
        if name in ("Client", "len", "get_client", "LocalCluster"):
            self.used.add(name)
            for child in [*node.args, *(keyword.value for keyword in node.keywords)]:
                self.consume(child)
            return
        patches = name.endswith(("mock.patch", "mock.patch.object", "patch", "patch.object"))
        if patches or name == "monkeypatch.setattr":
            text = ast.unparse(node.args[0]) if node.args else ""
            if "distributed" in text or self.kind(node.args[0] if node.args else node):
                self.found.add("extend")
        self.generic_visit(node)

    def visit_ClassDef(self, node):
        for base in node.bases:
            last = ast.unparse(base).rpartition(".")[2]
            if last in SERVERS or last.endswith(("Worker", "Scheduler", "Nanny", "Executor")):
                self.found.add("extend")
        self.generic_visit(node)

    def visit_FunctionDef(self, node):
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        for parameter in parameters:
            annotated = ast.unparse(parameter.annotation) if parameter.annotation else ""
            if parameter.arg in GIVEN_OBJECTS or annotated in SERVERS:
                kind = "scheduler" if "scheduler" in parameter.arg + annotated.lower() else "worker"
                self.objects[parameter.arg] = kind
        self.used.update(parameter.arg for parameter in parameters)  # fixtures
        for decorator in node.decorator_list:
            called = ast.unparse(decorator.func) if isinstance(decorator, ast.Call) else ""
            if called == "gen_cluster":
                self.bind_gen_cluster(decorator, node)
            else:
                self.visit(decorator)
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(default)
        for child in node.body:
            self.visit(child)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node):
        for parameter in node.args.args:
            if parameter.arg in GIVEN_OBJECTS:
                kind = "scheduler" if "scheduler" in parameter.arg else "worker"
                self.objects[parameter.arg] = kind
        self.generic_visit(node)

    def bind_gen_cluster(self, decorator, node):
        options = {keyword.arg: keyword.value for keyword in decorator.keywords}
        client = isinstance(options.get("client"), ast.Constant) and options["client"].value
        if "Worker" in options and ast.unparse(options["Worker"]) != "Nanny":
            self.found.add("extend")
        threads = options.get("nthreads", decorator.args[0] if decorator.args else None)
        number = 2 if threads is None else len(getattr(threads, "elts", [])) or len(node.args.args)
        positional = [parameter.arg for parameter in node.args.args][int(bool(client)) :]
        if positional:
            self.objects[positional[0]] = "scheduler"
            self.objects.update(dict.fromkeys(positional[1 : 1 + number], "worker"))
        if node.args.vararg:
            self.objects[node.args.vararg.arg] = "worker"


def internal_imports(tree):
    """Names that a module imports from distributed, and that are not public."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("distributed"):
            for alias in node.names:
                inside = node.module not in OPEN_MODULES and alias.name not in OPEN_NAMES
                private = alias.name.startswith("_") or alias.name in INSIDE_HELPERS
                if inside or private:
                    names.add(alias.asname or alias.name)
    return names


def classes(text):
    """For each test of a module, the reasons (keys of WHY) for which it is an internal one."""
    tree = ast.parse(text)
    internal, read = internal_imports(tree), {}
    definitions = {
        node.name: node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    for name, node in definitions.items():
        reader = Reader(internal)
        reader.visit(node)
        read[name] = reader

    def reasons(name, seen):
        found = set(read[name].found)
        for other in read[name].used & set(read) - seen - {name}:
            found |= reasons(other, seen | {name, other})
        return found

    tests = {name: reasons(name, {name}) for name in read if name.startswith("test")}
    for name, node in definitions.items():  # methods of test classes
        if name.startswith("Test") and isinstance(node, ast.ClassDef):
            found = reasons(name, {name})
            tests.update(
                (f"{name}::{child.name}", found)
                for child in node.body
                if getattr(child, "name", "").startswith("test")
            )
    return tests


def modules(git_dir, ref):
    """The texts of distributed's test modules at a commit, and of Dask's own about it."""
    dask = importlib.util.find_spec("dask").submodule_search_locations[0]
    name = "dask/tests/test_distributed.py"
    yield name, (Path(dask).parent / name).read_text()
    folder = Path(git_dir)
    folder = folder / ".git" if (folder / ".git").exists() else folder
    git = ["git", "--git-dir", folder, "archive", ref, "distributed"]
    archive = subprocess.run(git, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = Path(member.name)
            if path.parent.name == "tests" and path.name.startswith("test_"):
                yield member.name, tar.extractfile(member).read().decode()


def pattern(item):
    """One pattern for all items of a parametrized test."""
    name, bracket, _ = item.partition("[")
    return f"{name}[*" if bracket else name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--distributed-tests", metavar="GIT_DIR", required=True)
    parser.add_argument("--ref", default=DISTRIBUTED_COMMIT, help="the commit of its tests")
    parser.add_argument("--count", action="store_true", help="only count tests, module by module")
    args = parser.parse_args()
    found = {name: classes(text) for name, text in modules(args.distributed_tests, args.ref)}
    if args.count:
        for name, tests in sorted(found.items()):
            print(f"{sum(not why for why in tests.values()):5d} of {len(tests):4d} {name}")
        return 0
    rows = defaultdict(set)
    for item in item_lists.read(HERE / "baseline" / "distributed.txt"):
        module, _, name = item.partition("::")
        why = found.get(module, {}).get(name.partition("[")[0])
        if why:
            rows[module, tuple(key for key in WHY if key in why)].add(pattern(item))
    lines = [
        "# Tests of how distributed is made",
        "",
        "Written by `cluster_internals.py`, which says how the items are chosen; see",
        "[internals.md](internals.md).",
    ]
    module = None
    for home, why in sorted(rows):
        if home != module:
            module = home
            lines += ["", f"## {home}"]
        said = ", and ".join(WHY[key] for key in why)
        lines += ["", f"{said[0].upper()}{said[1:]}:", ""]
        lines += [f"- `{item}`" for item in sorted(rows[home, why])]
    (HERE / "internals-distributed.md").write_text("\n".join(lines) + "\n")
    print(f"{sum(map(len, rows.values()))} patterns of {len({home for home, _ in rows})} modules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
