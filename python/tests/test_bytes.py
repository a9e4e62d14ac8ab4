"""Files read in blocks: nothing lost, nothing twice, cut where asked."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fsspec")

import samite
from samite.bytes import read_bytes
from samite.bytes.core import _pieces
from samite.bytes.utils import compress

LINES = b"".join(b"line %d\n" % number for number in range(200))


def compute(blocks):
    return [list(file) for file in samite.compute(*blocks, scheduler="sync")]


@given(st.integers(1, 5000), st.integers(1, 700))
def test_pieces_cover_a_file(size, blocksize):
    pieces = _pieces(size, blocksize, not_zero=False)
    assert pieces[0][0] == 0
    assert [start + length for start, length in pieces] == [
        *[start for start, _ in pieces[1:]],
        size,
    ]
    lengths = [length for _, length in pieces]
    assert max(lengths) - min(lengths) <= 1
    assert len(pieces) == max(1, size // blocksize)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=30), max_size=20), st.integers(1, 80))
def test_blocks_end_at_delimiters_and_join_to_the_file(tmp_path, records, blocksize):
    content = b"||".join(records)
    (tmp_path / "file").write_bytes(content)
    _, [blocks] = read_bytes(
        str(tmp_path / "file"), delimiter=b"||", blocksize=blocksize, sample=False
    )
    found = samite.compute(*blocks, scheduler="sync") if blocks else ()
    assert b"".join(found) == content


def test_several_files_with_paths(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_bytes(name.encode() + LINES)
    sample, blocks, paths = read_bytes(
        str(tmp_path / "*.txt"), blocksize="300 B", delimiter=b"\n", include_path=True, sample=20
    )
    assert sample.startswith(b"aline 0\n") and sample.endswith(b"\n") and len(sample) < 40
    assert [os.path.basename(path) for path in paths] == ["a.txt", "b.txt"]
    assert [b"".join(file) for file in compute(blocks)] == [b"a" + LINES, b"b" + LINES]


def test_header_can_be_left_out(tmp_path):
    (tmp_path / "x").write_bytes(b"head\n" + LINES)
    _, blocks = read_bytes(str(tmp_path / "x"), delimiter=b"\n", blocksize=100, not_zero=True)
    assert b"".join(itertools.chain(*compute(blocks))) == LINES


def test_sample_ends_at_a_delimiter_that_was_read_in_two_parts(tmp_path):
    (tmp_path / "x").write_bytes(b"aaaa||bbbb||cccc")
    for size in range(1, 20):
        sample, _ = read_bytes(str(tmp_path / "x"), delimiter=b"||", sample=size)
        expected = 6 if size <= 6 else 12 if size <= 12 else 16
        assert len(sample) == expected


@pytest.mark.parametrize("name", [name for name in compress if name])
def test_compressed_files_are_read_whole(tmp_path, name):
    (tmp_path / "x").write_bytes(compress[name](LINES))
    with pytest.raises(ValueError, match="blocksize=None"):
        read_bytes(str(tmp_path / "x"), compression=name)
    sample, blocks = read_bytes(str(tmp_path / "x"), compression=name, blocksize=None, sample=10)
    assert sample == LINES[:10]
    assert compute(blocks) == [[LINES]]


def test_keys_change_with_the_file(tmp_path):
    path = tmp_path / "x"

    def keys(**options):
        _, [blocks] = read_bytes(str(path), blocksize=500, **options)
        return [block.key for block in blocks]

    path.write_bytes(LINES)
    before = keys()
    assert keys() == before and len(set(before)) == len(before) > 2
    assert keys(delimiter=b"\n") != before
    path.write_bytes(LINES + b"more\n")
    assert not set(keys()) & set(before)


def test_empty_file(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    assert read_bytes(str(tmp_path / "x")) == (b"", [[]])


@pytest.mark.parametrize(
    ("path", "options", "error"),
    [
        ("missing", {}, OSError),
        ("missing-*", {}, OSError),
        ({"a", "b"}, {}, TypeError),
        ("missing", {"blocksize": 1.5}, TypeError),
        ("missing", {"blocksize": 0}, ValueError),
        ("missing", {"blocksize": "5 foos"}, ValueError),
    ],
)
def test_bad_input(tmp_path, monkeypatch, path, options, error):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        read_bytes(path, **options)


def test_open_files(tmp_path):
    from samite.bytes import open_files

    (tmp_path / "x").write_bytes(LINES)
    [file] = open_files(str(tmp_path / "*"))
    with file as opened:
        assert opened.read() == LINES
