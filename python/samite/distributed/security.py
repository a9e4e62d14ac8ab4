"""Who may talk to a cluster."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import Any

from samite import config

__all__ = ["Security"]

_OWN_TOKEN_FILE = "~/.config/samite/token"
_FIELDS = {
    "tls_ca_file": "distributed.comm.tls.ca-file",
    "tls_ciphers": "distributed.comm.tls.ciphers",
    "tls_min_version": "distributed.comm.tls.min-version",
    "tls_max_version": "distributed.comm.tls.max-version",
    "tls_client_cert": "distributed.comm.tls.client.cert",
    "tls_client_key": "distributed.comm.tls.client.key",
    "tls_scheduler_cert": "distributed.comm.tls.scheduler.cert",
    "tls_scheduler_key": "distributed.comm.tls.scheduler.key",
    "tls_worker_cert": "distributed.comm.tls.worker.cert",
    "tls_worker_key": "distributed.comm.tls.worker.key",
}
_VERSIONS = ("tls_min_version", "tls_max_version")
_SECRET = frozenset({"tls_client_key", "tls_scheduler_key", "tls_worker_key", "token"})


class Security:
    """Who may talk to a cluster: a token that its members know, and certificates.

    Parameters
    ----------
    require_encryption:
        Whether connections over a network must be encrypted.
    token:
        A secret that all members know; they prove that without sending it.
    tls_ca_file, tls_client_cert, tls_client_key, tls_scheduler_cert, ...:
        Certificates and keys in PEM, as text or as names of files. What is not given here, the
        settings below ``distributed.comm.tls`` say; None is none.
    tls_min_version, tls_max_version:
        Which versions of TLS may be used, as :class:`ssl.TLSVersion` or as 1.2 and 1.3. By default
        1.3 alone, or 1.2 alone where that is the highest.
    tls_ciphers:
        OpenSSL's names of the ciphers that may be used, with colons between. As there, names of
        TLS 1.2 alone leave the ciphers of TLS 1.3 as they are.

    Raises
    ------
    TypeError
        For an unknown keyword argument.
    ValueError
        For another version of TLS, or a lowest one above the highest.
    """

    __slots__ = (
        "extra_conn_args",
        "require_encryption",
        "tls_ca_file",
        "tls_ciphers",
        "tls_client_cert",
        "tls_client_key",
        "tls_max_version",
        "tls_min_version",
        "tls_scheduler_cert",
        "tls_scheduler_key",
        "tls_worker_cert",
        "tls_worker_key",
        "token",
    )

    tls_ca_file: str | None
    tls_ciphers: str | None
    tls_max_version: Any
    tls_min_version: Any
    token: str | None

    def __init__(self, require_encryption: bool | None = None, **kwargs: Any) -> None:
        unknown = set(kwargs) - {*_FIELDS, "extra_conn_args", "token"}
        if unknown:
            raise TypeError(f"Invalid keyword argument(s): {', '.join(sorted(unknown))}")
        for name, setting in _FIELDS.items():
            value = kwargs[name] if name in kwargs else config.get(setting, None)
            setattr(self, name, _tls_version(name, value) if name in _VERSIONS else value)
        if None not in (self.tls_min_version, self.tls_max_version) and (
            self.tls_min_version > self.tls_max_version
        ):
            raise ValueError(
                f"tls_min_version={self.tls_min_version.name} is above "
                f"tls_max_version={self.tls_max_version.name}: nothing is left to use"
            )
        if require_encryption is None:
            require_encryption = config.get("distributed.comm.require-encryption", None)
        if require_encryption is None:
            require_encryption = bool(self.tls_ca_file)
        self.require_encryption = bool(require_encryption)
        self.extra_conn_args = kwargs.get("extra_conn_args") or {}
        self.token = kwargs.get("token")

    @classmethod
    def temporary(cls, **kwargs: Any) -> Security:
        """A new token, and certificates that were made just now and are written nowhere."""
        from samite import _engine

        made = _engine.generate_credentials()
        certificates = {
            f"tls_{role}_{part}": made[name]
            for role in ("client", "scheduler", "worker")
            for part, name in (("cert", "certificate"), ("key", "key"))
        }
        return cls(
            **{
                "require_encryption": True,
                "token": made["token"],
                "tls_ca_file": made["authority"],
                **certificates,
                **kwargs,
            }
        )

    @classmethod
    def _with_token(cls) -> Security:
        """A new token, without certificates."""
        return cls(token=secrets.token_hex(32))

    @property
    def has_certificates(self) -> bool:
        """Whether connections can be encrypted."""
        return bool(self.tls_ca_file)

    def _of_role(self, role: str) -> dict[str, Any]:
        """What the engine takes."""
        found = {
            "token": self.token,
            "authority": self.tls_ca_file,
            "certificate": getattr(self, f"tls_{role}_cert"),
            "key": getattr(self, f"tls_{role}_key"),
            "require_encryption": self.require_encryption or None,
            "lowest_version": _version_text(self.tls_min_version),
            "highest_version": _version_text(self.tls_max_version),
            "ciphers": self.tls_ciphers,
        }
        return {name: value for name, value in found.items() if value is not None}

    def _to_file(self) -> dict[str, Any]:
        """What a scheduler file says: contents in place of names of files."""
        found: dict[str, Any] = {"require_encryption": self.require_encryption}
        for name in (*_FIELDS, "token"):
            value = getattr(self, name)
            if isinstance(value, str) and value and name != "token" and _is_path(name, value):
                with open(value) as file:
                    value = file.read()
            if name in _VERSIONS:
                value = _version_text(value)
            if value is not None:
                found[name] = value
        return found

    @classmethod
    def _of_file(cls, content: dict[str, Any]) -> Security:
        return cls(**content)

    def get_tls_config_for_role(self, role: str) -> dict[str, Any]:
        """The settings of TLS for ``"client"``, ``"scheduler"`` or ``"worker"``.

        Raises
        ------
        ValueError
            For another role.
        """
        if role not in ("client", "scheduler", "worker"):
            raise ValueError(f"unknown role {role!r}: it is 'client', 'scheduler' or 'worker'")
        return {
            "ca_file": self.tls_ca_file,
            "cert": getattr(self, f"tls_{role}_cert"),
            "key": getattr(self, f"tls_{role}_key"),
            "ciphers": self.tls_ciphers,
        }

    def get_connection_args(self, role: str) -> dict[str, Any]:
        """What :class:`rpc` and :func:`connect` take for connecting as ``"client"``,
        ``"scheduler"`` or ``"worker"``.

        Raises
        ------
        ValueError
            For another role.
        """
        self.get_tls_config_for_role(role)
        return {
            "security": self,
            "require_encryption": self.require_encryption,
            "extra_conn_args": self.extra_conn_args,
        }

    get_listen_args = get_connection_args

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: getattr(self, name) for name in self.__slots__}
        return (_security, (values,))

    def __repr__(self) -> str:
        said = []
        for name in ("require_encryption", *sorted(_FIELDS), "token"):
            value = getattr(self, name)
            if value is None or (value is False and name == "require_encryption"):
                continue
            text = str(value)
            if name in _SECRET and ("-----BEGIN" in text or name == "token"):
                value = "..."
            elif "-----BEGIN" in text:
                value = "Temporary (In-memory)"
            elif name in _VERSIONS:
                value = value.name
            said.append(f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}")
        return f"Security({', '.join(said)})"


def _security(values: dict[str, Any]) -> Security:
    security = Security.__new__(Security)
    for name, value in values.items():
        setattr(security, name, value)
    return security


def _tls_version(name: str, value: Any) -> Any:
    """The :class:`ssl.TLSVersion` that a user or a setting means."""
    if value is None:
        return None
    import ssl

    known = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
    found = value if value in known.values() else known.get(str(value))
    if found is None:
        raise ValueError(
            f"{name}={value!r} is not supported, expected one of {[*known.values(), None]}"
        )
    return ssl.TLSVersion(found)


def _version_text(version: Any) -> str | None:
    return None if version is None else version.name.removeprefix("TLSv").replace("_", ".")


def _is_path(name: str, value: str) -> bool:
    return "-----BEGIN" not in value and name.endswith(("file", "cert", "key"))


# The securities of schedulers that this process started, by address; None for open ones.
_known: dict[str, Security | None] = {}


def remember(address: str, security: Security | None) -> None:
    """Let clients of this process find the security of a scheduler that it started."""
    _known[address] = security


def forget(address: str) -> None:
    """Undo :func:`remember`."""
    _known.pop(address, None)


def known_security(address: str) -> Security | None:
    """The security of a scheduler that this process started."""
    return _known.get(address)


def security_of(given: Any, address: str, role: str) -> dict[str, Any] | None:
    """What the engine is to use for talking to an address; None for an open cluster.

    Parameters
    ----------
    given:
        A :class:`Security`, a dict of its arguments, True for a temporary one, False for none, or
        None for what this process or the settings know.

    Raises
    ------
    TypeError
        For anything else.
    """
    if given is False:
        return None
    security = as_security(given)
    if security is None:
        # The user's own token is not for a cluster that is open.
        security = _known[address] if address in _known else _of_settings()
    return None if security is None else security._of_role(role)


def loaded_security(address: str) -> Security | None:
    """What the function makes of a scheduler's address that the setting
    ``distributed.client.security-loader`` names; None without one.

    Raises
    ------
    ImportError
        If there is no such function.
    TypeError
        If it makes something else than a :class:`Security` or None.
    """
    named = config.get("distributed.client.security-loader", None)
    if not named:
        return None
    import importlib

    module, _, function = str(named).rpartition(".")
    try:
        load = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ImportError(
            f"the setting distributed.client.security-loader names no function: {named!r}"
        ) from error
    security = load({"address": address})
    if security is not None and not isinstance(security, Security):
        raise TypeError(
            f"the function {named} of distributed.client.security-loader makes a Security or None, "
            f"not {type(security).__name__}"
        )
    return security


def as_security(given: Any) -> Security | None:
    """A :class:`Security` from what users give for one."""
    if given is None or given is False:
        return None
    if given is True:
        return Security.temporary()
    if isinstance(given, dict):
        return Security(**given)
    if isinstance(given, Security):
        return given
    raise TypeError(
        f"security= is a Security, True for a temporary one, or None, not {type(given).__name__}"
    )


def _of_settings() -> Security | None:
    security = Security(token=config.get("distributed.comm.token", None))
    if security.token is None and not security.tls_ca_file:
        security.token = token_file(create=False)
    return security if security.token or security.tls_ca_file else None


def token_file(path: Any = None, create: bool = False) -> str | None:
    """The secret in a file; None where there is no such file.

    Parameters
    ----------
    path:
        By default the setting ``distributed.comm.token-file``, else a file of the user's own.
    create:
        Whether to make the file, with a new secret, where it is missing.

    Raises
    ------
    PermissionError
        If other users can read the file.
    FileNotFoundError
        If a file that was named is missing and not to be made.
    """
    named = path or config.get("distributed.comm.token-file", None)
    path = os.path.expanduser(str(named or _OWN_TOKEN_FILE))
    if create and not os.path.exists(path):
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if named:
            raise
        return None
    if mode & 0o077:
        raise PermissionError(
            f"{path} can be read by other users, and holds the secret of a cluster: run "
            f"'chmod 600 {path}', or make a new one"
        )
    with open(path) as file:
        return file.read().strip() or None
