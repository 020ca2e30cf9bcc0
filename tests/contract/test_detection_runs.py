"""Runs of the kind `detection`: two steps of both rows, a stop and its resumption, refusals, weights in the key."""

import hashlib
from dataclasses import replace

import pytest

from benchmark.execute import execute
from benchmark.job import Options
from benchmark.kinds.detection import Detection
from benchmark.plan import make_plan
from benchmark.selection import Selection
from benchmark.stop import StopRequest
from benchmark.study import load_grid
from benchmark.weights import KNOWN, Weights, WeightsFile
from boxed import Drawn
from datasets.base import registry
from datasets.registry import BadInput
from results.records import read_record
from results.stores import Stores
from shortened import shorten

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """The dataset `drawn`, by its name."""
    registry.entries()
    monkeypatch.setitem(registry._entries, "drawn", Drawn)


def grid(*settings, method="hydramix", dataset="drawn", preset="demo"):
    return load_grid("table8", Selection(preset, (dataset,), (method,), (1,), (0,), settings))


def run_of(method, *settings):
    (run,) = grid(*settings, method=method).runs()
    return replace(run, method=shorten(run.method))


def test_two_steps_stopped_and_taken_up_give_the_same_numbers(store, tmp_path):
    run = run_of("hydramix(p_gen=1.0)")
    stopped = tmp_path / "stopped"
    assert execute(run, stopped, Options(), StopRequest(deadline=0)).state == "unfinished"
    for at in (stopped, store):
        outcome = execute(run, at)
        assert outcome.state == "done", outcome.message
    one, other = (read_record(at / run.path / "record.json") for at in (stopped, store))
    assert list(one.values) == ["ap", "ap50", "ap75"]
    assert (one.metrics, one.weights_sha256, one.steps) == (other.metrics, other.weights_sha256, 2)
    assert one.artifacts == other.artifacts == [run.artifacts[0].key]


def test_the_baseline_runs_without_a_generator(store):
    run = run_of("baseline")
    assert execute(run, store).state == "done"
    assert read_record(store / run.path / "record.json").artifacts == []


@pytest.mark.parametrize(
    ("method", "dataset", "message"),
    [
        ("baseline", "digits", "'digits' has no boxes"),
        ("mixup", "drawn", "mixup does not know boxes"),
        ("hydramix+autoaugment", "drawn", "does not know boxes"),
        ("chimeramix-seg", "drawn", "does not know boxes"),
    ],
)
def test_what_cannot_detect_is_refused(method, dataset, message):
    with pytest.raises(BadInput, match=message.replace("+", r"\+")):
        grid(method=method, dataset=dataset)


def test_a_classifier_learns_nothing_from_boxes():
    with pytest.raises(BadInput, match="it is for detection"):
        load_grid("demo", Selection(datasets=("drawn",)))


def test_the_threshold_and_the_weights_are_in_the_key(store, tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTS_ROOT", str(tmp_path))
    file = WeightsFile("mine.pth", hashlib.sha256(b"mine").hexdigest())
    monkeypatch.setitem(KNOWN, "mine", Weights("mine", "MIT", "make it", (file,)))
    (usual,), (threshold,), (started,) = (
        grid(setting).runs()
        for setting in ("protocol.batch_size=2", "protocol.box_score_thresh=0.1", "protocol.backbone=mine")
    )
    assert len({usual.key, threshold.key, started.key}) == 3
    assert started.identity["protocol"]["weights"] == {"name": "mine", "sha256": file.sha256}
    assert "weights" not in usual.identity["protocol"]
    plan = make_plan(grid("protocol.backbone=mine"), Stores(store, True))
    assert plan.counts()["unavailable"] == 1 and "make it" in plan.missing()[0]


def test_a_caption_says_how_the_detector_started():
    (run,) = grid().runs()
    assert isinstance(run.protocol, Detection)
    assert run.protocol.conditions == "of a Faster R-CNN on resnet18 trained from scratch, 2 steps of 2 images"
