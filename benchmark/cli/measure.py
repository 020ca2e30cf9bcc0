"""What the verb `measure` takes in the place of a study: a measure, and how much of it people's own images allow."""

from dataclasses import replace

import numpy as np

from benchmark.selection import Selection, study_names
from benchmark.study import load_grid, load_study
from datasets.base import Dataset
from datasets.registry import unknown
from results.records import CLASSIFY


def study_of(kind: str) -> str:
    """The first study of a measure; raises BadInput where there is none."""
    studies: dict[str, str] = {}
    for name in study_names():
        studies.setdefault(load_study(name).measure, name)
    del studies[CLASSIFY]
    if kind not in studies:
        raise unknown("measure", kind, studies)
    return studies[kind]


def fitting(study: str, selection: Selection) -> Selection:
    """The selection with as many images as people's own test and training sets have, where the preset asks for more.

    As many as the smallest has, equally many of each class. What is set by hand stays. Raises BadInput for anything
    unknown.
    """
    by_hand = {setting.partition("=")[0].strip() for setting in selection.settings}
    protocols = {run.dataset: run.protocol for run in load_grid(study, selection).runs() if ":" in run.dataset.text}
    settings = list(selection.settings)
    for name, labels in (("total", _test_labels), ("reference", _training_labels)):
        if f"protocol.{name}" in by_hand:
            continue
        asked = max((getattr(protocol, name, 0) or 0 for protocol in protocols.values()), default=0)
        most = min((_balanced(labels(dataset), dataset.num_classes) for dataset in protocols), default=asked)
        if most < asked:
            settings.append(f"protocol.{name}={most}")
    return replace(selection, settings=tuple(settings))


def _test_labels(dataset: Dataset) -> np.ndarray:
    return dataset.test().labels


def _training_labels(dataset: Dataset) -> np.ndarray:
    return dataset.train_labels()[dataset.present()]


def _balanced(labels: np.ndarray, classes: int) -> int:
    """The size of the largest set that has equally many of each class."""
    return classes * int(np.bincount(labels, minlength=classes).min())
