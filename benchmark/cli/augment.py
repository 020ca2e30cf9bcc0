"""The verbs `samples` and `augment`: what a method's generator composes, for people to look at and to use."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from benchmark.build import draw_samples, load_artifact
from benchmark.cli.outputs import replaced, require_free, require_writable
from benchmark.job import receipt_of
from benchmark.pool import Pool
from benchmark.protocol import Protocol, load_preset, require_labels, resolve_budgets, run_protocol
from benchmark.run import Build, with_needs
from benchmark.sweep import Screen, require_data, warn
from benchmark.task import load_task
from benchmark.teacher import artifacts_of
from benchmark.training.device import resolve_precision, take_device
from datasets.base import Dataset
from datasets.batches import draw_partners, normalise, to_bytes, to_unit
from datasets.registry import BadInput
from datasets.subset import find_subset
from methods.artifacts import Recipe
from methods.base import Method
from methods.mixing.family import Composer, Mixing
from methods.registry import format_method
from methods.streams import derive, stream
from methods.task import Task, Views
from results.escape import one_line
from results.files import write_atomically


class Failed(OSError):
    """What was asked for could not be made; the message says why and where to look."""


@dataclass(frozen=True)
class Subject:
    """A method's generator on a training subset."""

    method: Method
    dataset: Dataset
    samples_per_class: int
    seed: int
    preset: str

    @property
    def resolved(self) -> Method:
        return self.method.resolve(self.dataset, resolve_budgets(self.preset, self.dataset))

    @property
    def protocol(self) -> Protocol:
        return run_protocol(self.resolved, self.preset, self.dataset, self.samples_per_class)

    @property
    def used(self) -> tuple[Build, ...]:
        """The artifacts that the method uses, if any."""
        used = artifacts_of(self.resolved, self.dataset, self.samples_per_class, self.seed, self.protocol)
        return tuple(Build(artifact, self.preset) for artifact in used)

    @property
    def builds(self) -> tuple[Build, ...]:
        """The artifacts to have; raises BadInput for a method that trains none."""
        if not (used := self.used):
            raise BadInput(f"method '{format_method(self.method)}' trains no generator; take hydramix, for example")
        return used


def make_samples(subject: Subject, store: Path, output: Path, screen: Screen) -> None:
    """Writes a PNG of a generator's compositions to `output`, training the generator where it is not there.

    Raises BadInput, before it trains, where `output` cannot be written, and, before that where it can be known, for a
    method that has nothing to show.
    """
    recipe = subject.builds[-1].artifact.recipe
    no_picture = BadInput(f"method '{format_method(subject.method)}': there is no picture of a {recipe.title}")
    if type(recipe).picture is Recipe.picture:
        raise no_picture
    require_writable(output)
    (*_, job) = ensure_built(subject, store, screen)
    if not draw_samples(job, store, task_of(subject, _device(subject)), output):
        raise no_picture


def ensure_built(subject: Subject, store: Path, screen: Screen) -> tuple[Build, ...]:
    """Builds what is missing of a subject's artifacts, with progress; raises Failed where that does not succeed."""
    jobs = {job.key: job for job in with_needs(subject.builds)}
    missing = [job for job in jobs.values() if not receipt_of(job).is_good(store / job.path)]
    require_data(missing)
    pool = Pool(store, 1, {})
    if missing:
        warn(missing, screen.note)
        screen.note(f"training {', '.join(map(str, missing))}")
        with screen.progress(len(missing)) as watch:
            pool.work(missing, watch)
    for job, state, message in pool.ended:
        if state != "done":
            raise Failed(f"{job} is {state}: {message}; see {store / job.path}")
    return subject.builds


def augment(subject: Subject, per_class: int, store: Path, output: Path, screen: Screen) -> None:
    """Writes `per_class` new images of each class as output/<class>/<number>.png, and output/manifest.csv.

    The manifest names each image's sources, the first of which gives the class, and the seed of its mask.
    Raises BadInput where `output` holds something already or cannot be written, before anything is trained; until all
    is written it does not exist.
    """
    require_labels(subject.dataset)
    place = require_free(output)
    if subject.builds and not isinstance(subject.resolved, Mixing):
        text = format_method(subject.method)
        raise BadInput(f"method '{text}': images are composed by one method alone, like hydramix")
    with replaced(place) as draft:
        ensure_built(subject, store, screen)
        _write(compose(subject, per_class, store), draft)
    screen.note(
        f"wrote {per_class} images of each of {subject.dataset.num_classes} classes under {one_line(str(output))}"
    )


class ComposedImage(NamedTuple):
    """A new image, uint8 H×W×3, of a class, with the names of its sources and the seed of its mask."""

    image: np.ndarray
    label: str
    sources: list[str]
    mask_seed: int


def compose(subject: Subject, per_class: int, store: Path) -> Iterator[ComposedImage]:
    """`per_class` compositions of each class in turn; the same subject gives the same ones."""
    device = _device(subject)
    made = tuple(load_artifact(job, store, device) for job in subject.builds)
    task = task_of(subject, device)
    composer = subject.resolved.prepare(task, made)
    assert isinstance(composer, Composer)
    indices = find_subset(subject.dataset, subject.samples_per_class, subject.seed)
    maps, images, labels = composer.maps(task), task.images.cpu(), task.labels.cpu()
    for label, name in enumerate(subject.dataset.class_names()):
        members = (labels == label).nonzero().flatten()
        rng = stream(subject.seed, f"augment {name}")
        for number in range(per_class):
            first = torch.randint(len(members), (1, 1), generator=rng)
            partners = draw_partners(composer.sources - 1, 1, len(members), rng)
            picked = members[torch.cat([first, partners]).flatten()]
            mask_seed = derive(subject.seed, f"mask {name} {number}")
            views = Views(normalise(to_unit(images[picked]))[:, None], None if maps is None else maps[picked][:, None])
            image = composer.compose(views, torch.Generator().manual_seed(mask_seed)).images[0]
            sources = [subject.dataset.describe(int(indices[position])) for position in picked]
            yield ComposedImage(to_bytes(image).cpu().numpy(), name, sources, mask_seed)


def task_of(subject: Subject, device: torch.device) -> Task:
    """A subject's training subset on a device."""
    indices = find_subset(subject.dataset, subject.samples_per_class, subject.seed)
    return load_task(subject, indices, device, resolve_precision("auto", device))


def _device(subject: Subject) -> torch.device:
    """The device to compose on, with the preset's number of threads, so that a generator always draws the same."""
    return take_device(load_preset(subject.preset).cpu_threads())


def _write(images: Iterator[ComposedImage], folder: Path) -> None:
    text = io.StringIO()
    manifest = csv.writer(text, lineterminator="\n")
    manifest.writerow(["file", "class", "sources", "mask_seed"])
    counts: dict[str, int] = {}
    for image, label, sources, mask_seed in images:
        counts[label] = number = counts.get(label, 0) + 1
        path = folder / label / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        manifest.writerow([f"{label}/{path.name}", label, " | ".join(sources), mask_seed])
    write_atomically(folder / "manifest.csv", text.getvalue().encode(errors="surrogateescape"))
