"""Small tasks that several test files learn from."""

import torch

from datasets.base import get_dataset
from datasets.subset import find_subset
from methods.task import Task


def digits(samples_per_class: int = 2, workers: int = 0, precision: str = "fp32") -> Task:
    """Seed 0's subset of the handwritten digits, on the CPU."""
    return subset_of("digits", samples_per_class, workers, precision)


def subset_of(name: str, samples_per_class: int, workers: int = 0, precision: str = "fp32") -> Task:
    dataset = get_dataset(name)
    indices = find_subset(dataset, samples_per_class, 0)
    images, labels = dataset.train_images(indices), dataset.train_labels()[indices]
    device, names = torch.device("cpu"), tuple(dataset.class_names())
    values = (torch.from_numpy(images), torch.from_numpy(labels), dataset.num_classes, device, 0, samples_per_class)
    described = tuple(dataset.describe(int(index)) for index in indices)
    return Task(*values, precision, workers, names, described)
