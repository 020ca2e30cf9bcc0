"""The classifiers of a cell's seeds as one: the mean of their probabilities for each test image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from tabulate import tabulate

from results.escape import one_line
from results.image_pairs import Said
from results.metrics import METRICS
from results.outline import Outline
from results.pairs import Pair, PairedCell
from results.predictions import Predictions

_LEAST = float(np.finfo(np.float16).smallest_subnormal)  # what a file of probabilities can hold above 0
_METRICS = ("top1", "top5", "balanced", "ece", "loss")


@dataclass(frozen=True)
class Ensemble:
    """The seeds of a method in a cell. single: the mean accuracy of one of them in percent; metrics: as of records."""

    dataset: str
    samples_per_class: int
    method: str
    seeds: tuple[int, ...]
    single: float
    metrics: dict[str, float]


def ensembles(said: Said) -> list[Ensemble]:
    """One for each method and cell where a seed has probabilities, in the order of `said`."""
    return [made for method, found in said.items() for made in _of_method(method, found)]


def _of_method(method: str, found: Mapping[Pair, Predictions]) -> Iterator[Ensemble]:
    cells: dict[PairedCell, dict[int, Predictions]] = {}
    for pair, predictions in sorted(found.items(), key=lambda item: item[0]):
        if predictions.probabilities is not None:
            cells.setdefault(pair.cell, {})[pair.seed] = predictions
    for cell, members in cells.items():
        joint = join(list(members.values()))
        single = float(np.mean([100 * one.correct.mean() for one in members.values()]))
        yield Ensemble(*cell, method, tuple(members), single, numbers(joint))


def join(members: Sequence[Predictions]) -> Predictions:
    """The mean of their probabilities, and the class that it makes the most likely.

    Of one member, its own classes: of two that float16 holds to be equal, its network knew the better. The members are
    of the same test images, which `said_of` sees to.
    """
    first = members[0]
    mean = np.mean([np.asarray(one.probabilities, np.float64) for one in members], axis=0)
    predicted = first.predicted if len(members) == 1 else mean.argmax(1).astype(np.int32)
    return Predictions(first.labels, predicted, mean)


def numbers(said: Predictions) -> dict[str, float]:
    """The metrics of probabilities N×C: top1, top5, balanced and ece in percent, loss in nats."""
    assert said.probabilities is not None
    own = said.probabilities[np.arange(len(said.labels)), said.labels].astype(np.float64)
    better = (said.probabilities > own[:, None]).sum(1)
    return {
        "top1": float(100 * said.correct.mean()),
        "top5": float(100 * (better < 5).mean()),
        "balanced": said.balanced(),
        "ece": said.ece() or 0.0,
        "loss": float(-np.log(np.maximum(own, _LEAST)).mean()),
    }


def ensembles_text(outline: Outline, made: Sequence[Ensemble]) -> str:
    """A line for each, with how many seeds it has."""
    labels = {cell.dataset_id: cell.dataset_shown for cell in outline.cells}
    head = ["dataset", "per class", "method", "seeds", "one alone", *(METRICS[name].heading for name in _METRICS)]
    lines = [
        [one_line(labels[one.dataset]), one.samples_per_class, one_line(one.method), len(one.seeds)]
        + [f"{value:.2f}" for value in (one.single, *(one.metrics[name] for name in _METRICS))]
        for one in made
    ]
    told = "the mean of the seeds' probabilities for each test image; one alone: their mean top-1 accuracy"
    title = f"{outline.title}, preset {outline.preset}: {told}"
    return f"{title}\n\n{tabulate(lines, head, disable_numparse=True)}"


def ensembles_json(outline: Outline, made: Sequence[Ensemble]) -> dict[str, object]:
    return {"study": outline.name, "preset": outline.preset, "ensembles": [asdict(one) for one in made]}
