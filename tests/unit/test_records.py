"""The strict reader: only whole records of this version, each once, ever reach a table."""

import json
import os
from pathlib import Path

import pytest

from results.files import FAILURE, write_atomically
from results.index import load_records
from results.records import Record, RecordError, read_record, write_record


@pytest.fixture
def plant(make_run, make_record):
    """Writes a record of a run (made-up accuracy) into a store and returns its file."""

    def write(store: Path, top1: float = 50.0, **axes: object) -> Path:
        run = make_run(**axes)
        write_record(store / run.path, make_record(run, top1))
        return store / run.path / "record.json"

    return write


def test_round_trip(store, plant, make_run):
    path = plant(store, 41.5)
    record = read_record(path)
    assert (record.key, record.metrics.top1, record.seed) == (make_run().key, 41.5, 0)
    assert record.run == make_run().identity


def test_writing_a_record_removes_an_older_failure(store, plant, make_run):
    folder = store / make_run().path
    write_atomically(folder / FAILURE, b"{}")
    plant(store)
    assert sorted(file.name for file in folder.iterdir()) == ["record.json"]


def _change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _drop(path: Path, name: str) -> None:
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != name}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "not readable as JSON"),
        (lambda path: path.write_bytes(b""), "not readable as JSON"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "not readable as JSON"),
        (lambda path: path.write_text("[1]"), "not a JSON object"),
        (lambda path: _change(path, schema=2), "schema version 2, this program reads 1"),
        (lambda path: _drop(path, "metrics"), "metrics: Field required"),
        (lambda path: _change(path, extra=1), "extra: Extra inputs"),
        (lambda path: _change(path, seconds="1"), "seconds: Extra inputs"),
        (lambda path: path.write_text(path.read_text().replace("50.0", "NaN")), "not readable as JSON"),
        (lambda path: path.write_text(path.read_text().replace("50.0", "150.0")), "less than or equal to 100"),
        (lambda path: path.write_text(path.read_text().replace('"seed": 0', '"seed": 1')), "its content has key"),
        (lambda path: path.parent.rename(path.parent.with_name("seed0")), "must end in its key"),
    ],
)
def test_what_cannot_be_trusted_is_named_and_left_out(store, plant, damage, message):
    good, bad = plant(store, seed=1), plant(store, seed=0)
    damage(bad)
    records = load_records([store])
    assert [record.seed for record in records] == [1]
    assert len(records.problems) == 1
    assert message in records.problems[0]
    assert str(bad.parent.parent) in records.problems[0]
    assert read_record(good).seed == 1


def test_a_record_that_cannot_be_opened_is_named(store, plant):
    bad = plant(store)
    bad.unlink()
    bad.symlink_to("/nowhere/at/all")
    with pytest.raises(RecordError, match="not readable"):
        read_record(bad)


def test_a_key_twice_in_one_store_leaves_both_out(store, plant):
    first, second = plant(store, 40.0), plant(store / "copy", 60.0)
    records = load_records([store])
    assert list(records) == []
    assert str(first) in records.problems[0]
    assert str(second) in records.problems[0]


def test_the_first_of_two_stores_counts(tmp_path, plant):
    plant(tmp_path / "own", 40.0)
    plant(tmp_path / "measured", 60.0)
    records = load_records([tmp_path / "own", tmp_path / "measured"])
    assert [record.top1 for record in records] == [40.0]
    assert records.problems == []


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_records_say_what_made_the_number(store, plant):
    record = read_record(plant(store))
    assert {"dataset", "samples_per_class", "seed", "method", "protocol"} == set(record.run)
    assert {"host", "device", "threads", "precision", "commit", "dirty", "versions"} <= set(
        type(record.environment).model_fields
    )
    assert {"subset_sha256", "weights_sha256", "train_seconds", "warnings"} <= set(Record.model_fields)
