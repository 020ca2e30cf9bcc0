"""Runs of another kind than `classify`: keys, folders, kills, plans and everything that is drawn from their records."""

import csv
import io
import json
import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest

import benchmark.kinds.base
import benchmark.study
from benchmark.execute import execute
from benchmark.job import Options
from benchmark.kinds import protocol_of
from benchmark.kinds.base import Measure
from benchmark.measures import Measuring
from benchmark.outlines import load_outline
from benchmark.places import place_of_run
from benchmark.plan import make_plan
from benchmark.selection import Selection
from benchmark.stop import StopRequest
from benchmark.study import load_grid, load_study
from datasets.registry import BadInput
from methods.flops import Work
from results.compare import comparison_text, require_accuracies
from results.exchange import export
from results.figures import write_figure
from results.files import VALUES
from results.metrics import METRICS, Metric
from results.panels import panels_of
from results.records import Record, read_record
from results.stores import Stores
from results.tables import fill_table
from results.verdict import judge_study

STUDY = """
title: Darkness of subsets
measure: brightness
metrics: [darkness, light]
rows: [dataset, method]
columns: [samples_per_class, metric]
preset: demo
seeds: [0, 1]
blocks: [{datasets: [digits], methods: [baseline, mixup], samples_per_class: [2]}]
"""


class Brightness(Measure):
    """The mean byte of the subset's images, one image a step."""

    kind: ClassVar[str] = "brightness"
    metrics: ClassVar[tuple[str, ...]] = ("darkness", "light")
    lacking: ClassVar[str] = ""

    count: int = 4

    @property
    def missing(self) -> str:
        return self.lacking

    @property
    def conditions(self) -> str:
        return f"of {self.count} images"

    def images(self, samples_per_class, num_classes):
        return self.count

    def steps(self, samples_per_class, num_classes):
        return self.count

    def work(self, samples_per_class, num_classes):
        return Work(flops=1e6)


class Looking(Measuring):
    weights_sha256 = "0" * 64

    def __init__(self, images, count):
        super().__init__(count, count)
        self.images, self.sum = images, 0

    def advance(self):
        self.sum += int(self.images[self.step].sum())
        self.step += 1

    def state(self):
        return {"step": self.step, "sum": self.sum}

    def restore(self, state):
        self.step, self.sum = state["step"], state["sum"]

    def metrics(self):
        light = self.sum / self.steps / self.images[0].numel()
        return {"darkness": 255 - light, "light": light}

    def files(self):
        return {VALUES: b"image,light\n"}


@pytest.fixture(autouse=True)
def study(tmp_path, monkeypatch):
    """The study `brightness`, its kind and its metrics."""
    (tmp_path / "brightness.yaml").write_text(STUDY)
    monkeypatch.setattr(benchmark.study, "STUDIES", tmp_path)
    monkeypatch.setitem(benchmark.kinds.base.KINDS, "brightness", Brightness)
    monkeypatch.setitem(METRICS, "darkness", Metric("darkness", "darkness", "darkness", "darkness ↓", "bytes", "lower"))
    monkeypatch.setitem(METRICS, "light", Metric("light", "light", "light", "light", "bytes"))
    module = SimpleNamespace(start=lambda run, task, made: Looking(task.images, run.protocol.count))
    monkeypatch.setitem(sys.modules, "benchmark.measures.brightness", module)
    load_study.cache_clear()
    yield
    load_study.cache_clear()


@pytest.fixture
def measured(store):
    """The store after all runs of the study."""
    for run in load_grid("brightness").runs():
        assert execute(run, store).state == "done"
    return Stores(store, True)


def first_run(*settings):
    return next(iter(load_grid("brightness", Selection(settings=settings)).runs()))


def test_the_kind_enters_key_and_folder_and_its_fields_can_be_set():
    run, other = first_run(), first_run("protocol.count=3")
    assert run.identity["protocol"] == {"kind": "brightness", "precision": "auto", "count": 4}
    assert run.path.parts[:3] == ("measures", "brightness", "digits")
    assert (other.protocol.count, other.key == run.key) == (3, False)


@pytest.mark.parametrize("setting", ["protocol.epochs=3", "protocol.count=many"])
def test_what_is_no_field_or_value_of_the_kind_is_refused(setting):
    with pytest.raises(BadInput, match=r"epochs|count"):
        first_run(setting)


@pytest.mark.parametrize(
    ("line", "changed", "message"),
    [
        ("measure: brightness", "measure: brightnes", "unknown measure 'brightnes'"),
        ("[darkness, light]", "[darkness, top1]", "unknown metric of brightness 'top1'"),
        ("[samples_per_class, metric]", "[samples_per_class]", "metric, each once"),
    ],
)
def test_a_study_with_a_wrong_measure_is_named(tmp_path, line, changed, message):
    (tmp_path / "brightness.yaml").write_text(STUDY.replace(line, changed))
    with pytest.raises(BadInput, match=message):
        load_study("brightness")


def test_a_method_that_learns_from_a_classifier_is_refused():
    with pytest.raises(BadInput, match=r"brightness: supermix.* learns from a classifier"):
        load_grid("brightness", Selection(methods=("supermix",)))


def test_a_record_holds_the_named_metrics_in_its_own_place(measured):
    run = first_run()
    record = read_record(measured.own / run.path / "record.json")
    assert (record.kind, list(record.values)) == ("brightness", ["darkness", "light"])
    assert record.values["darkness"] + record.values["light"] == pytest.approx(255)
    assert place_of_run(record, run.path) == run.path
    assert (measured.own / run.path / VALUES).read_bytes() == b"image,light\n"


def test_a_measure_cannot_have_a_classifier_s_metrics(measured):
    record = read_record(measured.own / first_run().path / "record.json")
    accuracy = {"top1": 50.0, "top5": 90.0, "loss": 1.0, "test_images": 797}
    with pytest.raises(ValueError, match="not those of a run of kind brightness"):
        Record.model_validate(record.model_dump(by_alias=True) | {"metrics": accuracy})


def test_stopped_and_taken_up_it_gives_the_same_numbers(measured, tmp_path):
    run, store = first_run(), tmp_path / "stopped"
    assert execute(run, store, Options(), StopRequest(deadline=0)).state == "unfinished"
    assert execute(run, store).state == "done"
    again, undisturbed = (read_record(at / run.path / "record.json") for at in (store, measured.own))
    assert (again.metrics, again.resumed) == (undisturbed.metrics, 1)


def test_what_it_lacks_makes_it_unavailable_but_not_what_is_measured(measured, monkeypatch, tmp_path):
    monkeypatch.setattr(Brightness, "lacking", "a lamp: get one")
    done = make_plan(load_grid("brightness"), measured)
    elsewhere = make_plan(load_grid("brightness"), Stores(tmp_path / "empty", True))
    assert (done.counts()["done"], done.missing()) == (4, ())
    assert (elsewhere.counts()["unavailable"], elsewhere.jobs()) == (4, [])
    assert elsewhere.summary().missing == ("a lamp: get one",)


def test_the_table_has_the_metrics_side_by_side_and_the_better_in_bold(measured):
    records = measured.records()
    text = fill_table(load_outline("brightness", Selection()), records).render("markdown")
    assert "Darkness (lower is better) and light of 4 images" in text
    assert "2 Darkness ↓" in text and "2 Light" in text
    assert text.count("**") == 8  # both methods see the same subsets: each is best in both columns


def test_figure_verdict_comparison_and_export_take_the_study_s_metrics(measured, tmp_path):
    records, outline = measured.records(), load_outline("brightness", Selection())
    assert [panel.y_label for panel in panels_of(outline, records)] == ["darkness ↓"]
    assert all(path.exists() for path in write_figure(outline, records, tmp_path))
    assert {(cell.metric, cell.state) for cell in judge_study(outline, records).cells} == {
        ("darkness", "nothing published"),
        ("light", "nothing published"),
    }
    text = comparison_text(outline, require_accuracies(outline, records))
    assert "first minus second, in bytes" in text and "+0.00" in text
    lines = list(csv.DictReader(io.StringIO(export(records, "csv", []).decode())))
    assert {line["kind"] for line in lines} == {"brightness"}
    whole = json.loads(export(records, "json", []))
    assert all(sum(record["metrics"].values()) == pytest.approx(255) for record in whole)


def test_where_lower_is_better_the_lower_is_first(measured):
    outline, records = load_outline("brightness", Selection()), measured.records()
    for entry in records:
        if entry.row == "mixup":
            entry.metrics["darkness"] -= 1.0
    assert "mixup 1.00, baseline 2.00" in comparison_text(outline, require_accuracies(outline, records))
    table = fill_table(outline, records)
    assert [number.rank for number in table.numbers(False)] == [2, 1, 1, 1]


def test_every_kind_is_known_by_its_name():
    assert protocol_of("brightness") is Brightness
    with pytest.raises(BadInput, match="unknown measure"):
        protocol_of("darknes")
