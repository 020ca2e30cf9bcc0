"""The extraction of real images' features (benchmark/reference.py)."""

import torch
from torch import Tensor

from benchmark.measures import inception
from benchmark.measures.extraction import Extraction
from benchmark.measures.sets import RealImages, draw_real
from benchmark.reference import RealFeatures
from benchmark.training.device import resolve_precision
from methods.task import Task


def start(recipe: RealFeatures, task: Task) -> Extraction:
    """Raises BadInput where the test set has too few images of a class, DataMissing without images or weights."""
    images = RealImages(recipe.dataset, recipe.split, _positions(recipe, task.seed))
    precision = resolve_precision(recipe.precision, task.device)
    return Extraction(images, inception.Inception(task.device, precision))


def _positions(recipe: RealFeatures, seed: int) -> Tensor:
    dataset, count = recipe.dataset, recipe.count
    if recipe.split == "test":
        labels = torch.from_numpy(dataset.test().labels)
        return draw_real(labels, len(labels) if count is None else count, dataset.num_classes, seed)
    present = torch.from_numpy(dataset.present())
    if count is None or count >= len(present):
        return present
    labels = torch.from_numpy(dataset.train_labels())[present]
    return present[draw_real(labels, count, dataset.num_classes, seed, at_most=True)]
