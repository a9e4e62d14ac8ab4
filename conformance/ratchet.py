#!/usr/bin/env python3
"""The ratchet: Dask's test items that are known to pass on Samite go on passing.

    python ratchet.py check                     # what CI runs: a sample of every list
    python ratchet.py check --suite core --all  # every listed item
    python ratchet.py check --client            # a sample of the collections' items on a cluster
    python ratchet.py update --suite core --results results/core.json
    python ratchet.py table                     # rewrite the table in README.md
    python ratchet.py reasons --suite core      # what does not pass, and what it said
    python ratchet.py baseline --suite core --results dask.json --twice again.json

`check` runs listed items; one that does not pass is run again alone, and fails the check if it does
not pass then either. Where all lists together would take longer than --seconds, a sample is
taken: items in the order of a hash of the seed and their name, until the time is used up. The
seed is the commit, so that a check can be repeated and the sample moves on with each commit.

`update` adds the items of the baseline that passed in a results file. It removes an item that was
run and did not pass only if `removed.md` names it in backquotes, with the reason; otherwise it
refuses.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import item_lists

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
# The share of a sampled check that distributed's tests get, which are slow ones.
DISTRIBUTED_SHARE = 1 / 8
COLLECTIONS = ("array", "bag", "dataframe", "delayed")
# What an item costs at least, and what starting pytest for one more module costs, in seconds.
ITEM, MODULE = 0.03, 5.0


def listed(suite):
    """The ratchet list of a suite: item to seconds."""
    return item_lists.read(HERE / "ratchet" / f"{suite}.txt")


def suites():
    """The suites that have a baseline."""
    return sorted(path.stem for path in (HERE / "baseline").glob("*.txt"))


def default_seed():
    command = ["git", "-C", str(HERE), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip()[:12] or "0"


def sample(items, seconds, seed):
    """As many items as fit in the seconds, in an order that depends on the seed alone."""
    chosen, modules, spent = {}, set(), 0.0
    for item in sorted(items, key=lambda item: hashlib.sha256(f"{seed} {item}".encode()).digest()):
        module = item.partition("::")[0]
        cost = max(items[item], ITEM) + (MODULE if module not in modules else 0.0)
        if spent + cost <= seconds:
            spent += cost
            modules.add(module)
            chosen[item] = items[item]
    return chosen


def run(suite, items, name, args):
    """Run some items of a suite; returns {item: outcome entry}."""
    RESULTS.mkdir(exist_ok=True)
    only, report = RESULTS / f"{name}.txt", RESULTS / f"{name}.json"
    item_lists.write(only, items, f"items of one run of the {suite} suite")
    report.unlink(missing_ok=True)
    command = [
        sys.executable,
        str(HERE / "conform.py"),
        "--package",
        "samite",
        "--suite",
        suite,
        "--only",
        str(only),
        "--json",
        str(report),
        "--jobs",
        str(args.jobs),
    ]
    for folder in args.path:
        command += ["--path", str(Path(folder).resolve())]
    command += ["--client"] if args.client else []
    with tempfile.TemporaryDirectory() as cwd:
        subprocess.run(command, cwd=cwd, check=True)
    return item_lists.outcomes(report)


def failing(items, outcomes):
    return sorted(
        item for item in items if outcomes.get(item, {}).get("outcome") not in ("passed", "xpassed")
    )


def check(args):
    seed, bad, ran, total = args.seed or default_seed(), [], 0, 0
    usual = [suite for suite in suites() if suite in COLLECTIONS or not args.client]
    lists = {suite: listed(suite) for suite in args.suite or usual}
    items = {
        (suite, item): seconds for suite, found in lists.items() for item, seconds in found.items()
    }
    if args.client:
        apart = matching([item for _, item in items], named_in("clients.md"))
        items = {key: seconds for key, seconds in items.items() if key[1] not in apart}
    if not os.environ.get("SAMITE_DISTRIBUTED_TESTS"):
        absent = [key for key in items if key[1].startswith("distributed/")]
        if absent:
            print(
                f"ratchet: {len(absent)} items of distributed's own tests are LEFT OUT: no package "
                "ships them. SAMITE_DISTRIBUTED_TESTS is to name a clone of its repository",
                flush=True,
            )
        items = {key: took for key, took in items.items() if not key[1].startswith("distributed/")}
    total = len(items)
    if not args.all:  # --seconds are of the wall clock, and args.jobs modules run at a time
        pool = {f"{suite}/{item}": seconds for (suite, item), seconds in items.items()}
        slow = {name: took for name, took in pool.items() if name.startswith("distributed/")}
        rest = {name: took for name, took in pool.items() if name not in slow}
        share = DISTRIBUTED_SHARE if slow and rest else float(not rest)
        taken = {
            **sample(rest, args.seconds * args.jobs * (1 - share), seed),
            **sample(slow, args.seconds * args.jobs * share, seed),
        }
        items = {key: seconds for key, seconds in items.items() if "/".join(key) in taken}
    print(f"ratchet: {len(items)} of {total} listed items, seed {seed}", flush=True)
    for suite in lists:
        chosen = {item: seconds for (home, item), seconds in items.items() if home == suite}
        if not chosen:
            continue
        outcomes = run(suite, chosen, f"check-{suite}", args)
        again = failing(chosen, outcomes)
        if again:
            print(f"ratchet: {len(again)} did not pass; once more", flush=True)
            second = run(suite, {item: chosen[item] for item in again}, f"again-{suite}", args)
            bad += [
                (item, second.get(item, {}).get("reason") or "not found")
                for item in failing(again, second)
            ]
            for item in sorted(set(again) - {item for item, _ in bad}):
                print(f"ratchet: UNSTABLE, passed when run again: {item}")
        ran += len(chosen)
    for item, reason in bad:
        print(f"ratchet: FAILED {item}\n         {reason}")
    print(f"ratchet: {ran - len(bad)} of {ran} passed")
    return 1 if bad or not ran else 0


def named_in(page):
    """The patterns in backquotes that name test items in a Markdown page."""
    path = HERE / page
    text = path.read_text() if path.exists() else ""
    return re.findall(r"`((?:dask|distributed)/\S+?\.py::[^`]+)`", text)


def matching(items, patterns):
    literal = set(patterns)  # names of items contain brackets, so they are compared as text first
    globs = [re.compile(fnmatch.translate(p.replace("[", "[[]"))) for p in patterns if "*" in p]
    return {item for item in items if item in literal or any(g.match(item) for g in globs)}


def stable(results, twice):
    """The items that passed in a results file, and in a second one where it is given."""
    passed = item_lists.passed(results)
    again = item_lists.passed(twice) if twice else passed
    return {item: seconds for item, seconds in passed.items() if item in again}


def baseline(args):
    """Store the items that pass on Dask itself, so that a score needs no run of Dask."""
    (suite,) = args.suite
    passed = stable(args.results, args.twice)
    item_lists.write(
        HERE / "baseline" / f"{suite}.txt",
        passed,
        f"Items of Dask's {suite} tests that pass on Dask 2026.8.0 itself.",
    )
    print(f"{suite}: {len(passed)} items pass on Dask")
    return 0


def update(args):
    (suite,) = args.suite
    results = Path(args.results or RESULTS / f"{suite}.json")
    outcomes, known = item_lists.outcomes(results), listed(suite)
    base = item_lists.read(HERE / "baseline" / f"{suite}.txt")
    passed = {
        item: seconds for item, seconds in stable(results, args.twice).items() if item in base
    }
    lost = failing([item for item in known if item in outcomes], outcomes)
    excused = matching(lost, named_in("removed.md"))
    refused = [item for item in lost if item not in excused]
    if refused:
        print(
            f"refused: {len(refused)} listed items no longer pass. Mend them, or say in removed.md "
            "why they may go:",
            *(f"  `{item}`: {outcomes[item].get('reason')}" for item in refused),
            sep="\n",
        )
        return 1
    kept = {item: seconds for item, seconds in known.items() if item not in excused}
    item_lists.write(
        HERE / "ratchet" / f"{suite}.txt",
        {**kept, **passed},
        f"Items of Dask's {suite} tests that pass on Samite; see README.md.",
    )
    print(
        f"{suite}: {len(kept)} kept, {len(set(passed) - set(kept))} added, {len(excused)} removed"
    )
    return table(args)


def table(args):
    """Rewrite the table between the markers of README.md."""
    rows = [
        "| suite | pass on Dask | pass on Samite | of the tests of behaviour | of the internals "
        "| cannot pass yet |",
        "|---|---|---|---|---|---|",
    ]
    internal = named_in("internals.md") + named_in("internals-distributed.md")
    apart = named_in("apart.md")
    for suite in suites():
        base = set(item_lists.read(HERE / "baseline" / f"{suite}.txt"))
        good = set(listed(suite)) & base
        cannot = matching(base, apart) - good
        inside = matching(base, internal) - cannot
        rows.append(
            f"| {suite} | {len(base)} | {share(good, base)} "
            f"| {share(good, base - inside - cannot)} | {share(good, inside)} | {len(cannot)} |"
        )
    page = HERE / "README.md"
    start, end = "<!-- table: python ratchet.py table -->\n", "<!-- end of table -->"
    before, _, rest = page.read_text().partition(start)
    page.write_text(before + start + "\n".join(rows) + "\n" + end + rest.partition(end)[2])
    print(*rows, sep="\n")
    return 0


def share(good, of):
    return f"{len(good & of)} of {len(of)} ({len(good & of) / len(of):.1%})" if of else "none"


def reasons(args):
    """What does not pass, grouped by what it said: where the next work is."""
    (suite,) = args.suite
    base = item_lists.read(HERE / "baseline" / f"{suite}.txt")
    outcomes = item_lists.outcomes(args.results or RESULTS / f"{suite}.json")
    said = Counter()
    for item in failing([item for item in base if item in outcomes], outcomes):
        print(f"{item}: {outcomes[item].get('reason', '')[:160]}")
        said[item.partition("::")[0]] += 1
    print(*(f"{count:5d} {module}" for module, count in said.most_common()), sep="\n")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["check", "update", "table", "reasons", "baseline"])
    parser.add_argument("--suite", action="append", help="check: all that have a baseline")
    parser.add_argument("--all", action="store_true", help="check: every listed item")
    parser.add_argument("--seconds", type=float, default=240, help="check: about this long at most")
    parser.add_argument("--seed", help="check: the sample to take (default: the commit)")
    parser.add_argument("--results", help="update, reasons, baseline: conform.py's --json file")
    parser.add_argument(
        "--twice", help="update, baseline: only what passed in this --json file too"
    )
    parser.add_argument(
        "--client", action="store_true", help="check: on a cluster, by a client in each process"
    )
    parser.add_argument("--path", action="append", default=[], help="a folder for PYTHONPATH")
    parser.add_argument("--jobs", type=int, default=2, help="test modules at the same time")
    args = parser.parse_args()
    if args.command in ("update", "reasons", "baseline") and len(args.suite or ()) != 1:
        parser.error(f"{args.command} takes one --suite")
    return globals()[args.command](args)


if __name__ == "__main__":
    sys.exit(main())
