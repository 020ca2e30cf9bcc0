"""Records into one file and from other stores: nothing lost, nothing merged in silence."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from benchmark.cli.imports import import_records
from results.exchange import COLUMNS, export
from results.index import load_records
from results.records import Record, read_record, write_record


@pytest.fixture
def plant(make_run, make_record):
    def write(store: Path, top1: float = 50.0, **axes: object) -> Path:
        run = make_run(**axes)
        write_record(store / run.path, make_record(run, top1))
        (store / run.path / "history.csv").write_text("step,loss\n1,2\n")
        return store / run.path / "record.json"

    return write


@pytest.fixture
def stores(tmp_path, plant):
    """Ours with seeds 0 and 1, another cluster's with seeds 1 (the same result) and 2."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for store, seeds in ((ours, (0, 1)), (theirs, (1, 2))):
        for seed in seeds:
            plant(store, 50.0 + seed, seed=seed)
    return ours, theirs


def _files(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_import_copies_what_is_new_with_its_history(stores):
    ours, theirs = stores
    before = _files(ours)
    done = import_records(theirs, ours)
    assert (len(done.copied), len(done.same), done.conflicts, done.problems) == (1, 1, [], [])
    assert sorted(record.seed for record in load_records([ours])) == [0, 1, 2]
    assert _files(ours) == before | _files(theirs)
    again = import_records(theirs, ours)
    assert (again.copied, len(again.same)) == ([], 2)


def test_a_conflict_is_named_and_changes_neither_side(stores, plant):
    ours, theirs = stores
    plant(theirs, 99.0, seed=1)
    sides = _files(ours), _files(theirs)
    done = import_records(theirs, ours)
    (conflict,) = done.conflicts
    assert "top-1 51.00 here, 99.00 there" in conflict
    assert str(ours) in conflict and str(theirs) in conflict
    assert len(done.copied) == 1
    assert (sides[0].items() <= _files(ours).items()) and _files(theirs) == sides[1]


def test_the_same_accuracy_made_twice_is_a_conflict_too(stores):
    ours, theirs = stores
    path = next(path for path in theirs.rglob("record.json") if "seed1" in str(path))
    path.write_text(path.read_text().replace('"host": "here"', '"host": "there"'))
    assert "made twice" in import_records(theirs, ours).conflicts[0]


def test_what_cannot_be_trusted_is_not_imported(stores):
    ours, theirs = stores
    for path in theirs.rglob("record.json"):
        path.write_bytes(path.read_bytes()[:100])
    done = import_records(theirs, ours)
    assert (done.copied, done.same, len(done.problems)) == ([], [], 2)


def test_a_damaged_record_of_ours_is_not_replaced(stores):
    ours, theirs = stores
    for path in ours.rglob("record.json"):
        path.write_bytes(b"{")
    done = import_records(theirs, ours)
    assert len(done.conflicts) == 1
    assert [path.read_bytes() for path in ours.rglob("record.json")].count(b"{") == 2


def test_two_of_a_key_in_the_source_are_both_left_out(stores, plant):
    ours, theirs = stores
    plant(theirs / "copy", 77.0, seed=2)
    done = import_records(theirs, ours)
    assert (done.copied, len(done.same)) == ([], 1)
    assert "is there 2 times" in done.problems[0]


def test_an_empty_source(tmp_path, stores):
    assert import_records(tmp_path / "nothing", stores[0]).copied == []


def test_csv_and_parquet_hold_the_same_lines(stores):
    entries = list(load_records([stores[0]]))
    lines = list(csv.DictReader(io.StringIO(export(entries, "csv", []).decode())))
    assert [tuple(line) for line in lines] == [COLUMNS] * 2
    assert {(line["seed"], line["top1"], line["dataset"], line["method"]) for line in lines} == {
        ("0", "50.0", "digits", "baseline"),
        ("1", "51.0", "digits", "baseline"),
    }
    assert json.loads(lines[0]["protocol"])["network"] == "wrn-10-1"
    frame = pd.read_parquet(io.BytesIO(export(entries, "parquet", [])))
    assert list(frame.columns) == list(COLUMNS)
    assert frame["top1"].tolist() == [float(line["top1"]) for line in lines]
    assert frame["file"].tolist() == [str(entry.path) for entry in entries]


def test_json_holds_whole_records(stores):
    entries = list(load_records([stores[0]]))
    whole = [Record.model_validate(value) for value in json.loads(export(entries, "json", []))]
    assert whole == [read_record(entry.path) for entry in entries]


def test_no_records_give_an_empty_table():
    assert export([], "csv", []).decode().strip().split(",") == list(COLUMNS)
    assert json.loads(export([], "json", [])) == []
    assert list(pd.read_parquet(io.BytesIO(export([], "parquet", []))).columns) == list(COLUMNS)


def test_a_record_that_vanishes_meanwhile_is_named(stores):
    entries = list(load_records([stores[0]]))
    entries[0].path.unlink()
    problems: list[str] = []
    assert len(json.loads(export(entries, "json", problems))) == 1
    assert str(entries[0].path) in problems[0]
