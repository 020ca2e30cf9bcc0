"""The file of predictions beside a record: what follows from it, and what is not believed."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from benchmark.outlines import load_outline
from benchmark.selection import Selection
from benchmark.study import load_grid
from datasets.registry import BadInput
from results import predictions
from results.files import PREDICTIONS
from results.predictions import Predictions, add_derived, metric_for, read_predictions
from results.reader import Absent, RecordError
from results.records import write_record
from results.stores import Stores
from results.tables import fill_table


@pytest.fixture
def said():
    """100 images of three classes in unequal numbers, three quarters of them right."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 100, p=[0.6, 0.3, 0.1]).astype(np.int32)
    predicted = np.where(np.arange(100) < 75, labels, (labels + 1) % 3).astype(np.int32)
    probabilities = rng.dirichlet([1, 1, 1], 100)
    best = probabilities.argmax(1)
    rows = np.arange(100)
    probabilities[rows, best], probabilities[rows, predicted] = probabilities[rows, predicted], probabilities.max(1)
    return Predictions(labels, predicted, probabilities.astype(np.float16))


@pytest.fixture
def record(make_record, make_run):
    """A record of 100 test images, 75% of them right."""
    made = make_record(make_run(), 75.0)
    return made.model_copy(update={"metrics": made.metrics.model_copy(update={"test_images": 100})})


def keep(folder, said):
    (folder / PREDICTIONS).write_bytes(said.to_bytes())
    return folder


def test_what_is_written_is_read(tmp_path, said, record):
    found = read_predictions(keep(tmp_path, said), record)
    for name in ("labels", "predicted", "probabilities"):
        assert np.array_equal(getattr(found, name), getattr(said, name))


def test_confusion_and_balanced_accuracy_are_scikit_learn_s(said):
    assert np.array_equal(said.confusion(), confusion_matrix(said.labels, said.predicted))
    assert said.balanced() == pytest.approx(100 * balanced_accuracy_score(said.labels, said.predicted))


def test_a_class_without_test_images_counts_for_nothing():
    said = Predictions(np.array([0, 0], np.int32), np.array([0, 2], np.int32), None)
    assert (said.balanced(), said.ece()) == (50.0, None)


def test_the_calibration_error_of_one_bin_is_its_gap():
    sure = np.full((10, 2), 0.0, np.float16)
    sure[:, 1], sure[:, 0] = 0.75, 0.25
    said = Predictions(np.array([1] * 5 + [0] * 5, np.int32), np.ones(10, np.int32), sure)
    assert said.ece() == pytest.approx(25.0)  # sure to 75%, right in 50%


def test_probabilities_that_take_too_much_room_are_left_out(tmp_path, said, record, monkeypatch):
    monkeypatch.setattr(predictions, "LARGEST_PROBABILITIES", 10)
    found = read_predictions(keep(tmp_path, said), record)
    assert found.probabilities is None and found.balanced() == said.balanced()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda said: Predictions(said.labels[1:], said.predicted[1:], None), "not of this record's test images"),
        (lambda said: Predictions(said.labels, said.labels, None), "not of this record's accuracy"),
        (lambda said: Predictions(said.labels, said.predicted[1:], None), "do not fit"),
        (lambda said: Predictions(said.labels - 1, said.predicted - 1, None), "do not fit"),
        (lambda said: Predictions(said.labels.astype(np.int64), said.predicted, None), "do not fit"),
        (lambda said: Predictions(said.labels, said.predicted, said.probabilities[:, :2]), "probabilities do not fit"),
        (lambda said: Predictions(said.labels, said.predicted, -said.probabilities), "probabilities do not fit"),
        (lambda said: Predictions(said.labels, said.predicted, said.probabilities * np.float16("nan")), "do not fit"),
        (lambda said: Predictions(said.labels, said.predicted, said.probabilities[::-1]), "probabilities do not fit"),
        (lambda said: Predictions(said.labels, said.predicted, said.probabilities * 0), "probabilities do not fit"),
        (lambda said: Predictions(said.labels, said.predicted, said.probabilities * 0 + 1), "do not fit"),
        (lambda said: Predictions(said.labels, _with_class(said, 2**31 - 1), None), "there is no class 2147483647"),
        (lambda said: Predictions(said.labels, _with_class(said, 60000), None), "there is no class 60000"),
        (lambda said: Predictions(said.labels, _with_class(said, 3), None, tuple("abc")), "there is no class 3"),
    ],
)
def test_what_is_not_the_record_s_is_refused(tmp_path, said, record, change, message):
    with pytest.raises(RecordError, match=message):
        read_predictions(keep(tmp_path, change(said)), record)


def _with_class(said, label):
    """What was predicted, with another class for one of the images that were taken wrongly."""
    return np.where(np.arange(100) == 99, label, said.predicted).astype(np.int32)


def test_a_record_vouches_for_its_file(tmp_path, said, record):
    keep(tmp_path, said)
    digest = hashlib.sha256((tmp_path / PREDICTIONS).read_bytes()).hexdigest()
    assert read_predictions(tmp_path, record.model_copy(update={"predictions_sha256": digest}))
    with pytest.raises(RecordError, match="not the file that the record is of"):
        read_predictions(tmp_path, record.model_copy(update={"predictions_sha256": "0" * 64}))


@pytest.mark.parametrize("names", ["[" * 200_000, '{"a": 1}', "no JSON"])
def test_names_that_are_none_are_left_out(tmp_path, said, record, names):
    arrays = {"labels": said.labels, "predicted": said.predicted}
    (tmp_path / PREDICTIONS).write_bytes(save(arrays, {"classes": names}))
    assert read_predictions(tmp_path, record).classes == ()


@pytest.mark.parametrize("content", [b"", b"\x00" * 8, b"{}", b"\xff" * 100])
def test_what_is_no_file_of_predictions_is_refused(tmp_path, record, content):
    (tmp_path / PREDICTIONS).write_bytes(content)
    with pytest.raises(RecordError, match="not a file of predictions"):
        read_predictions(tmp_path, record)
    (tmp_path / PREDICTIONS).unlink()
    with pytest.raises(Absent):
        read_predictions(tmp_path, record)


def test_a_table_of_another_metric_says_what_is_without_it(store, said, make_record):
    selection = Selection("demo", ("digits",), ("baseline",), (5,), (0, 1))
    for run in load_grid("demo", selection).runs():
        made = make_record(run, 75.0)
        whole = made.model_copy(update={"metrics": made.metrics.model_copy(update={"test_images": 100})})
        write_record(store / run.path, whole)
        if run.seed == 0:
            keep(store / run.path, said)
    records, outline = Stores(store, True).records(), load_outline("demo", selection)
    assert add_derived("balanced", outline, records) == [
        "1 of 2 records have no predictions beside them, and no balanced"
    ]
    text = fill_table(outline.with_metric("balanced"), records).render("markdown")
    assert "Balanced top-1 accuracy in %" in text and f"{said.balanced():.2f} (1 seed)" in text
    assert "100.00 ± 0.00" in fill_table(outline.with_metric("top5"), records).render("markdown")


def test_only_metrics_that_such_runs_have_can_be_asked_for():
    outline = load_outline("demo", Selection())
    assert metric_for("nll", outline) == "loss"
    with pytest.raises(BadInput, match="--metric fid: demo has top1, top5"):
        metric_for("fid", outline)
    with pytest.raises(BadInput, match="unknown metric 'accuracy'"):
        metric_for("accuracy", outline)
