"""The reader under hostile files: each is named, none raises, none reaches a table."""

import json
import math
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.outlines import load_outline
from benchmark.selection import Selection
from results.artifacts import load_artifacts
from results.index import load_records
from results.records import LARGEST, RecordError, key_of, read_record, write_record
from results.tables import fill_table

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**70, -(10**30), 1, 2, "1", 1.0]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[str, str]:
    """A good record's run folder and content."""
    selection = Selection("demo", ("digits",), ("baseline",), (5,), (0,))
    return _good(tmp_path_factory.mktemp("good"), selection)


def _good(folder: Path, selection: Selection) -> tuple[str, str]:
    from benchmark.study import load_grid
    from results.records import Environment, Metrics, Record

    (run,) = load_grid("demo", selection).runs()
    here = {"host": "here", "device": "made up", "device_type": "cpu", "threads": 1, "precision": "fp32"}
    here |= {"commit": None, "dirty": None, "versions": {"torch": "2"}, "peak_memory": 1.0}
    values = {"schema": 1, "key": run.key, "run": run.identity, "row": run.row, "preset": run.preset}
    values |= {"metrics": Metrics(top1=50.0, top5=90.0, loss=1.0, test_images=797), "environment": Environment(**here)}
    values |= {"subset_sha256": "0", "weights_sha256": "1", "steps": 1, "train_seconds": 1.0, "eval_seconds": 1.0}
    values |= {"images_per_second": 1.0, "resumed": 0, "finished": "", "warnings": []}
    write_record(folder / run.path, Record.model_validate(values))
    return str(run.path), (folder / run.path / "record.json").read_text()


def _paths(value: object, at: tuple = ()) -> list[tuple]:
    """The places in a JSON value, the whole included."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in children for path in _paths(child, (*at, key)))]


def _replaced(value, path: tuple, new: object):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy


def _judge(folder: str, content: bytes, original: str) -> None:
    """Whatever the file: it is a good record that says what it says, or it is named and left out."""
    with tempfile.TemporaryDirectory() as store:
        path = Path(store, folder, "record.json")
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        records = load_records([Path(store)])
        table = fill_table(load_outline("demo", Selection()), records)
        assert (len(records.by_key), len(records.problems)) in ((1, 0), (0, 1))
        if records.problems:
            assert str(path) in records.problems[0]
            assert records.problems[0].isprintable()
            assert not table.frame["n"].any()
            with pytest.raises(RecordError):
                read_record(path)
        else:
            _must_be_good(path, original)
            table.render("text")


def _must_be_good(path: Path, original: str) -> None:
    record = read_record(path)
    assert record.key == key_of(record.run) == json.loads(original)["key"]
    assert 0 <= record.metrics.top1 <= 100
    numbers = [record.metrics.loss, record.train_seconds, record.eval_seconds, record.images_per_second]
    assert all(type(number) is float and math.isfinite(number) for number in numbers)
    assert record.run["protocol"] == json.loads(original)["run"]["protocol"]


@quick
@given(data=st.data())
def test_any_value_in_any_place(whole, data):
    folder, content = whole
    value = json.loads(content)
    path = data.draw(st.sampled_from(_paths(value)))
    _judge(folder, json.dumps(_replaced(value, path, data.draw(VALUES))).encode(), content)


@quick
@given(data=st.data())
def test_a_name_less_or_a_name_more(whole, data):
    folder, content = whole
    value = json.loads(content)
    objects = [path for path in _paths(value) if isinstance(_at(value, path), dict)]
    path = data.draw(st.sampled_from(objects))
    inner = dict(_at(value, path))
    if inner and data.draw(st.booleans()):
        del inner[data.draw(st.sampled_from(sorted(inner)))]
    else:
        inner[data.draw(st.text(max_size=8))] = data.draw(VALUES)
    _judge(folder, json.dumps(_replaced(value, path, inner)).encode(), content)


def _at(value, path: tuple):
    for key in path:
        value = value[key]
    return value


@quick
@given(data=st.data())
def test_bytes_cut_off_or_changed(whole, data):
    folder, content = whole
    raw = bytearray(content.encode())
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 3))]
    for position in data.draw(st.lists(st.integers(0, max(len(raw) - 1, 0)), max_size=4)):
        raw[position : position + 1] = bytes([data.draw(st.integers(0, 255))])
    _judge(folder, bytes(raw), content)


@quick
@given(content=st.binary(max_size=200))
def test_any_bytes(whole, content):
    _judge(whole[0], content, whole[1])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 400])
def test_numbers_that_are_none(whole, number):
    folder, content = whole
    for line in content.splitlines():
        name, colon, value = line.partition(": ")
        if colon and value.rstrip(",").replace(".", "", 1).isdigit():
            comma = "," * line.endswith(",")
            changed = content.replace(line, f"{name}: {number}{comma}", 1).encode()
            _judge(folder, changed, content)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"schema":' * 5000,
        b'{"schema": 1' + b" " * LARGEST + b"}",
        b"\xef\xbb\xbf{}",
        b"\x00" * 1000,
        b'{"schema": 99999999999999999999999}',
        b'{"schema": true}',
        b'{"schema": "1"}',
        b'{"schema": 1, "\\ud800": 1}',
        json.dumps({"schema": 2, "note": "\x1b[31m" * 1000}).encode(),
    ],
)
def test_files_that_are_something_else(whole, content):
    with tempfile.TemporaryDirectory() as store:
        path = Path(store, whole[0], "record.json")
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        records = load_records([Path(store)])
        assert list(records) == []
        (problem,) = records.problems
        assert str(path) in problem
        assert len(problem) < 1000 and problem.isprintable()


def _link(path: Path, good: Path) -> None:
    path.symlink_to(good)


def _loop(path: Path, good: Path) -> None:
    path.symlink_to(path)


def _pipe(path: Path, good: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path, good: Path) -> None:
    path.mkdir()


def _device(path: Path, good: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_link, _loop, _pipe, _folder, _device])
def test_what_is_no_regular_file(whole, tmp_path, make):
    """A link may lead to a good record: it is named all the same, for nobody knows whose it is."""
    folder, content = whole
    good = tmp_path / "elsewhere" / folder / "record.json"
    good.parent.mkdir(parents=True)
    good.write_text(content)
    path = tmp_path / "store" / folder / "record.json"
    path.parent.mkdir(parents=True)
    make(path, good)
    records = load_records([tmp_path / "store"])
    assert list(records) == []
    (problem,) = records.problems
    assert str(path) in problem


def test_artifacts_that_cannot_be_trusted_are_passed_over(tmp_path):
    for number, content in enumerate([b"", b"{", b"\xff", b'{"schema": 1, "key": 1e999}', b"[" * 9999]):
        path = tmp_path / "artifacts" / "generator" / "cifar10" / "n5" / f"seed{number}-{number:012x}" / "artifact.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    problems: list[str] = []
    assert load_artifacts([tmp_path], problems) == []
    assert [str(path) in problem for path, problem in zip(sorted(tmp_path.rglob("*.json")), problems, strict=True)]
