"""What a batch costs the host: CPU time of `Batches.next` in microseconds, by method, at the papers' preset.

The median of many batches of 10 images, in one thread and one process. What a generator computes is left out: it is the
device's work. CPU time, so that other work on the machine changes little; compare checkouts by turns all the same.
"""

import statistics
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import click
import torch
from bench import paper_training, real_dataset

from benchmark.training.loop import Training
from methods.glico import Interpolating
from methods.registry import registry

_BATCHES = 200


@contextmanager
def idle_generators(training: Training) -> Iterator[None]:
    """Generators that give the first source's image, or black ones, at once."""
    method = training.batches.method
    fitted = getattr(method, "fitted", None) if isinstance(method, Interpolating) else None
    black = torch.zeros(training.protocol.batch_size, 3, 32, 32)
    with mock.patch("methods.mixing.composer.mix_images", lambda generator, images, masks: images[0]):
        if fitted:
            fitted.generator.forward = lambda codes, noise: black
        yield


def microseconds(name: str) -> float:
    training = paper_training(real_dataset(), name, torch.device("cpu"))
    took = []
    with idle_generators(training):
        for _ in range(_BATCHES):
            start = time.thread_time_ns()
            training.batches.next(1)
            took.append(time.thread_time_ns() - start)
    return statistics.median(took) / 1000


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # a mixed set that is hardly begun is small
    names = [name for name, cls in registry.entries().items() if cls().available]
    for name in [*names, "mixup+autoaugment", "hydramix+autoaugment"]:
        click.echo(f"{name:<30}{microseconds(name):>10.0f}")


if __name__ == "__main__":
    main()
