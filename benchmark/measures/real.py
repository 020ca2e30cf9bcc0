"""The extraction of real images' features (benchmark/reference.py)."""

import torch
from torch import Tensor

from benchmark.measures import inception
from benchmark.measures.extraction import Extraction
from benchmark.measures.sets import RealImages, draw_real
from benchmark.reference import RealFeatures
from datasets.base import Dataset
from datasets.registry import BadInput
from methods.task import Task


def start(recipe: RealFeatures, task: Task) -> Extraction:
    """Raises BadInput where a class has too few images, DataMissing without images or weights."""
    images = RealImages(recipe.dataset, recipe.split, positions(recipe, task.seed))
    return Extraction(images, inception.Inception(task.device, task.precision))


def positions(recipe: RealFeatures, seed: int) -> Tensor:
    """Official positions of a recipe's images; raises BadInput where a class has too few."""
    dataset, count = recipe.dataset, recipe.count
    if recipe.split == "test":
        labels = torch.from_numpy(dataset.test().labels)
        return _draw(dataset, labels, len(labels) if count is None else count, seed, "protocol.total")
    present = torch.from_numpy(dataset.present())
    if count is None:
        return present
    labels = torch.from_numpy(dataset.train_labels())[present]
    return present[_draw(dataset, labels, count, seed, "protocol.reference")]


def _draw(dataset: Dataset, labels: Tensor, count: int, seed: int, setting: str) -> Tensor:
    try:
        return draw_real(labels, count, dataset.num_classes, seed)
    except BadInput as error:
        raise BadInput(f"{dataset.text}: {error} (--set {setting})") from error
