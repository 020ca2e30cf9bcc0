"""What the verb `measure` takes in the place of a study: a measure, and how much of it people's own images allow."""

from dataclasses import replace

import numpy as np

from benchmark.selection import Selection, study_names
from benchmark.study import load_grid, load_study
from datasets.base import Dataset
from datasets.registry import unknown
from results.records import CLASSIFY

_TOTAL = "protocol.total"


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
    """The selection with as many images as every test set of people's own has, where the preset asks for more.

    What is set by hand stays. Raises BadInput for anything unknown.
    """
    if any(setting.partition("=")[0].strip() == _TOTAL for setting in selection.settings):
        return selection
    protocols = {run.dataset: run.protocol for run in load_grid(study, selection).runs()}
    most = [
        _most(dataset)
        for dataset, protocol in protocols.items()
        if ":" in dataset.text and getattr(protocol, "total", 0) > _most(dataset)
    ]
    settings = (*selection.settings, f"{_TOTAL}={min(most)}") if most else selection.settings
    return replace(selection, settings=settings)


def _most(dataset: Dataset) -> int:
    """The largest balanced set of test images."""
    return dataset.num_classes * int(np.bincount(dataset.test().labels, minlength=dataset.num_classes).min())
