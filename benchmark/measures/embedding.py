"""The kind `embedding`: CLIP's features of one class's images in the plane, and how far they are from the originals
(HydraMix, Figure 9)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.kinds.sets import Embedding
from benchmark.measures import Measuring
from benchmark.measures.clip import load_clip
from benchmark.measures.extraction import Extraction, Source
from benchmark.measures.plane import embed, require_enough
from benchmark.measures.sets import ImageSet, RealImages, set_of
from benchmark.protocol import resolve_budgets
from benchmark.reference import Seen
from benchmark.run import Run
from datasets.registry import BadInput, unknown
from datasets.subset import find_subset
from methods.registry import label_method, parse_method
from methods.task import Task
from results.files import POINTS
from results.points import ORIGINAL, Cloud, points_csv


class Embedded(Measuring):
    """Encodes sets one after the other, the originals among them and at last the method's own; then the plane of all.

    place: features N×D to coordinates N×2. seen: sets that are encoded already.
    """

    def __init__(
        self,
        weights_sha256: str,
        sets: dict[str, Extraction],
        place: Callable[[Tensor], Tensor],
        seen: dict[str, Seen] | None = None,
    ):
        super().__init__(sum(one.steps for one in sets.values()), sum(one.images_seen for one in sets.values()))
        self.weights_sha256 = weights_sha256
        self._sets, self._place, self._seen = sets, place, seen or {}

    def advance(self) -> None:
        next(one for one in self._sets.values() if one.step < one.steps).advance()
        self.step += 1

    def state(self) -> dict[str, object]:
        return {"step": self.step, "sets": [one.state() for one in self._sets.values()]}

    def restore(self, state: dict) -> None:
        for one, before in zip(self._sets.values(), state["sets"], strict=True):
            one.restore(before)
        self.step = state["step"]

    def metrics(self) -> dict[str, float]:
        *_, own = self._sets.values()
        return {"nearest": nearest_distance(own.features, self._sets[ORIGINAL].features)}

    def files(self) -> dict[str, bytes]:
        sets = self._seen | {name: Seen(one.features, one.labels) for name, one in self._sets.items()}
        points = self._place(torch.cat([one.features for one in sets.values()]))
        parts = points.split([len(one.labels) for one in sets.values()])
        clouds = [Cloud(xy.numpy(), one.labels.numpy()) for xy, one in zip(parts, sets.values(), strict=True)]
        return {POINTS: points_csv(dict(zip(sets, clouds, strict=True)))}


def nearest_distance(features: Tensor, originals: Tensor) -> float:
    """Mean over features N×D of 1 - cosine to the nearest of the originals M×D: 0 where nothing is new."""
    cosines = functional.normalize(features.double(), dim=1) @ functional.normalize(originals.double(), dim=1).T
    return float((1 - cosines.max(dim=1).values).mean())


def start(run: Run, task: Task, made: tuple[object, ...]) -> Embedded:
    """Raises BadInput for a class that the dataset has not, and without weights."""
    assert isinstance(run.protocol, Embedding)
    if run.protocol.class_name not in task.class_names:
        raise unknown(f"class of {run.dataset.text}", run.protocol.class_name, task.class_names)
    label = task.class_names.index(run.protocol.class_name)
    positions = torch.from_numpy(find_subset(run.dataset, run.samples_per_class, run.seed))
    originals = RealImages(run.dataset, "train", positions[task.labels.cpu() == label], run.protocol.batch_size)
    own = set_of(run, task, made, run.protocol.per_class, label)
    sources: dict[str, Source] = {
        ORIGINAL: originals,
        **_beside(run, task, label),
        label_method(parse_method(run.row)): own,
    }
    require_enough(sum(len(source.labels) for source in sources.values()))
    clip = load_clip(task.device, task.precision)
    sets = {name: Extraction(source, clip.encode_images) for name, source in sources.items()}
    return Embedded(clip.weights_sha256, sets, partial(embed, seed=run.seed))


def _beside(run: Run, task: Task, label: int) -> dict[str, ImageSet]:
    """The other method's images, none where it is the run's own; raises BadInput for one that trains something."""
    assert isinstance(run.protocol, Embedding)
    method = parse_method(run.protocol.beside).resolve(run.dataset, resolve_budgets(run.preset, run.dataset))
    if method == run.method:
        return {}
    if method.needs(run.dataset, run.samples_per_class, run.seed):
        raise BadInput(f"protocol.beside={run.protocol.beside}: take a method that trains nothing first")
    images = ImageSet(task, method.prepare(task, ()), run.protocol, run.protocol.per_class, label)
    return {label_method(method): images}
