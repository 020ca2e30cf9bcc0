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
    """The selection with as many images as all test and training sets of people's own have, where the preset asks for
    more.

    What is set by hand stays. Raises BadInput for anything unknown.
    """
    by_hand = {setting.partition("=")[0].strip() for setting in selection.settings}
    protocols = {run.dataset: run.protocol for run in load_grid(study, selection).runs() if ":" in run.dataset.text}
    settings = list(selection.settings)
    for name, most in (("total", _most_made), ("reference", _most_of_training)):
        too_many = [
            most(dataset) for dataset, asked in protocols.items() if (getattr(asked, name, 0) or 0) > most(dataset)
        ]
        if too_many and f"protocol.{name}" not in by_hand:
            settings.append(f"protocol.{name}={min(too_many)}")
    return replace(selection, settings=tuple(settings))


def _most_made(dataset: Dataset) -> int:
    """The largest balanced set of test images, with as many of which made ones are compared."""
    return dataset.num_classes * int(np.bincount(dataset.test().labels, minlength=dataset.num_classes).min())


def _most_of_training(dataset: Dataset) -> int:
    """The largest balanced set of training images."""
    return dataset.num_classes * dataset.smallest_class()
