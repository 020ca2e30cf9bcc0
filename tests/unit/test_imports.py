"""Another store's records: to the place that the run's own key gives, under its lock, regular files alone."""

import errno
import hashlib
import os
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save, save_file

from benchmark.cli import cli
from benchmark.cli.imports import import_artifacts, import_records
from benchmark.places import place_of_artifact, place_of_run
from benchmark.training.nets import state_hash
from datasets.registry import BadInput
from results.artifacts import ArtifactRecord, read_artifact, read_tensors, write_artifact
from results.files import MEASURED
from results.index import load_records
from results.locks import Lock
from results.records import key_of, read_record, write_record

RECORD = "record.json"


@pytest.fixture
def plant(make_run, make_record):
    """Writes a made-up record of a run into a store, by default where it belongs; returns the run and the folder."""

    def write(store: Path, folder: str | Path = "", top1: float = 50.0, record: dict | None = None, **axes: object):
        run = make_run(**axes)
        made = make_record(run, top1).model_copy(update=record or {})
        path = store / (folder or run.path)
        write_record(path, made)
        (path / "history.csv").write_text("step,loss\n1,2\n")
        return run, path

    return write


@pytest.fixture
def here(tmp_path):
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path):
    return tmp_path / "there"


@pytest.mark.parametrize(
    "method", ["baseline", "cutout(length=8)", "mixup+trivialaugment", "hydramix(generator_size=64)"]
)
def test_a_record_goes_where_its_run_writes_wherever_it_lay(plant, make_run, here, there, method):
    plain = make_run(method=method)
    run, _ = plant(there, Path("results", "records", "x", "y", plain.path.name), method=method)
    done = import_records(there, here)
    assert done.copied == [here / run.path / RECORD] and not done.problems
    assert (here / run.path / "history.csv").exists()
    assert [path for path in here.rglob("*") if path.name == "lock"] == []


def test_every_committed_record_would_come_to_where_it_lies():
    for entry in load_records([MEASURED]):
        place = place_of_run(entry.record(), Path("elsewhere", "unknown", "folder"))
        assert place.parts == Path(entry.folder).parts[1:]  # below the preset's name
    for path in MEASURED.rglob("artifact.json"):
        assert place_of_artifact(read_artifact(path)).parts == path.parent.parts[-5:]


def test_a_method_that_is_not_here_keeps_its_folder(make_run, make_record, here, there):
    run = make_run()
    identity = run.identity | {"method": {"name": "theirs", "version": 1, "parameters": {"a": 1}}}
    record = make_record(run, 50.0)
    record = record.model_copy(update={"run": identity, "key": key_of(identity)})
    name = f"seed0-{record.key}"
    write_record(there / "digits" / "n2" / "theirs_a=1" / name, record)
    assert import_records(there, here).copied == [here / "digits" / "n2" / "theirs_a=1" / name / RECORD]


@pytest.mark.parametrize("name", ["../../../out", "..", "/tmp/out", "a/b", "", ".hidden", "a\nb", "a\x00b"])
def test_no_name_leads_out_of_the_store(make_run, make_record, here, there, tmp_path, name):
    run = make_run()
    identity = run.identity | {"dataset": {"name": name, "version": 1}}
    record = make_record(run, 50.0).model_copy(update={"run": identity, "key": key_of(identity)})
    write_record(there / "x" / f"seed0-{record.key}", record)
    done = import_records(there, here)
    assert (done.copied, len(done.problems)) == ([], 1)
    assert "no folder of a store" in done.problems[0] and "\n" not in done.problems[0]
    assert not here.exists()


def test_a_run_under_way_here_is_left_alone(plant, make_run, here, there):
    plant(there, seed=0), plant(there, seed=1)
    with Lock(here / make_run(seed=0).path):
        done = import_records(there, here)
    assert len(done.copied) == 1 and "is in use by pid" in done.problems[0]
    assert len(import_records(there, here).copied) == 1


def test_a_record_that_comes_while_the_lock_is_waited_for_is_not_replaced(plant, make_run, here, there, monkeypatch):
    plant(there, top1=40.0)
    take = Lock.__enter__

    def take_late(lock):
        plant(here, top1=60.0)
        return take(lock)

    monkeypatch.setattr(Lock, "__enter__", take_late)
    done = import_records(there, here)
    assert "top-1 60.00 here, 40.00 there" in done.conflicts[0]
    assert read_record(here / make_run().path / RECORD).metrics.top1 == 60.0


def test_a_draft_of_who_lost_the_lock_can_replace_nothing(plant, make_run, here, there):
    plant(there)
    folder = here / make_run().path
    folder.mkdir(parents=True)
    (folder / f".{RECORD}.{'0' * 32}").write_text("{}")
    import_records(there, here)
    assert sorted(file.name for file in folder.iterdir()) == ["history.csv", RECORD]


def test_who_lost_the_lock_writes_no_record(plant, make_run, here, there, monkeypatch):
    plant(there)
    monkeypatch.setattr(Lock, "_is_mine", lambda lock: False)
    done = import_records(there, here)
    assert "took over" in done.problems[0] and not (here / make_run().path / RECORD).exists()


def test_links_pipes_and_giants_are_not_copied(plant, here, there, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.cli.imports._LARGEST_HISTORY", 100)
    (tmp_path / "secret").write_text("step,loss\n")
    made = [plant(there, seed=seed) for seed in range(5)]
    histories = [path / "history.csv" for _, path in made]
    for history in histories[:4]:
        history.unlink()
    histories[0].symlink_to(tmp_path / "secret")
    histories[1].symlink_to(tmp_path / "nowhere")
    os.mkfifo(histories[2])
    with histories[3].open("wb") as file:
        file.truncate(3 * 2**30)
    done = import_records(there, here)
    assert len(done.copied) == 5
    assert [str(history) in problem for history, problem in zip(histories[:4], done.problems, strict=True)] == [
        True
    ] * 4
    assert [path.parent.name for path in here.rglob("history.csv")] == [made[4][1].name]


def test_a_record_that_is_a_link_is_not_taken(plant, here, there, tmp_path):
    _, path = plant(tmp_path / "elsewhere")
    folder = there / "digits" / path.name
    folder.mkdir(parents=True)
    (folder / RECORD).symlink_to(path / RECORD)
    done = import_records(there, here)
    assert done.copied == [] and "symbolic link" in done.problems[0]


def test_a_history_that_cannot_be_read_now_comes_with_its_record_another_time(plant, here, there, monkeypatch):
    run, path = plant(there)
    opened = os.open

    def fail(name, *more, **other):
        if str(name) == str(path / "history.csv"):
            raise OSError(errno.EIO, "Input/output error")
        return opened(name, *more, **other)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        assert "Input/output error" in import_records(there, here).problems[0]
    assert not (here / run.path / RECORD).exists()
    assert len(import_records(there, here).copied) == 1


def test_names_reach_the_terminal_as_one_line(plant, here, there):
    run, _ = plant(here, top1=1.0)
    plant(there, Path("\x1b[31mred\nforged: 5 imported", run.path.name), top1=2.0)
    (conflict,) = import_records(there, here).conflicts
    assert "\x1b" not in conflict and "\n" not in conflict


def test_a_failure_is_forgotten_and_kept_weights_come_along(plant, make_run, here, there):
    state = {"weight": torch.ones(3)}
    run, path = plant(there, record={"weights_sha256": state_hash(state)})
    save_file(state, path / "weights.safetensors")
    (here / run.path).mkdir(parents=True)
    (here / run.path / "failure.json").write_text("{}")
    import_records(there, here)
    assert sorted(file.name for file in (here / run.path).iterdir()) == ["history.csv", RECORD, "weights.safetensors"]


OTHERS = {
    "predictions.safetensors": (b"x", "not a file of predictions"),
    "weights.safetensors": (save({"weight": torch.zeros(3)}), "not the weights that the record is of"),
    "points.csv": (b"no points", "holds no points"),
    "values.csv": (b"no values", "holds no synsets' values"),
    "history.csv": (b"no history", "it is no history of a training"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_that_is_not_the_record_s_is_named_and_left_there(plant, here, there, name):
    run, path = plant(there)
    content, told = OTHERS[name]
    (path / name).write_bytes(content)
    done = import_records(there, here)
    assert len(done.copied) == 1 and not (here / run.path / name).exists()
    (problem,) = done.problems
    assert str(path / name) in problem and told in problem


def test_what_an_import_could_not_take_comes_another_time(plant, here, there):
    run, path = plant(there)
    kept = (path / "history.csv").read_bytes()
    (path / "history.csv").write_bytes(b"damaged")
    assert import_records(there, here).problems
    (path / "history.csv").write_bytes(kept)
    again = import_records(there, here)
    assert (again.copied, len(again.same), again.completed, again.problems) == ([], 1, 1, [])
    assert (here / run.path / "history.csv").read_bytes() == kept
    assert import_records(there, here).completed == 0


def test_a_store_in_the_other_one_is_refused(plant, there):
    plant(there)
    for source, store in ((there, there / "below"), (there / "digits", there)):
        answer = CliRunner().invoke(cli, ["import", str(source), "--results", str(store)])
        assert isinstance(answer.exception, BadInput) and "lie one in the other" in str(answer.exception)
    assert not (there / "below").exists()


def test_a_full_disk_ends_it_in_one_line(plant, here, there, monkeypatch):
    for seed in range(3):
        plant(there, seed=seed)

    def fail(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(os, "replace", fail)
    done = import_records(there, here)
    assert done.copied == [] and "No space left" in done.problems[0]
    assert done.problems[1:] == [f"stopped there: {here} takes no more"]
    assert not [path for path in here.rglob("*") if path.is_file()]


def test_a_store_that_cannot_be_is_said_once(plant, there):
    for seed in range(3):
        plant(there, seed=seed)
    done = import_records(there, Path("/proc/hydrabench"))  # where nobody, root included, makes folders
    assert "No such file" in done.problems[0] and done.problems[1:] == ["stopped there: /proc/hydrabench takes no more"]


def test_one_folder_that_cannot_be_used_keeps_no_other_from_coming(plant, make_run, here, there):
    for seed in range(3):
        plant(there, seed=seed)
    here.joinpath(make_run(seed=0).path).parent.mkdir(parents=True)
    (here / make_run(seed=0).path).write_text("a file in the folder's place")
    done = import_records(there, here)
    assert len(done.copied) == 2 and len(done.problems) == 1
    assert make_run(seed=0).path.name in done.problems[0]


def test_a_second_import_says_the_same_of_a_record_that_lies_elsewhere_here(plant, make_run, here, there):
    plant(there)
    plant(here, Path("odd", make_run().path.name))
    done = import_records(there, here)
    assert (done.copied, len(done.same)) == ([], 1) and len(list(load_records([here]))) == 1


@pytest.fixture
def build(make_run, make_record):
    """Writes a made-up artifact into a store, by default where it belongs; returns its path in a store."""

    def write(store: Path, folder: str = "", tensors: bytes = b"tensors") -> Path:
        (job,) = make_run(method="chimeramix-grid").artifacts
        record = make_record(make_run(), 0.0)
        shared = ("preset", "subset_sha256", "steps", "train_seconds", "images_per_second", "resumed", "finished")
        values = {name: getattr(record, name) for name in (*shared, "environment", "warnings")}
        path = store / (f"{folder}/{job.path.name}" if folder else job.path)
        path.mkdir(parents=True)
        (path / "artifact.safetensors").write_bytes(tensors)
        (path / "samples.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        sha256 = hashlib.sha256(tensors).hexdigest()
        made = {"schema": 1, "key": job.key, "artifact": job.identity, "losses": {}, "tensors_sha256": sha256}
        write_artifact(path, ArtifactRecord(**made, **values))
        return job.path

    return write


def test_artifacts_come_along_to_their_place(build, here, there):
    path = build(there, folder="results/odd")
    done = import_artifacts(there, here)
    assert done.copied == [here / path / "artifact.json"] and not done.problems
    assert read_tensors(here / path) == b"tensors"
    assert sorted(file.name for file in (here / path).iterdir()) == [
        "artifact.json",
        "artifact.safetensors",
        "samples.png",
    ]
    assert len(import_artifacts(there, here).same) == 1


def test_an_artifact_of_other_tensors_is_a_conflict(build, here, there):
    path = build(here, tensors=b"mine")
    build(there, tensors=b"theirs")
    done = import_artifacts(there, here)
    assert "other tensors" in done.conflicts[0] and read_tensors(here / path) == b"mine"


def test_an_artifact_without_tensors_is_counted_and_a_damaged_one_named(build, here, there):
    path = build(there)
    (there / path / "artifact.safetensors").write_bytes(b"other")
    done = import_artifacts(there, here)
    assert done.copied == [] and "not the file that its record describes" in done.problems[0]
    (there / path / "artifact.safetensors").unlink()
    done = import_artifacts(there, here)
    assert (done.copied, done.problems, done.bare) == ([], [], 1)
    assert not list(here.rglob("artifact.json"))
