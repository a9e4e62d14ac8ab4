"""Settings: names, priorities, files, the environment, threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samite import config

trees = st.recursive(
    st.integers(),
    lambda below: st.dictionaries(st.sampled_from(["a", "b-c", "d"]), below, max_size=3),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict))

# No path leads through another one.
settings_by_path = st.dictionaries(
    st.sampled_from(["a.b", "a.c", "a.x-y", "d", "e-f.g.h", "e-f.g.i"]), st.integers()
)


def nested(by_path):
    tree: dict = {}
    config.set(by_path, config=tree)
    return tree


@given(settings_by_path, settings_by_path)
def test_priority_says_who_wins(one, two):
    other = {path.replace("-", "_"): value for path, value in two.items()}
    new = config.update(nested(one), nested(other), priority="new")
    old = config.update(nested(one), nested(other), priority="old")
    for path in {*one, *two}:
        assert config.get(path, config=new) == two.get(path, one.get(path))
        assert config.get(path, config=old) == one.get(path, two.get(path))


@given(trees)
def test_merge_copies(tree):
    merged = config.merge(tree)
    before = repr(tree)
    config.set({"a.b": 1, "b-c.x": 2}, config=merged)
    assert repr(tree) == before


@given(trees, st.dictionaries(st.sampled_from(["a", "b-c", "a.d", "b_c.d.a"]), st.integers()))
def test_set_restores_whatever_was_there(tree, changes):
    settings = config.merge(tree)
    with config.set(changes, config=settings):
        for key in changes:
            later = list(changes)[list(changes).index(key) + 1 :]
            if not any(key[0] == other[0] for other in later):
                assert config.get(key, config=settings) == changes[key]
    assert settings == tree


def test_set_nested_blocks_and_exceptions():
    with pytest.raises(ZeroDivisionError), config.set({"mine.x": 1}):
        with config.set({"mine.x": 2, "mine.y": 3}):
            assert config.get("mine") == {"x": 2, "y": 3}
        assert config.get("mine") == {"x": 1}
        raise ZeroDivisionError
    assert config.get("mine", None) is None


def test_set_does_not_reach_the_callers_dictionary():
    mine = {"x": 1}
    with config.set({"mine": mine}), config.set({"mine.y": 2}):
        assert config.get("mine") == {"x": 1, "y": 2}
    assert mine == {"x": 1}


def test_set_takes_effect_as_a_call():
    settings: dict = {}
    config.set({"a_b": 1}, config=settings, c__d=2)
    assert settings == {"a_b": 1, "c": {"d": 2}}


def test_get_of_a_value_within_a_value():
    with pytest.raises(KeyError, match=r"a\.b\.c"):
        config.get("a.b.c", config={"a": 1})
    assert config.get("a.b.c", 5, config={"a": "text"}) == 5
    assert config.get("a.0", None, config={"a": [1]}) is None


def test_defaults_fill_and_keep_what_users_changed():
    defaults: list = []
    settings: dict = {}
    config.update_defaults({"x": {"a": 1, "b": 1}}, config=settings, defaults=defaults)
    config.set({"x.b": 7}, config=settings)
    config.update_defaults({"x": {"a": 2, "b": 2, "c": 2}}, config=settings, defaults=defaults)
    assert settings == {"x": {"a": 2, "b": 7, "c": 2}}


def test_samite_variables_win_over_dask_variables():
    env = {"DASK_A__B": "1", "DASK_A__C": "2", "SAMITE_A__B": "3", "SAMITEX": "no"}
    assert config.collect_env(env) == {"a": {"b": 3, "c": 2}}


def test_hyphens_in_dask_and_samite_variables_meet():
    env = {"DASK_ARRAY__CHUNK_SIZE": "1MiB", "SAMITE_ARRAY__CHUNK_SIZE": "2MiB"}
    settings: dict = {}
    config.refresh(config=settings, paths=[], env=env)
    assert config.get("array.chunk-size", config=settings) == "2MiB"
    assert "chunk_size" not in settings["array"]


def test_variables_that_locate_settings_are_no_settings():
    env = {"SAMITE_CONFIG": "/x", "DASK_ROOT_CONFIG": "/y"}
    assert config.collect_env(env) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [("", ""), ("1e3", 1000.0), ("(1,", "(1,"), ("{'a': 1}", {"a": 1}), ("0123", "0123")],
)
def test_interpret_value(text, value):
    assert config.interpret_value(text) == value


def test_interpret_value_of_hostile_nesting():
    text = "[" * 100_000
    assert config.interpret_value(text) == text


def test_inherited_settings_come_below_the_environment():
    inherited = config.serialize({"a": {"b": 1, "c": 1}})
    env = {"SAMITE_INTERNAL_INHERIT_CONFIG": inherited, "DASK_A__B": "2"}
    assert config.collect_env(env) == {"a": {"b": 2, "c": 1}}


def test_a_comment_only_file_needs_no_parser(tmp_path):
    (tmp_path / "template.yaml").write_text("# a: 1\n\n   # b: 2\n")
    code = (
        "import sys, samite.config as c\n"
        f"assert list(c.collect_yaml([{str(tmp_path)!r}])) == [{{}}]\n"
        "assert 'yaml' not in sys.modules\n"
    )
    clean = {key: value for key, value in os.environ.items() if "_CONFIG" not in key}
    clean["HOME"] = str(tmp_path)
    subprocess.run([sys.executable, "-c", code], check=True, env=clean)


def test_missing_paths_and_folders_are_passed_over(tmp_path):
    assert list(config.collect_yaml([tmp_path / "none", str(tmp_path)])) == []


def test_values_in_a_later_file_win(tmp_path):
    (tmp_path / "b.yaml").write_text("x: 2\n")
    (tmp_path / "a.yaml").write_text("x: 1\ny: [1, 2]\n")
    (tmp_path / "ignored.txt").write_text("x: 3\n")
    assert config.collect([tmp_path], env={}) == {"x": 2, "y": [1, 2]}


def test_renamed_key_of_higher_priority_wins_over_todays_name(tmp_path):
    (tmp_path / "1.yaml").write_text("optimization: {fuse: {ave-width: 1}}\n")
    (tmp_path / "2.yaml").write_text("fuse_ave_width: 5\n")
    with pytest.warns(FutureWarning, match="ave-width"):
        found = config.collect([tmp_path], env={})
    assert config.get("optimization.fuse.ave-width", config=found) == 5


def test_ensure_file_keeps_what_is_there_and_survives_a_read_only_place(tmp_path):
    source = tmp_path / "mine.yaml"
    source.write_text("a: 1\n\n# note\n")
    config.ensure_file(source, tmp_path / "folder")
    assert (tmp_path / "folder" / "mine.yaml").read_text() == "# a: 1\n\n# note\n"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["mine.yaml"]
    config.ensure_file(source, tmp_path / "mine.yaml" / "below-a-file")


def test_threads_leave_nothing_behind():
    def work(number):
        for _ in range(200):
            with config.set({f"threads.n{number}": number}):
                assert config.get(f"threads.n{number}") == number

    before = config.get("threads", None)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not config.get("threads", before)


def test_every_deprecation_leads_to_a_setting():
    for new in config.deprecations.values():
        if new is not None:
            assert config.get(new, "missing") != "missing"
