"""What runs and artifacts will cost, from recorded wall times or, where there are none, from counted operations."""

import json
import os
import statistics
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from benchmark.kinds.base import Measure
from benchmark.protocol import load_preset
from benchmark.run import Build, Run
from datasets.base import registry
from methods.flops import Work
from results.artifacts import ArtifactRecord
from results.index import Entry

Kind = tuple[str, ...]


class Rates(NamedTuple):
    """What a device does in a second, of a CPU each thread: floating-point operations in half precision, bytes
    written, operators begun."""

    flops: float
    written: float
    operators: float


# nominal; of a CPU so that the fastest records in results/measured are met within a factor of 2
# (tests/unit/test_estimate.py), of a GPU estimates, for none was seen
GUESSED = {"cpu": Rates(2.4e11, 3.2e9, 4e4), "cuda": Rates(1e14, 1e12, 6e4)}


class Costs:
    """Seconds per shown image by kind of job: the median of what is recorded on this kind of device.

    A run is compared with records of its network: of its method and dataset where there are any, then of its
    dataset, then all. An artifact is compared with those of its recipe. What was made at low priority, beside other
    work, is left out. device: cpu or cuda, this machine's unless told; flops: per second, for guesses, which leave out
    evaluation and what a method does beside networks and segmentations.
    """

    def __init__(
        self,
        records: Iterable[Entry],
        artifacts: Iterable[ArtifactRecord],
        device: str | None = None,
        flops: float | None = None,
    ):
        self.device = device or ("cuda" if has_gpu() else "cpu")
        self.flops = flops
        self._speeds: dict[Kind, list[float]] = {}
        for record in records:
            if record.device_type == self.device and record.nice <= 0:
                self._add_run(record)
        for artifact in artifacts:
            if artifact.environment.device_type == self.device and artifact.environment.nice <= 0:
                self._add(_recipe_kind(artifact.identity["recipe"]), 1 / max(artifact.images_per_second, 1e-9))

    def hours(self, jobs: Iterable[Run | Build]) -> tuple[float, bool]:
        """Hours of one process for all jobs, one after the other, and whether a part of that is guessed."""
        alike: dict[tuple, list[Run | Build]] = {}
        for job in jobs:
            alike.setdefault((_kinds(job), _images(job)), []).append(job)
        seconds = [(len(group), *self.seconds(group[0])) for group in alike.values()]
        return sum(count * each for count, each, _ in seconds) / 3600, any(guessed for *_, guessed in seconds)

    def seconds(self, job: Run | Build) -> tuple[float, bool]:
        """Seconds of one job, and whether they are a guess."""
        known = next((self._speeds[kind] for kind in _kinds(job) if kind in self._speeds), None)
        if known:
            return _images(job) * statistics.median(known), False
        return self._guess(_work(job), load_preset(job.preset).cpu_threads()), True

    def _guess(self, work: Work, threads: int) -> float:
        rates, side_by_side = GUESSED[self.device], threads if self.device == "cpu" else 1
        flops = self.flops or rates.flops * side_by_side / _slower(self.device)
        written = work.written / (rates.written * side_by_side)
        return work.flops / flops + written + work.operators / rates.operators + work.seconds / threads

    def _add_run(self, record: Entry) -> None:
        # evaluation is spread over the training images
        images = record.images_per_second * record.train_seconds
        for kind in _run_kinds(record.network, _family(record.dataset), record.method_name):
            self._add(kind, (record.train_seconds + record.eval_seconds) / max(images, 1))

    def _add(self, kind: Kind, seconds: float) -> None:
        self._speeds.setdefault(kind, []).append(seconds)


def _kinds(job: Run | Build) -> tuple[Kind, ...]:
    """What to compare a job with, the nearest first."""
    if isinstance(job, Build):
        return (_recipe_kind(job.artifact.recipe.identity),)
    return _run_kinds(job.protocol.network, job.dataset.family, job.method.identity["name"])


def _run_kinds(network: str, family: str, method: object) -> tuple[Kind, ...]:
    return (network, family, str(method)), (network, family), (network,)


def _recipe_kind(recipe: dict[str, object]) -> Kind:
    return ("recipe", json.dumps(recipe, sort_keys=True))


def _images(job: Run | Build) -> int:
    """How many images a job shows in all."""
    n, classes = job.samples_per_class, job.dataset.num_classes
    if isinstance(job, Build):
        return job.artifact.recipe.images(n, classes)
    return job.protocol.images(n, classes)


def _work(job: Run | Build) -> Work:
    """What the whole job asks of a machine."""
    n, classes = job.samples_per_class, job.dataset.num_classes
    if isinstance(job, Build):
        return job.artifact.recipe.work(n, classes)
    if isinstance(job.protocol, Measure):
        return job.protocol.work(n, classes)
    from benchmark.training.nets import step_work

    channels, size = job.method.classifier_input(job.dataset.image_size)
    batch = min(job.protocol.batch_size, n * classes * job.protocol.repeats(n))
    step = step_work(job.protocol.network, classes, size, batch, channels) + job.method.work(job.dataset, batch)
    return step * (job.protocol.images(n, classes) / batch)


@lru_cache(maxsize=2)
def _slower(device: str) -> float:
    """How much slower than in half precision this machine's CPU is, where it has none; any GPU is taken to have it."""
    import torch

    from benchmark.training.device import resolve_precision

    return 2.0 if device == "cpu" and resolve_precision("auto", torch.device("cpu")) == "fp32" else 1.0


def _family(dataset: str) -> str:
    """The family of a dataset given its id: one's own images, whichever they are, are one."""
    name = dataset.partition("@")[0]
    return getattr(registry.entries().get(name), "stands_for", None) or name


def has_gpu() -> bool:
    """Whether torch will see an NVIDIA device, found out without importing torch."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return Path("/dev/nvidia0").exists() and not hidden and "+cpu" not in version("torch")
