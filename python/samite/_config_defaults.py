"""The settings that Samite starts with, and the names that settings had before.

A plain dictionary instead of a YAML file, so that starting Samite never needs a YAML parser.
``samite.config`` puts it below everything that files, the environment and the program say.
"""

from __future__ import annotations

DEFAULTS: dict = {
    # Folder for spilled results and other scratch files; null means the system's.
    "temporary-directory": None,
    "visualization": {"engine": None},
    "tokenize": {
        # True: refuse objects that have no deterministic token, instead of inventing one.
        "ensure-deterministic": False,
    },
    "dataframe": {
        "backend": "pandas",
        # Whether the engine computes what it has the same meaning for as pandas.
        "native": True,
        "shuffle": {"method": None, "compression": None},
        "parquet": {
            # Files per task that reads metadata, on local and on remote storage.
            "metadata-task-size-local": 512,
            "metadata-task-size-remote": 1,
            "minimum-partition-size": 75_000_000,
        },
        "convert-string": None,
        "query-planning": None,
    },
    "array": {
        "backend": "numpy",
        "chunk-size": "128MiB",
        # How far an output chunk may exceed the chunk size before it is split.
        "chunk-size-tolerance": 1.25,
        "rechunk": {"method": None, "threshold": 4},
        "svg": {"size": 120},
        "slicing": {"split-large-chunks": None},
        "query-planning": None,
    },
    "optimization": {
        "annotations": {"fuse": True},
        "tune": {"active": True},
        "fuse": {
            "active": None,
            "ave-width": 1,
            "max-width": None,
            "max-height": float("inf"),
            "max-depth-new-edges": None,
            "rename-keys": True,
            "delayed": False,
        },
    },
    "distributed": {
        "scheduler": {
            # How many workers a task may take with it before it is given up.
            "allowed-failures": 3,
            "idle-timeout": None,
            "worker-saturation": 1.1,
            "work-stealing": True,
            # What a task takes of which nothing is known, and bytes a second between workers.
            "unknown-task-duration": "500ms",
            "bandwidth": 100_000_000,
            "preload": [],
            "preload-argv": [],
            "locks": {"lease-validation-interval": "10s", "lease-timeout": "30s"},
            # After this time a worker that tells nothing of itself is given up, and a task fails
            # that no worker may run; null for never.
            "worker-ttl": "5 minutes",
            "no-workers-timeout": None,
            # Copies of results that nobody needs are dropped, by policies.
            "active-memory-manager": {
                "start": True,
                "interval": "2s",
                "measure": "optimistic",
                "policies": [{"class": "samite.distributed.active_memory_manager.ReduceReplicas"}],
            },
        },
        "worker": {
            "preload": [],
            "preload-argv": [],
            "resources": {},
            "multiprocessing-method": "spawn",
            "lifetime": {"duration": None, "stagger": "0 seconds", "restart": False},
            "memory": {
                # Shares of the memory limit, or False. Above the first, the oldest results are
                # written to disk; above the next, also where it is something else that takes the
                # memory of a worker's process; then it pauses; then its nanny starts it again.
                "target": 0.6,
                "spill": 0.7,
                "pause": 0.8,
                "terminate": 0.95,
                # The most bytes on disk; False for all that it has.
                "max-spill": False,
                "monitor-interval": "100ms",
                # What a process takes besides results for longer than this is no passing peak.
                "recent-to-old-time": "30s",
            },
            # How often, and over how long a time, it is noted what tasks do.
            "profile": {"enabled": True, "interval": "10ms", "cycle": "1000ms"},
        },
        "nanny": {"environ": {}, "pre-spawn-environ": {}, "preload": [], "preload-argv": []},
        "comm": {
            # "tcp": after such a silence a connection is taken for lost.
            "timeouts": {"connect": "30s", "tcp": "60s"},
            # How often a worker that cannot be reached is called again for its results.
            "retry": {"count": 0, "delay": {"min": "1s", "max": "20s"}},
            # Of large frames that shrink by it: false, "auto" (to other machines), "lz4" (to other
            # processes too).
            "compression": "auto",
            # The secret of the clusters that one connects to, and a file of it.
            "token": None,
            "token-file": None,
            "require-encryption": None,
            # The protocol where none is said.
            "default-scheme": "tcp",
            "tls": {
                "ca-file": None,
                "ciphers": None,
                "min-version": None,
                "max-version": None,
                "client": {"cert": None, "key": None},
                "scheduler": {"cert": None, "key": None},
                "worker": {"cert": None, "key": None},
            },
        },
        # Whether what shuffles move may go to disk where memory is short.
        "p2p": {"storage": {"disk": True}},
        "adaptive": {
            "interval": "1s",
            "target-duration": "5s",
            "minimum": 0,
            "maximum": float("inf"),
            "wait-count": 3,
        },
        "admin": {
            "log-length": 10_000,
            "log-format": "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
            "large-graph-warning-threshold": "10MB",
        },
        "client": {
            "direct-to-workers": None,
            "security-loader": None,
            "preload": [],
            "preload-argv": [],
        },
        "dashboard": {
            "link": "{scheme}://{host}:{port}/status",
            # How the names of figures begin that monitoring reads.
            "prometheus": {"namespace": "dask"},
        },
    },
    "admin": {
        "async-client-fallback": None,
        "traceback": {
            # Frames of files that match one of these patterns are left out of tracebacks.
            "shorten": [
                r"concurrent[\\\/]futures[\\\/]",
                r"samite[\\\/](base|core|local|delayed|multiprocessing|optimization|threaded|utils)\.py",
                r"samite[\\\/]_[a-z_]+\.py",
                r"samite[\\\/]array[\\\/]core\.py",
                r"samite[\\\/]dataframe[\\\/](core|methods)\.py",
                r"samite[\\\/]distributed[\\\/][a-z_]+\.py",
                r"tornado[\\\/]gen\.py",
                r"pandas[\\\/]core[\\\/]",
            ]
        },
    },
}

# Old name -> today's name, or None for a setting that is gone. These are the names that early
# Dask programs use; Samite has not renamed a setting of its own yet.
DEPRECATIONS: dict[str, str | None] = {
    "fuse-ave-width": "optimization.fuse.ave-width",
    "fuse-max-height": "optimization.fuse.max-height",
    "fuse-max-width": "optimization.fuse.max-width",
    "fuse-max-depth-new-edges": "optimization.fuse.max-depth-new-edges",
    "fuse-rename-keys": "optimization.fuse.rename-keys",
    "fuse-subgraphs": None,
}
