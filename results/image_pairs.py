"""Methods against each other, image by image: which test images one classifies rightly and the other wrongly."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
from tabulate import tabulate

from results.escape import one_line
from results.files import PREDICTIONS
from results.index import Records
from results.outline import Outline
from results.pairs import CONFIDENCE, Pair, paired_entries
from results.predictions import Predictions, predictions_of

T = TypeVar("T")
Said = Mapping[str, Mapping[Pair, Predictions]]
"""What was predicted, by method, then by what pairs it with the other methods'."""

_RESAMPLES = 10_000
_HEAD = ("dataset", "per class", "first", "second", "seed", "first alone", "second alone", "McNemar p", "95% interval")


@dataclass(frozen=True)
class ImageComparison:
    """Two methods on the test images of one seed.

    first_alone, second_alone: images that one classifies rightly and the other wrongly; mcnemar_p: exact (binomial)
    test that both numbers are equal on average; low, high: 95% interval of the difference of the accuracies in
    points, by 10,000 bootstrap samples of the test images. Both speak of these two trained networks, not of the
    methods: what another seed would give is what the paired tests over seeds are for.
    """

    dataset: str
    samples_per_class: int
    first: str
    second: str
    seed: int
    first_alone: int
    second_alone: int
    mcnemar_p: float
    low: float
    high: float


def said_of(outline: Outline, records: Records) -> dict[str, dict[Pair, Predictions]]:
    """The predictions that lie beside an outline's records; files that cannot be trusted become problems.

    Those of one dataset are of the same test images in the same order: what differs from most is not trusted.
    """
    found: dict[str, dict[Pair, Predictions]] = {cell.method: {} for cell in outline.first_cells}
    read = [(*one, predictions_of(one[-1], records.problems)) for one in paired_entries(outline, records)]
    labels = _most_common((entry.dataset, _labels(made)) for *_, entry, made in read if made)
    widths = _most_common((entry.dataset, width) for *_, entry, made in read if made and (width := _width(made)))
    for method, pair, entry, made in read:
        if made and _labels(made) == labels[entry.dataset] and _width(made) in (0, widths.get(entry.dataset)):
            found[method][pair] = made
        elif made:
            told = f"not of the test images and classes that most records of {entry.dataset} are of"
            records.problems.append(f"{entry.path.parent / PREDICTIONS}: {told}")
    return found


def _most_common(found: Iterable[tuple[str, T]]) -> dict[str, T]:
    """By dataset what most have, the first of equally many."""
    return {dataset: value for (dataset, value), _ in reversed(Counter(found).most_common())}


def _labels(said: Predictions) -> bytes:
    """What tells one set of test images from another: their classes in their order."""
    return said.labels.tobytes()


def _width(said: Predictions) -> int:
    """How many classes there are; 0 where no probabilities tell."""
    return 0 if said.probabilities is None else said.probabilities.shape[1]


def compare_images(said: Said) -> list[ImageComparison]:
    """Every two methods wherever both have predictions of the same test images."""
    return [
        _compare(pair, first, second, said[first][pair].correct, said[second][pair].correct)
        for first, second in combinations(said, 2)
        for pair in sorted(said[first].keys() & said[second].keys())
    ]


def _compare(pair: Pair, first: str, second: str, left: np.ndarray, right: np.ndarray) -> ImageComparison:
    alone = int((left & ~right).sum()), int((right & ~left).sum())
    return ImageComparison(*pair.cell, first, second, pair.seed, *alone, mcnemar(*alone), *interval(*alone, len(left)))


def mcnemar(first_alone: int, second_alone: int) -> float:
    """The exact two-sided p; 1 where no image tells the two apart."""
    from scipy.stats import binomtest

    different = first_alone + second_alone
    return float(binomtest(first_alone, different).pvalue) if different else 1.0


def interval(first_alone: int, second_alone: int, images: int) -> tuple[float, float]:
    """The 95% percentile interval of the difference in points over bootstrap samples of the images.

    An image adds 1, -1 or 0 to the difference: a sample is three numbers of a multinomial distribution.
    """
    shares = np.array([first_alone, second_alone, images - first_alone - second_alone]) / images
    drawn = np.random.default_rng(0).multinomial(images, shares, _RESAMPLES)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(100 * (drawn[:, 0] - drawn[:, 1]) / images, [tail, 100 - tail])
    return float(low), float(high)


def images_lines(made: Sequence[ImageComparison], shown: Mapping[str, str]) -> list[str]:
    """A table, with what it speaks of; shown: a dataset's name by its id. Nothing where nothing was compared."""
    if not made:
        return []
    what = "test images that one of two trained networks alone classifies rightly; each line is one seed:"
    table = tabulate([_line(one, shown[one.dataset]) for one in made], _HEAD, disable_numparse=True)
    return ["", what, "", table]


def _line(one: ImageComparison, dataset: str) -> list[str]:
    names = [one_line(dataset), str(one.samples_per_class), one_line(one.first), one_line(one.second), str(one.seed)]
    alone = [str(one.first_alone), str(one.second_alone)]
    return [*names, *alone, f"{one.mcnemar_p:.4f}", f"{one.low:+.2f} to {one.high:+.2f}"]
