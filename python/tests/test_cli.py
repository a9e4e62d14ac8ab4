"""The command line."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

import samite
import samite.cli
import samite.config


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The only place where settings are looked for."""
    monkeypatch.setattr(samite.config, "paths", [str(tmp_path)])
    monkeypatch.setattr(samite.config, "PATH", str(tmp_path))
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(samite.cli.cli, list(arguments), catch_exceptions=False)


def test_version():
    assert samite.__version__ in run("--version").output


def test_as_a_module():
    command = [sys.executable, "-m", "samite", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert samite.__version__ in done.stdout


def test_info_versions():
    table = json.loads(run("info", "versions").output)
    assert table["Python"] == ".".join(str(part) for part in sys.version_info[:3])
    assert "samite" in table


def test_config_get():
    with samite.config.set({"a.b": None, "a.c": {"d": [1, 2]}}):
        assert run("config", "get", "a.b").output == "None\n"
        assert yaml.safe_load(run("config", "get", "a.c").output) == {"d": [1, 2]}
        assert yaml.safe_load(run("config", "list").output)["a"]["b"] is None
        for key in ("a.x", "a.b.c"):
            missing = run("config", "get", key)
            assert missing.exit_code == 1
            assert missing.output == f"Section not found: {key}\n"


def test_config_get_needs_a_key():
    result = run("config", "get")
    assert result.exit_code == 2
    assert "Missing argument 'KEY'" in result.output


@pytest.mark.parametrize("value", ["333MiB", 2, [1, 2], {"x": "y"}, None, True])
def test_config_set_then_find(folder, value):
    (folder / "samite.yaml").write_text(yaml.dump({"other": {"kept": 1}}))
    result = run("config", "set", "fizz.buzz", str(value))
    assert (
        result.output == f"Updated [fizz.buzz] to [{value}], config saved to {folder}/samite.yaml\n"
    )
    content = yaml.safe_load((folder / "samite.yaml").read_text())
    assert content == {"other": {"kept": 1}, "fizz": {"buzz": value}}
    assert f"{folder}/samite.yaml  [fizz.buzz={value}]" in run("config", "find", "fizz.buzz").output


def test_config_set_changes_the_file_that_has_the_key(folder):
    theirs = folder / "team.yaml"
    theirs.write_text(yaml.dump({"fizz": {"buzz": 1}}))
    run("config", "set", "fizz.buzz", "5")
    assert yaml.safe_load(theirs.read_text()) == {"fizz": {"buzz": 5}}
    assert not (folder / "samite.yaml").exists()


def test_config_set_makes_folders_for_a_file(folder):
    file = folder / "deep" / "er" / "x.yaml"
    run("config", "set", "fizz", "5", "--file", str(file))
    assert yaml.safe_load(file.read_text()) == {"fizz": 5}


def test_config_set_to_an_impossible_file(folder):
    (folder / "plain").write_text("")
    with pytest.raises(RuntimeError, match="SAMITE_CONFIG"):
        run("config", "set", "fizz", "5", "--file", str(folder / "plain" / "x.yaml"))


def test_config_find_nothing(folder):
    output = run("config", "find", "fizz.buzz").output
    assert output == f"Unable to find [fizz.buzz] in any of the following paths:\n{folder}\n"


def test_config_find_aligns_several_files(folder):
    for name, number in (("a.yaml", 1), ("longer.yaml", 2)):
        (folder / name).write_text(yaml.dump({"fizz": {"buzz": number}}))
    (folder / "none.yaml").write_text(yaml.dump({"foo": 1}))
    lines = run("config", "find", "fizz.buzz").output.splitlines()
    assert lines[1:] == [
        f"{folder / 'a.yaml'}       [fizz.buzz=1]",
        f"{folder / 'longer.yaml'}  [fizz.buzz=2]",
    ]


@click.command(name="good")
def good_command():
    pass


@click.command(name="good")
def another_good_command():
    pass


not_a_command = len


def entry_point(name: str) -> metadata.EntryPoint:
    module = Path(__file__).stem
    return metadata.EntryPoint(name=name, value=f"{module}:{name}", group="samite_cli")


def test_commands_of_other_packages(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    group = click.Group()
    register = samite.cli._register_command_ep
    register(group, entry_point("good_command"))
    assert group.commands["good"].name == "good"
    with pytest.warns(UserWarning, match="was replaced"):
        register(group, entry_point("another_good_command"))
    with pytest.warns(UserWarning, match="must be instances of"):
        register(group, entry_point("not_a_command"))
    with pytest.warns(UserWarning, match="exception occurred"):
        register(group, entry_point("missing_command"))
