"""Accuracy by class and confusions: in `show` and, summed over seeds, on the report's page."""

import numpy as np
import pytest
from sklearn.metrics import recall_score

from benchmark.cli.summary import summary
from results import classes
from results.classes import classes_text, confused, confusions
from results.files import PREDICTIONS, RECORD
from results.predictions import Predictions, read_predictions
from results.records import write_record
from results.stores import Stores

LABELS = np.array([0] * 50 + [1] * 30 + [2] * 20, np.int32)
SAID = np.where(np.arange(100) % 5 == 0, (LABELS + 1) % 3, LABELS).astype(np.int32)  # 80 of 100 right
NAMES = ("cat", "a very long name of a dog", "ش")


@pytest.fixture
def keep(make_run, make_record, tmp_path):
    """Writes a record of a seed with what its classifier said beside it; returns its folder."""

    def write(seed=0, names=NAMES, labels=LABELS, said=SAID):
        run = make_run(seed=seed)
        made = make_record(run, 80.0)
        record = made.model_copy(update={"metrics": made.metrics.model_copy(update={"test_images": 100})})
        write_record(tmp_path / run.path, record)
        (tmp_path / run.path / PREDICTIONS).write_bytes(Predictions(labels, said, None, names).to_bytes())
        return tmp_path / run.path, record

    return write


def found(store):
    entries = list(Stores(store, alone=True).records())
    return [(entry, entry.record()) for entry in entries]


def test_names_of_classes_are_kept_and_older_files_have_none(keep):
    assert read_predictions(*keep()).classes == NAMES
    said = read_predictions(*keep(1, names=()))
    assert said.classes == () and said.name_of(2) == "2"


def test_accuracy_by_class_and_the_matrix_are_printed():
    text = classes_text(Predictions(LABELS, SAID, None, NAMES))
    assert "a very long nam…" in text and "ش" in text
    for accuracy in 100 * recall_score(LABELS, SAID, average=None):
        assert f"{accuracy:.2f}" in text
    assert [line.split()[:4] for line in text.splitlines()][-3] == ["cat", "40", "10", "0"]


def test_of_many_classes_the_most_frequent_confusions_are_printed():
    labels = np.repeat(np.arange(20, dtype=np.int32), 10)
    said = labels.copy()
    said[:4], said[10:12] = 7, 3
    lines = classes_text(Predictions(labels, said, None)).splitlines()
    assert [line.split() for line in lines[-2:]] == [["4", "0", "7"], ["2", "1", "3"]]
    assert [one.images for one in confused(Predictions(labels, said, None).confusion(), most=1)] == [4]


def test_show_tells_of_classes_and_says_nothing_of_older_records(keep):
    folder, _ = keep()
    assert "accuracy" in summary(folder / RECORD) and "true \\ said" in summary(folder / RECORD)
    (folder / PREDICTIONS).write_bytes(b"{}")
    assert f"{folder / PREDICTIONS}: not a file of predictions" in summary(folder / RECORD)
    (folder / PREDICTIONS).unlink()
    assert "true" not in summary(folder / RECORD)


def test_seeds_of_one_run_are_summed(keep, tmp_path):
    keep(0), keep(1)
    (one,), lost = confusions(found(tmp_path), lambda entry: {"row": entry.row}, [])
    assert (one["row"], sorted(one["seeds"]), one["names"], lost) == ("baseline", [0, 1], list(NAMES), [])
    assert one["counts"] == (2 * Predictions(LABELS, SAID, None).confusion()).tolist()


def test_what_cannot_be_trusted_is_named_and_left_out(keep, tmp_path):
    folder, _ = keep()
    (folder / PREDICTIONS).write_bytes(b"{}")
    problems: list[str] = []
    assert confusions(found(tmp_path), lambda entry: {}, problems) == ([], [])
    assert len(problems) == 1 and str(folder) in problems[0]


def test_a_page_holds_only_so_much(keep, tmp_path, monkeypatch):
    keep()
    monkeypatch.setattr(classes, "MOST_NUMBERS", 8)
    assert confusions(found(tmp_path), lambda entry: {}, []) == ([], ["confusions of 1 of 1 groups of runs"])
