"""build(job): trains an artifact once, under its lock, and keeps it where every run that needs it finds it."""

import hashlib
from pathlib import Path

import torch

from benchmark.attempt import Attempt, Options, Outcome, Receipt, attempt, load_task, now
from benchmark.device import resolve_precision, take_device
from benchmark.locks import LockHeld
from benchmark.picture import draw
from benchmark.protocol import load_preset
from benchmark.provenance import environment, forget_peak_memory
from benchmark.run import Build
from benchmark.stop import StopRequest
from benchmark.train import Interrupted
from datasets.subset import find_subset, subset_hash
from methods.artifacts import Building
from methods.base import Task
from results.artifacts import ARTIFACT, SAMPLES, TENSORS, ArtifactRecord, read_tensors, write_artifact
from results.store import FAILURE, read_json, write_atomically


class ArtifactFailed(RuntimeError):
    """A run needs an artifact whose building failed; the message names it."""


RECEIPT = Receipt(ARTIFACT, lambda path: read_tensors(path.parent))


def build(job: Build, store: Path, options: Options | None = None, stop: StopRequest | None = None) -> Outcome:
    """Trains an artifact and writes its tensors, record, history and samples into `store`, as `execute` does a run."""
    return attempt(job, store, options or Options(), stop or StopRequest(), RECEIPT, lambda at: _build(job, at))


def obtain(job: Build, at: Attempt, device: torch.device) -> object:
    """An artifact ready for use in an attempt at another job; built first where it is not there.

    Raises ArtifactFailed where its building failed, now or before; LockHeld while another process builds it.
    """
    if not RECEIPT.in_folder(at.store / job.path):
        _require_no_failure(job, at.store)
        outcome = build(job, at.store, Options(checkpoint_seconds=at.options.checkpoint_seconds), at.stop)
        if outcome.state == "elsewhere":
            raise LockHeld(f"{job} is being built: {outcome.message}")
        if outcome.state == "unfinished":
            raise Interrupted(f"{job}: {outcome.message}")
        _require_no_failure(job, at.store)
    return load_artifact(job, at.store, device)


def load_artifact(job: Build, store: Path, device: torch.device) -> object:
    """What a built artifact's recipe makes of its tensors; raises RecordError where they are damaged."""
    from safetensors.torch import load

    return job.artifact.recipe.load(load(read_tensors(store / job.path)), device)


def _require_no_failure(job: Build, store: Path) -> None:
    if failure := read_json(store / job.path / FAILURE):
        raise ArtifactFailed(f"{job} failed: {failure['error']} (--retry builds it again; see {store / job.path})")


def _build(job: Build, at: Attempt) -> str:
    device = take_device(load_preset(job.preset).cpu_threads())
    forget_peak_memory(device)
    task = load_task(job, device, resolve_precision("auto", device))
    made = tuple(obtain(need, at, device) for need in job.artifacts)
    building = at.training(lambda: job.artifact.recipe.start(task, made))
    seconds = at.train(building)
    _store(job, at, building, task, seconds)
    losses = ", ".join(f"{name} {value:.4f}" for name, value in _losses(building).items())
    return f"{losses} in {seconds:.0f} s"


def _store(job: Build, at: Attempt, building: Building, task: Task, seconds: float) -> None:
    from safetensors.torch import save

    tensors = save({name: value.detach().cpu().contiguous() for name, value in building.tensors().items()})
    record = _record(job, at, building, task, seconds, hashlib.sha256(tensors).hexdigest())
    at.write_history(building.history)
    write_atomically(at.folder / TENSORS, tensors)
    write_artifact(at.folder, record)
    draw_samples(job, at.store, task, at.folder / SAMPLES)


def draw_samples(job: Build, store: Path, task: Task, path: Path) -> None:
    """Writes a PNG that shows what a built artifact does, where its recipe has something to show."""
    if rows := job.artifact.recipe.picture(load_artifact(job, store, task.device), task):
        write_atomically(path, draw(rows))


def _record(job: Build, at: Attempt, building: Building, task: Task, seconds: float, sha256: str) -> ArtifactRecord:
    indices = find_subset(job.dataset, job.samples_per_class, job.seed)
    return ArtifactRecord(
        schema=1,
        key=job.key,
        artifact=job.identity,
        preset=job.preset,
        losses=_losses(building),
        subset_sha256=subset_hash(indices),
        tensors_sha256=sha256,
        steps=building.steps,
        train_seconds=seconds,
        images_per_second=building.images_seen / seconds,
        resumed=at.resumed,
        finished=now(),
        environment=environment(task.device, task.precision),
        warnings=at.warnings(),
        prepare_seconds=at.prepare_seconds,
    )


def _losses(building: Building) -> dict[str, float]:
    """The mean losses of the last stretch of training."""
    return {n: value for n, value in building.history.lines[-1].items() if n not in ("step", "learning_rate")}
