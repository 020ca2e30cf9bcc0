"""The kind `embedding`: CLIP's features of one class's images in the plane, and how far they are from the originals
(HydraMix, Figure 9)."""

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.kinds import Embedding
from benchmark.measures import Measuring
from benchmark.measures.clip import load_clip
from benchmark.measures.extraction import Extraction, Source
from benchmark.measures.plane import embed, require_enough
from benchmark.measures.sets import ImageSet, RealImages, set_of
from benchmark.protocol import resolve_budgets
from benchmark.run import Run
from datasets.registry import BadInput, unknown
from datasets.subset import find_subset
from methods.registry import label_method, parse_method
from methods.task import Task
from results.files import POINTS
from results.points import ORIGINAL, points_csv


class Embedded(Measuring):
    """Encodes sets one after the other: the originals, those beside, at last the method's own; then PaCMAP of all."""

    def __init__(self, weights_sha256: str, sets: dict[str, Extraction], seed: int):
        super().__init__(sum(one.steps for one in sets.values()), sum(one.images_seen for one in sets.values()))
        self.weights_sha256 = weights_sha256
        self._sets, self._seed = sets, seed

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
        features = [one.features for one in self._sets.values()]
        points = torch.from_numpy(embed(torch.cat(features).numpy(), self._seed)).split([len(one) for one in features])
        return {POINTS: points_csv({name: xy.numpy() for name, xy in zip(self._sets, points, strict=True)})}


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
    return Embedded(clip.weights_sha256, sets, run.seed)


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
