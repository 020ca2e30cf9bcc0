"""What runs and artifacts will cost, from recorded wall times or, where there are none, from FLOPs."""

import json
import os
import statistics
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from benchmark.kinds import Measure
from benchmark.run import Build, Run
from datasets.base import registry
from methods.flops import TRAINED
from results.artifacts import ArtifactRecord
from results.index import Entry

Kind = tuple[str, ...]

GUESSED_FLOPS = {"cpu": 2e11, "cuda": 2e13}  # per second; only where no wall time is recorded


class Costs:
    """Seconds per shown image by kind of job: the median of what is recorded on this kind of device.

    A run is compared with records of its network: of its method and dataset where there are any, then of its
    dataset, then all. An artifact is compared with those of its recipe. What was made at low priority, beside other
    work, is left out. device: cpu or cuda, this machine's unless told; flops: per second, for guesses.
    """

    def __init__(
        self,
        records: Iterable[Entry],
        artifacts: Iterable[ArtifactRecord],
        device: str | None = None,
        flops: float | None = None,
    ):
        self.device = device or ("cuda" if has_gpu() else "cpu")
        self.flops = flops or GUESSED_FLOPS[self.device]
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
        return _images(job) * _flops(job) / self.flops, True

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


def _flops(job: Run | Build) -> float:
    """Floating-point operations per shown image."""
    if isinstance(job, Build):
        return job.artifact.recipe.flops()
    if isinstance(job.protocol, Measure):
        return job.protocol.flops()
    from benchmark.training.nets import forward_flops

    channels, size = job.method.classifier_input(job.dataset.image_size)
    return TRAINED * forward_flops(job.protocol.network, job.dataset.num_classes, size, channels)


def _family(dataset: str) -> str:
    """The family of a dataset given its id: one's own images, whichever they are, are one."""
    name = dataset.partition("@")[0]
    return getattr(registry.entries().get(name), "stands_for", None) or name


def has_gpu() -> bool:
    """Whether torch will see an NVIDIA device, found out without importing torch."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return Path("/dev/nvidia0").exists() and not hidden and "+cpu" not in version("torch")
