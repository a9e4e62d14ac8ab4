"""Versions of TLS and ciphers: what is asked for is what clusters use."""

from __future__ import annotations

import os
import pickle
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import pytest
from cluster_patience import PATIENCE

from samite import config
from samite.distributed import Client, LocalCluster, Security

_OLD, _NEW = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def _variant(security, **changes):
    """The same certificates and token, with other settings."""
    return Security(**{**security._to_file(), **changes})


def _handshake(address, security, **limits):
    """What OpenSSL and the listener agree on: version and name of the cipher."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(security.tls_client_cert + security.tls_client_key)
        file.flush()
        context.load_cert_chain(file.name)
    for name, value in limits.items():
        setattr(context, name, value)
    host, _, port = address.removeprefix("tls://").rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=PATIENCE) as plain,
        context.wrap_socket(plain) as encrypted,
    ):
        return encrypted.version(), encrypted.cipher()[0]


@pytest.fixture(scope="module")
def modern():
    """A cluster whose scheduler takes TLS 1.3 alone, and its security."""
    security = Security.temporary(tls_min_version=_NEW)
    with LocalCluster(
        n_workers=1, processes=False, protocol="tls", security=security, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address, security


def test_versions_are_those_of_ssl_or_numbers():
    for given, version in [(_OLD, _OLD), (1.2, _OLD), ("1.3", _NEW), (int(_NEW), _NEW)]:
        security = Security(tls_min_version=given)
        assert security.tls_min_version is version
        copy = pickle.loads(pickle.dumps(security))
        assert copy.tls_min_version is version and repr(copy) == repr(security)
        assert Security._of_file(security._to_file()).tls_min_version is version
    with config.set({"distributed.comm.tls.max-version": 1.2}):
        assert Security().tls_max_version is _OLD


@pytest.mark.parametrize("bad", [1.1, "TLSv1.3", ssl.TLSVersion.TLSv1, 7, []])
def test_other_versions_are_refused(bad):
    with pytest.raises(ValueError, match="tls_max_version=.* is not supported"):
        Security(tls_max_version=bad)


def test_versions_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="tls_min_version=TLSv1_3 is above"):
        Security(tls_min_version=_NEW, tls_max_version=_OLD)


def test_a_client_of_an_older_version_is_told_why(modern):
    address, security = modern
    with Client(address, security=security) as client:
        assert client.submit(sum, [1, 2]).result(timeout=PATIENCE) == 3
    began = time.monotonic()
    with pytest.raises(OSError, match=r"this one allows TLS 1\.2 only.*tls_max_version"):
        Client(
            address,
            security=_variant(security, tls_min_version=_OLD, tls_max_version=_OLD),
            timeout=PATIENCE,
        )
    assert time.monotonic() - began < PATIENCE / 2
    assert _handshake(address, security)[0] == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        _handshake(address, security, maximum_version=_OLD)


def test_unknown_ciphers_are_named_with_those_that_exist(modern):
    address, security = modern
    with pytest.raises(
        ValueError, match=r'the cipher "RC4-MD5" is not usable.*TLS_AES_256_GCM_SHA384'
    ):
        Client(address, security=_variant(security, tls_ciphers="RC4-MD5"), timeout=5)
    with pytest.raises(ValueError, match=r"allow TLS 1\.2 too"):
        Client(
            address,
            security=_variant(security, tls_ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
            timeout=5,
        )


def test_the_cipher_that_is_named_is_the_one_used(modern):
    _, security = modern
    chosen = _variant(security, tls_ciphers="TLS_CHACHA20_POLY1305_SHA256")
    with (
        LocalCluster(
            n_workers=1, processes=False, protocol="tls", security=chosen, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(sum, [1, 2]).result(timeout=PATIENCE) == 3
        address = cluster.scheduler_address
        assert _handshake(address, security) == ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256")
        other = _variant(security, tls_ciphers="TLS_AES_128_GCM_SHA256")
        with pytest.raises(OSError, match="no cipher in common.*TLS_AES_128_GCM_SHA256"):
            Client(address, security=other, timeout=PATIENCE)


def test_settings_reach_processes():
    """A cluster of processes that speak TLS 1.2 with one cipher, by the settings alone."""
    settings = {
        "distributed.comm.tls.min-version": 1.2,
        "distributed.comm.tls.max-version": 1.2,
        "distributed.comm.tls.ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384",
    }
    with config.set(settings):
        security = Security.temporary()
    with (
        LocalCluster(
            n_workers=2, processes=True, protocol="tls", security=security, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        assert client.gather(client.map(abs, range(-3, 3))) == [3, 2, 1, 0, 1, 2]
        addresses = [cluster.scheduler_address, *client.scheduler_info()["workers"]]
        assert len(addresses) == 3
        for address in addresses:
            agreed = _handshake(address, security, maximum_version=_OLD)
            assert agreed == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
            with pytest.raises(ssl.SSLError):
                _handshake(address, security, minimum_version=_NEW)


def test_a_worker_of_another_version_ends_with_the_reason(modern, tmp_path):
    address, security = modern
    files = {}
    for name in ("tls_ca_file", "tls_worker_cert", "tls_worker_key"):
        files[name] = tmp_path / name
        files[name].write_text(getattr(security, name))
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(security.token)
    command = [sys.executable, "-m", "samite", "worker", address, "--no-nanny"]
    command += ["--tls-ca-file", files["tls_ca_file"], "--tls-cert", files["tls_worker_cert"]]
    command += ["--tls-key", files["tls_worker_key"], "--token-file", token]
    environment = {**os.environ, "DASK_DISTRIBUTED__COMM__TLS__MAX_VERSION": "1.2"}
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert ended.returncode != 0
    assert "TLS 1.2 only" in ended.stderr and "Traceback" not in ended.stderr
