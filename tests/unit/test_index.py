"""The index of a store is a hint: whatever happens to it or to the files, what is read is what is there."""

import json
import os
import time
from pathlib import Path

import pytest

from results import cache, index, walk
from results.cache import REMEMBERED
from results.index import load_records
from results.records import read_record, write_record


@pytest.fixture(autouse=True)
def eager(monkeypatch, tmp_path):
    """Remembers small stores too, trusts files of this moment, and keeps its hands off the user's caches."""
    monkeypatch.setattr(index, "_WORTH_REMEMBERING", 1)
    monkeypatch.setattr(walk, "FRESH", 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


@pytest.fixture
def reads(monkeypatch):
    """The files that were read, in order."""
    seen: list[str] = []

    def read(path):
        seen.append(str(path))
        return read_record(path)

    monkeypatch.setattr(walk, "read_record", read)
    return seen


@pytest.fixture
def planted(store, make_run, make_record):
    """A store of four records: seeds 0 to 3 with top-1 of 40 to 43."""
    for seed in range(4):
        run = make_run(seed=seed)
        write_record(store / run.path, make_record(run, 40.0 + seed))
    _let_the_clock_tick()
    return store


def _let_the_clock_tick() -> None:
    time.sleep(0.02)  # the kernel's time stamps are a few milliseconds apart


def _accuracies(store: Path) -> list[float]:
    return sorted(entry.top1 for entry in load_records([store]))


def _files(store: Path) -> list[Path]:
    return sorted(store.rglob("record.json"))


def test_a_store_that_nobody_touched_is_not_read_again(planted, reads):
    first, second = load_records([planted]), load_records([planted])
    assert len(reads) == 4
    assert first.by_key == second.by_key
    assert [entry.path for entry in second] == _files(planted)


def test_a_new_record_is_found_and_it_alone_is_read(planted, reads, make_run, make_record):
    load_records([planted])
    run = make_run("mixup", seed=9)
    write_record(planted / run.path, make_record(run, 99.0))
    assert _accuracies(planted) == [40, 41, 42, 43, 99]
    assert reads[4:] == [str(planted / run.path / "record.json")]


def test_a_record_in_a_folder_that_had_none_is_found(planted, make_run, make_record):
    run = make_run(seed=9)
    (planted / run.path).mkdir()
    _let_the_clock_tick()
    load_records([planted])
    write_record(planted / run.path, make_record(run, 99.0))
    assert _accuracies(planted)[-1] == 99


def test_a_replaced_record_is_read_again(planted, make_run, make_record):
    load_records([planted])
    run = make_run(seed=2)
    write_record(planted / run.path, make_record(run, 77.0))
    assert _accuracies(planted) == [40, 41, 43, 77]


def test_an_edit_in_place_of_the_same_size_and_time_is_seen(planted):
    load_records([planted])
    path = _files(planted)[0]
    before = path.stat()
    path.write_text(path.read_text().replace('"top1": 40.0', '"top1": 49.0'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert 49 in _accuracies(planted)


def test_a_record_that_is_gone_is_gone(planted):
    load_records([planted])
    _files(planted)[0].unlink()
    assert len(_accuracies(planted)) == 3
    for file in _files(planted):
        file.unlink()
        file.parent.rmdir()
    assert _accuracies(planted) == []


def test_damage_is_named_every_time_and_its_repair_is_seen(planted):
    path = _files(planted)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    assert [len(load_records([planted]).problems) for _ in range(3)] == [1, 1, 1]
    path.write_bytes(whole)
    assert load_records([planted]).problems == []


def _flip(content: bytes) -> bytes:
    """One digit of one accuracy changed: still JSON, no longer what was written."""
    assert b"41.0" in content
    return content.replace(b"41.0", b"91.0")


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"\x80\x04K\x01.",
        lambda content: content + b"\n",
        lambda content: json.dumps({"top1": 100}).encode(),
    ],
)
def test_a_damaged_index_is_not_used_and_is_replaced(planted, reads, damage):
    load_records([planted])
    hint = planted / REMEMBERED
    hint.write_bytes(damage(hint.read_bytes()))
    assert [_accuracies(planted) for _ in range(2)] == [[40, 41, 42, 43]] * 2
    assert len(reads) == 8


def test_an_index_of_other_code_is_not_used(planted, reads, monkeypatch):
    load_records([planted])
    monkeypatch.setattr(cache, "_reader", lambda: "another reader")
    assert _accuracies(planted) == [40, 41, 42, 43]
    assert len(reads) == 8


def test_a_store_that_cannot_be_written_is_remembered_elsewhere(planted, reads, tmp_path):
    (planted / REMEMBERED).mkdir()
    assert [_accuracies(planted) for _ in range(2)] == [[40, 41, 42, 43]] * 2
    assert len(reads) == 4
    assert len(list((tmp_path / "caches").rglob("*.json"))) == 1


def test_what_changed_a_moment_ago_is_read_again(planted, reads, monkeypatch):
    """A second change within one tick of the clock leaves no trace in the time stamp."""
    monkeypatch.setattr(walk, "FRESH", 60.0)
    assert [_accuracies(planted) for _ in range(2)] == [[40, 41, 42, 43]] * 2
    assert len(reads) == 8


def test_a_small_store_gets_no_index(planted, monkeypatch):
    monkeypatch.undo()
    load_records([planted])
    assert not (planted / REMEMBERED).exists()


def test_abandoned_drafts_are_swept_up(planted):
    old, new = (planted / f".{REMEMBERED}.{letter * 32}" for letter in "ab")
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    load_records([planted])
    assert (old.exists(), new.exists()) == (False, True)


def test_links_to_folders_are_named_and_not_followed(planted, tmp_path):
    planted.rename(tmp_path / "elsewhere")
    planted.mkdir()
    (planted / "linked").symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        records = load_records([planted])
        assert list(records) == []
        assert records.problems == [f"{planted}/linked: a link to a folder, not followed"]


def test_folders_without_an_end_are_given_up(planted):
    deep = planted.joinpath(*["d"] * 100)
    deep.mkdir(parents=True)
    records = load_records([planted])
    assert len(list(records)) == 4
    assert "too deep to be searched" in records.problems[0]


def test_a_name_that_is_not_utf8_is_named(planted):
    path = _files(planted)[0].parent
    os.rename(path, os.path.join(os.fsencode(path.parent), b"seed\xff" + os.fsencode(path.name)))
    for _ in range(2):
        records = load_records([planted])
        assert len(list(records)) == 3
        assert "is not UTF-8" in records.problems[0]
        records.problems[0].encode()
