"""Clusters by ssh, through a real sshd on this machine, where OpenSSH's server is installed."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cluster_patience import PATIENCE

from samite.distributed import Client, SSHCluster

SERVER = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

pytestmark = pytest.mark.skipif(
    SERVER is None or shutil.which("ssh") is None, reason="needs ssh and sshd (openssh-server)"
)

CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
"""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    """The options that connect with a server of ssh, which runs for this module's tests."""
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(make, check=True)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    (folder / "config").write_text(CONFIGURATION.format(port=port, folder=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where a server of root's separates privileges
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen([SERVER, "-D", "-e", "-f", folder / "config"], stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield {
            "port": port,
            "username": getpass.getuser(),
            "client_keys": str(folder / "user"),
            "known_hosts": None,
            "options": ["IdentitiesOnly=yes"],
        }
    finally:
        server.terminate()
        server.wait()


def cluster_of(connect_options, hosts=3, **kwargs):
    return SSHCluster(
        ["127.0.0.1"] * hosts,
        connect_options=connect_options,
        remote_python=sys.executable,
        **{"worker_options": {"nthreads": 1}, **kwargs},
    )


def test_a_cluster_by_ssh_computes(sshd):
    with cluster_of(sshd) as cluster, Client(cluster) as client:
        client.wait_for_workers(2, timeout=2 * PATIENCE)
        assert client.submit(sum, [1, 2, 3]).result(PATIENCE) == 6
        pids = set(client.run(os.getpid).values())
        assert len(pids) == 2 and os.getpid() not in pids
        array = pytest.importorskip("samite.array")
        assert array.ones((100, 100), chunks=50).sum().compute() == 10_000
    deadline = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "the workers outlived their cluster"
        time.sleep(0.05)


def test_options_reach_the_programs(sshd, tmp_path):
    options = {"nthreads": 3, "resources": {"GPU": 2}, "local_directory": str(tmp_path / "new")}
    with cluster_of(sshd, hosts=2, worker_options=options) as cluster, Client(cluster) as client:
        client.wait_for_workers(1, timeout=2 * PATIENCE)
        [info] = client.scheduler_info()["workers"].values()
        assert info["nthreads"] == 3
        assert info["local_directory"] == str(tmp_path / "new")
        assert client.submit(sum, [1], resources={"GPU": 2}).result(PATIENCE) == 1


def test_a_key_that_is_not_let_in_is_an_error(sshd, tmp_path):
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")]
    subprocess.run(make, check=True)
    with pytest.raises(RuntimeError, match="Permission denied"):
        cluster_of({**sshd, "client_keys": str(tmp_path / "other")})


def test_a_python_that_is_not_there_is_an_error(sshd):
    with pytest.raises(RuntimeError, match="no-such-python"):
        SSHCluster(["127.0.0.1"] * 2, connect_options=sshd, remote_python="/nowhere/no-such-python")


def test_the_command_runs_until_it_is_interrupted(sshd):
    command = [sys.executable, "-m", "samite", "ssh", "127.0.0.1"]
    command += ["--ssh-port", str(sshd["port"]), "--ssh-private-key", sshd["client_keys"]]
    command += ["--ssh-option", "StrictHostKeyChecking=no"]
    command += ["--ssh-option", "UserKnownHostsFile=/dev/null"]
    command += ["--remote-python", sys.executable, "--nthreads", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        said = process.stdout.readline()
        try:
            assert said.startswith("Scheduler at t"), said + process.stderr.read()
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
