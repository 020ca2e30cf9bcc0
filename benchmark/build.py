"""build(job): trains an artifact once, under its lock, and keeps it where every run that needs it finds it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from benchmark.attempt import Attempt, attempt
from benchmark.job import Options, Outcome, logger, now
from benchmark.protocol import load_preset
from benchmark.provenance import environment, forget_peak_memory
from benchmark.run import Build
from benchmark.stop import StopRequest
from benchmark.task import load_task
from benchmark.training.device import resolve_precision, take_device
from benchmark.training.loop import Interrupted
from datasets.subset import find_subset, subset_hash
from methods.artifacts import Building
from methods.task import Task
from methods.tiles import draw_tiles
from results.artifacts import SAMPLES, TENSORS, ArtifactRecord, read_tensors, write_artifact
from results.files import Verify, write_atomically
from results.locks import LockHeld, LockLost
from results.records import RecordError, Unreadable
from results.states import read_failure


class ArtifactFailed(RuntimeError):
    """A run needs an artifact whose building failed; the message names it."""


def build(job: Build, store: Path, options: Options | None = None, stop: StopRequest | None = None) -> Outcome:
    """Trains an artifact and writes its tensors, record, history and samples into `store`, as `execute` does a run."""
    return attempt(job, store, options or Options(), stop or StopRequest(), lambda at: _build(job, at))


def obtain(job: Build, at: Attempt, device: torch.device) -> object:
    """An artifact ready for use in an attempt at another job; built first where it is not there.

    Raises ArtifactFailed where its building failed, now or before; LockHeld while another process builds it;
    Unreadable where it is there and cannot be read.
    """
    try:
        return load_artifact(job, at.store, device)
    except Unreadable:
        raise
    except RecordError:  # not there, or not to be trusted: who builds it sets that aside
        if failure := read_failure(at.store / job.path):
            raise _failed(job, at.store, failure.error) from None
    outcome = build(job, at.store, replace(at.options, force=False), at.stop)
    if outcome.state == "elsewhere":
        raise LockHeld(f"{job} is being built: {outcome.message}")
    if outcome.state == "unfinished":
        raise Interrupted(f"{job}: {outcome.message}")
    if outcome.state == "failed":
        raise _failed(job, at.store, outcome.message)
    return load_artifact(job, at.store, device)


def load_artifact(job: Build, store: Path, device: torch.device) -> object:
    """What a built artifact's recipe makes of its tensors; raises RecordError where they are damaged."""
    from safetensors.torch import load

    return job.artifact.recipe.load(load(read_tensors(store / job.path)), device)


def _failed(job: Build, store: Path, why: str) -> ArtifactFailed:
    return ArtifactFailed(f"{job} failed: {why} (--retry builds it again; see {store / job.path})")


def _build(job: Build, at: Attempt) -> str:
    device = take_device(load_preset(job.preset).cpu_threads(), at.options.deterministic)
    forget_peak_memory(device)
    indices = find_subset(job.dataset, job.samples_per_class, job.seed)
    task = load_task(job, indices, device, resolve_precision(job.artifact.recipe.made_in, device))
    made = tuple(obtain(need, at, device) for need in job.artifacts)
    building = at.training(lambda: job.artifact.recipe.start(task, made))
    seconds = at.train(building)
    _store(job, at, building, task, subset_hash(indices), seconds)
    losses = ", ".join(f"{name} {value:.4f}" for name, value in _losses(building).items())
    return f"{losses or f'{building.images_seen:,} images'} in {seconds:.0f} s"


def _store(job: Build, at: Attempt, building: Building, task: Task, subset_sha256: str, seconds: float) -> None:
    from safetensors.torch import save

    tensors = save({name: value.detach().cpu().contiguous() for name, value in building.tensors().items()})
    hashes = {"subset_sha256": subset_sha256, "tensors_sha256": hashlib.sha256(tensors).hexdigest()}
    record = _record(job, at, building, task, seconds, hashes)
    if building.history.lines:
        at.write_history(building.history)
    at.write(TENSORS, tensors)
    write_artifact(at.folder, record, at.lock.verify)
    _illustrate(job, at, task)


def _illustrate(job: Build, at: Attempt, task: Task) -> None:
    """Draws the samples of what is finished by now; without them it is as good, and `samples` draws them again."""
    try:
        draw_samples(job, at.store, task, at.folder / SAMPLES, at.lock.verify)
    except LockLost:
        raise
    except Exception as error:
        logger.warning("no %s, which the verb `samples` can draw: %s: %s", SAMPLES, type(error).__name__, error)


def draw_samples(job: Build, store: Path, task: Task, path: Path, verify: Verify | None = None) -> bool:
    """Writes a PNG that shows what a built artifact does; False where its recipe has nothing to show."""
    if rows := job.artifact.recipe.picture(load_artifact(job, store, task.device), task):
        write_atomically(path, draw_tiles(rows), verify)
    return bool(rows)


def _record(
    job: Build, at: Attempt, building: Building, task: Task, seconds: float, hashes: dict[str, str]
) -> ArtifactRecord:
    return ArtifactRecord(
        schema=1,
        key=job.key,
        artifact=job.identity,
        preset=job.preset,
        losses=_losses(building),
        **hashes,
        steps=building.steps,
        train_seconds=seconds,
        images_per_second=building.images_seen / seconds,
        resumed=at.resumed,
        finished=now(),
        environment=environment(task.device, task.precision, at.deterministic),
        warnings=at.warnings(),
        prepare_seconds=at.prepare_seconds,
    )


def _losses(building: Building) -> dict[str, float]:
    """The mean losses of the last stretch of training; nothing where there are none."""
    lines = building.history.lines[-1:]
    return {n: value for line in lines for n, value in line.items() if n not in ("step", "learning_rate")}
