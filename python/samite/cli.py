"""The command line: ``samite`` or ``python -m samite``.

Other packages add commands through entry points of the group ``samite_cli``, each of which names
a ``click`` command or group.
"""

from __future__ import annotations

import sys
import warnings
from functools import reduce
from importlib import metadata
from pathlib import Path
from typing import Any

import click

import samite
import samite.config

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 88}
ENTRY_POINT_GROUP = "samite_cli"
_CONFIG_FILE = "samite.yaml"


class _Commands(click.Group):
    """A group whose commands for clusters are imported when they are used."""

    lazy = ("scheduler", "spec", "ssh", "worker")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name."""
        command = super().get_command(ctx, cmd_name)
        if command is None and cmd_name in self.lazy:
            from importlib import import_module

            command = import_module(f"samite.distributed.cli.{cmd_name}").main
        return command


@click.group(cls=_Commands, context_settings=CONTEXT_SETTINGS)
@click.version_option(samite.__version__)
def cli() -> None:
    """Samite: parallel and distributed computing."""


@cli.group()
def info() -> None:
    """About this installation."""


@info.command()
def versions() -> None:
    """Print the versions of Samite and of what it works with, as JSON."""
    from samite.utils import show_versions

    show_versions()


@cli.group()
def config() -> None:
    """Show and change settings."""


@config.command(name="get")
@click.argument("key")
def config_get(key: str) -> None:
    """Print the value of KEY, such as array.chunk-size."""
    try:
        value = reduce(lambda part, name: part[name], key.split("."), samite.config.config)
    except (KeyError, TypeError):
        click.echo(click.style(f"Section not found: {key}", fg="red"), err=True)
        sys.exit(1)
    if isinstance(value, (list, dict)):
        click.echo_via_pager(_to_yaml(value))
    else:
        click.echo(str(value))


@config.command(name="find")
@click.argument("key")
def config_find(key: str) -> None:
    """Print the files that set KEY, and to what."""
    found = list(samite.config.paths_containing_key(key))
    if not found:
        click.echo(f"Unable to find [{key}] in any of the following paths:")
        click.echo("\n".join(str(path) for path in samite.config.paths))
        return
    click.echo(f"Found [{key}] in the following files:")
    width = max(len(str(path)) for path in found)
    for path in found:
        [content] = samite.config.collect_yaml([path])
        value = samite.config.get(key, config=content)
        click.echo(f"{path!s:<{width}}  [{key}={value}]")


@config.command(name="set")
@click.argument("key")
@click.argument("value")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    default=None,
    help=(
        "File to change. By default the first one that has the key already, otherwise "
        f"{_CONFIG_FILE} in the folder that SAMITE_CONFIG names or in ~/.config/samite."
    ),
)
def config_set(key: str, value: str, file: Path | None) -> None:
    """Write VALUE for KEY to a settings file."""
    meant = samite.config.interpret_value(value)
    _, path = save_config(key, meant, file)
    click.echo(f"Updated [{key}] to [{meant}], config saved to {path}")


def save_config(key: str, value: Any, config_file: Path | None = None) -> tuple[dict, Path]:
    """Set a key in a settings file and leave its other settings as they are.

    Parameters
    ----------
    key : str
        With dots between its parts.
    value : object
        Anything that YAML can hold.
    config_file : Path, optional
        See ``samite config set --help`` for the default.

    Returns
    -------
    tuple
        The whole content of the file, and its path.

    Raises
    ------
    RuntimeError
        If the file cannot be written.
    """
    import yaml

    if config_file is None:
        config_file = next(
            iter(samite.config.paths_containing_key(key)),
            Path(samite.config.PATH) / _CONFIG_FILE,
        )
    path = Path(config_file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
        samite.config.set({key: value}, config=content)
        path.write_text(_to_yaml(content))
    except OSError as error:
        raise RuntimeError(
            f"The settings could not be written to {path}: {error.strerror or error}.\n"
            "Choose another file with --file, or another folder with the environment variable "
            "SAMITE_CONFIG."
        ) from error
    return content, path


@config.command(name="list")
def config_list() -> None:
    """Print all settings."""
    click.echo_via_pager(_to_yaml(samite.config.config))


def _to_yaml(value: Any) -> str:
    import yaml

    return yaml.dump(value)


def _register_command_ep(interface: click.Group, entry_point: metadata.EntryPoint) -> None:
    """Add the command of an entry point to a group; one that is broken only warns."""
    try:
        command = entry_point.load()
    except Exception as error:
        warnings.warn(
            f"While registering the command with name '{entry_point.name}', an exception "
            f"occurred; {error}.",
            stacklevel=2,
        )
        return
    if not isinstance(command, click.Command):
        warnings.warn(
            f"Entry points in '{ENTRY_POINT_GROUP}' must be instances of click.Command or "
            f"click.Group, not {type(command)}.",
            stacklevel=2,
        )
        return
    if command.name in interface.commands:
        warnings.warn(
            f"While registering the command with name '{command.name}', an existing command or "
            "group of that name was replaced.",
            stacklevel=2,
        )
    interface.add_command(command)


def run_cli() -> None:
    """Run the command line with the commands of all installed packages."""
    for entry_point in metadata.entry_points(group=ENTRY_POINT_GROUP):
        _register_command_ep(cli, entry_point)
    cli()
