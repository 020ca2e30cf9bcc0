"""What an augmenter is fitted to: a training subset in memory and what was trained on it; and the files of that."""

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, ValidationError
from torch import Tensor

from benchmark.build import ArtifactFailed, build
from benchmark.cli.augment import Subject
from benchmark.config import Config
from benchmark.job import Options
from benchmark.pool import Ended, Watch
from benchmark.protocol import Protocol, load_preset
from benchmark.run import Build, with_needs
from benchmark.stop import StopRequest
from benchmark.training.device import resolve_precision
from benchmark.training.seeding import global_state, restore_global_state
from datasets.given import Given, take_images
from datasets.paths import given_path
from datasets.registry import BadInput, as_text
from datasets.subset import find_subset
from hydrabench.checks import require_number
from methods.base import Method
from methods.registry import format_method, parse_method
from methods.task import Task
from results.artifacts import LARGEST_TENSORS, read_tensors
from results.files import DEFAULT_STORE, write_atomically, write_json
from results.reader import RecordError, first_fault, read_content, read_json
from results.states import read_progress
from results.stores import store_folder

_FORMAT = 1
_JSON, _TENSORS = "augmenter.json", "augmenter.safetensors"
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Fit:
    """A resolved method with the subset that it was fitted to, in the order of its task, and its artifacts' tensors.

    dataset: None where the method needs no images; it is then as its user gave it.
    """

    method: Method
    dataset: Given | None
    preset: str
    seed: int
    tensors: tuple[dict[str, Tensor], ...] = ()

    @property
    def subject(self) -> Subject:
        assert self.dataset is not None
        return Subject(self.method, self.dataset, self.dataset.smallest_class(), self.seed, self.preset)

    @property
    def protocol(self) -> Protocol:
        return self.subject.protocol

    def task(self, device: torch.device) -> Task:
        """The subset on a device; nothing works ahead in other processes."""
        dataset, subject = self.dataset, self.subject
        assert dataset is not None
        every = np.arange(len(dataset.train_labels()))
        return Task(
            images=torch.from_numpy(np.ascontiguousarray(dataset.train_images(every))).to(device),
            labels=torch.from_numpy(dataset.train_labels()).to(device),
            num_classes=dataset.num_classes,
            device=device,
            seed=self.seed,
            samples_per_class=subject.samples_per_class,
            precision=resolve_precision("auto", device),
            class_names=tuple(dataset.class_names()),
        )

    def prepare(self, task: Task) -> Method:
        """The method with its artifacts, on the task's device."""
        recipes = [job.artifact.recipe for job in self.subject.used]
        made = (recipe.load(tensors, task.device) for recipe, tensors in zip(recipes, self.tensors, strict=True))
        return self.method.prepare(task, tuple(made))


def fit_to(
    method: Method, images: Any, labels: Any, preset: str, store: str | Path | None, seed: int, progress: bool
) -> Fit:
    """Trains what a method needs on a subset of images, as large as their smallest class allows."""
    load_preset(as_text("preset", preset))
    require_number("seed", seed, 0)
    given = take_images(images, labels)
    size, largest = given.smallest_class(), int(np.bincount(given.train_labels()).max())
    if largest > size:
        warnings.warn(f"classes have {size} to {largest} images: {size} of each are taken", stacklevel=4)
    subject = Subject(method, given, size, seed, preset)
    tensors = _train(subject, _store(store), progress)
    indices = find_subset(given, size, seed)
    chosen = Given(given.train_images(indices), given.train_labels()[indices], given.class_names())
    return Fit(subject.resolved, chosen, preset, seed, tensors)


def _store(path: str | Path | None) -> Path:
    return store_folder(given_path(path or os.environ.get("HYDRABENCH_RESULTS") or DEFAULT_STORE))


def _train(subject: Subject, store: Path, progress: bool) -> tuple[dict[str, Tensor], ...]:
    """The tensors of a subject's artifacts, trained in this process where they are not in the store."""
    from safetensors.torch import load

    jobs = {job.key: job for job in with_needs(subject.used)}
    with _process_as_before(), _watch(len(jobs), progress) as watch:
        for job in jobs.values():
            outcome = build(job, store, Options(), _Told(job, store / job.path, watch))
            watch({}, [Ended(job, outcome.state, outcome.message)])
            if outcome.state != "done":
                raise ArtifactFailed(f"{job} is {outcome.state}: {outcome.message}; see {store / job.path}")
    return tuple(load(read_tensors(store / job.path)) for job in subject.used)


def _watch(jobs: int, progress: bool) -> Any:
    """What a person sees of so many trainings, on standard error."""
    from benchmark.cli.progress import make_progress

    return make_progress(jobs) if progress and jobs else nullcontext(lambda running, ended: None)


class _Told(StopRequest):
    """Asked before every step of a training in this process, it passes on how far that is."""

    def __init__(self, job: Build, folder: Path, watch: Watch):
        super().__init__()
        self._job, self._folder, self._watch, self._told = job, folder, watch, time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() - self._told > _LOOK_SECONDS and (at := read_progress(self._folder)):
            self._told = time.monotonic()
            self._watch({self._job.key: (self._job, at)}, [])
        return super().__call__()


@contextmanager
def _process_as_before() -> Iterator[None]:
    """Gives back what a training sets in its process: threads, torch's random stream, how a GPU computes."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    threads, random, mode = torch.get_num_threads(), global_state(), torch.get_deterministic_debug_mode()
    flags = (cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark, cudnn.deterministic)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        restore_global_state(random)
        torch.set_deterministic_debug_mode(mode)
        cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark, cudnn.deterministic = flags


class Saved(Config):
    """augmenter.json. num_classes: of a method that was not fitted; classes: names, of one that was."""

    format: int
    method: str
    identity: dict[str, Any]
    preset: str
    seed: int
    num_classes: Annotated[int, Field(ge=1)] | None
    classes: list[str] | None
    tensors_sha256: str | None


def write_fit(folder: Path, fit: Fit, num_classes: int | None) -> None:
    """Writes augmenter.json after the tensors that it vouches for."""
    content = _packed(fit) if fit.dataset else None
    if content is not None:
        write_atomically(folder / _TENSORS, content)
    saved = Saved(
        format=_FORMAT,
        method=format_method(fit.method),
        identity=_plain(fit.method.identity),
        preset=fit.preset,
        seed=fit.seed,
        num_classes=num_classes,
        classes=fit.dataset.class_names() if fit.dataset else None,
        tensors_sha256=hashlib.sha256(content).hexdigest() if content is not None else None,
    )
    write_json(folder / _JSON, saved.model_dump())


def _packed(fit: Fit) -> bytes:
    from safetensors.torch import save

    task = fit.task(torch.device("cpu"))
    named = {f"{number}/{name}": value for number, made in enumerate(fit.tensors) for name, value in made.items()}
    return save({"images": task.images, "labels": task.labels, **named})


def read_fit(folder: Path) -> tuple[Fit, int | None]:
    """What `write_fit` wrote, and num_classes; raises BadInput that names the file."""
    try:
        saved = Saved.model_validate(read_json(folder / _JSON))
        if saved.format != _FORMAT:
            raise BadInput(f"{folder} is of format {saved.format}, this program reads {_FORMAT}")
        method = parse_method(saved.method)
        if _plain(method.identity) != saved.identity:
            raise BadInput(f"{folder} is of another version of {saved.method}: fit it again")
        fit = Fit(method, None, saved.preset, saved.seed)
        return (fit if saved.classes is None else _unpacked(fit, saved, folder / _TENSORS)), saved.num_classes
    except (RecordError, ValidationError) as error:
        if isinstance(error, BadInput):
            raise
        told = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise BadInput(f"{folder} holds no augmenter: {told}") from error


def _unpacked(fit: Fit, saved: Saved, path: Path) -> Fit:
    from safetensors.torch import load

    content = read_content(path, LARGEST_TENSORS)
    if hashlib.sha256(content).hexdigest() != saved.tensors_sha256:
        raise RecordError(f"{path.name} is not the file that {_JSON} describes")
    tensors = load(content)
    images, labels = tensors.pop("images").numpy(), tensors.pop("labels").numpy()
    made: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, rest = name.partition("/")
        made.setdefault(int(number), {})[rest] = value
    dataset = Given(images, labels, saved.classes or ())
    return Fit(fit.method, dataset, fit.preset, fit.seed, tuple(made[number] for number in sorted(made)))


def _plain(identity: dict[str, object]) -> dict[str, Any]:
    """An identity as JSON has it."""
    return json.loads(json.dumps(identity))
