"""A training subset on the device: what methods and artifacts learn from."""

from typing import Protocol

import numpy as np
import torch

from benchmark.protocol import load_preset, usable_cores
from datasets.base import Dataset
from datasets.boxes import BoxDataset
from methods.task import Task

_MOST_HELPERS = 4  # processes that segment or augment images ahead of a training


class Subset(Protocol):
    """What names a training subset, and the preset whose threads work on it: a run, a build."""

    @property
    def dataset(self) -> Dataset: ...
    @property
    def samples_per_class(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def preset(self) -> str: ...


def load_task(subset: Subset, indices: np.ndarray, device: torch.device, precision: str) -> Task:
    """A training subset on a device; indices: those that `find_subset` gives for it."""
    dataset = subset.dataset
    threads = load_preset(subset.preset).cpu_threads()
    boxed = isinstance(dataset, BoxDataset)
    labels = np.zeros(len(indices), np.int64) if boxed else dataset.train_labels()[indices]
    return Task(
        images=torch.from_numpy(_images(dataset, indices)).to(device),
        labels=torch.from_numpy(labels).to(device),
        num_classes=1 if boxed else dataset.num_classes,
        device=device,
        seed=subset.seed,
        samples_per_class=len(indices) if boxed else subset.samples_per_class,
        precision=precision,
        # with one thread, runs stand side by side: a helper would only take a neighbour's core
        workers=min(_MOST_HELPERS, usable_cores() - 1) if threads > 1 else 0,
        class_names=(dataset.label,) if boxed else tuple(dataset.class_names()),
        regions=torch.from_numpy(dataset.regions(indices)) if isinstance(dataset, BoxDataset) else None,
        image_names=tuple(dataset.describe(int(index)) for index in indices),
    )


def _images(dataset: Dataset, indices: np.ndarray) -> np.ndarray:
    """None for what is made from no subset: who reads image by image cannot stack nothing."""
    size = dataset.image_size
    return dataset.train_images(indices) if len(indices) else np.empty((0, size, size, 3), np.uint8)
