"""The kind `mde`: Inception's features of all classes in the plane, by PyMDE (ChimeraMix, Figure 5)."""

from functools import partial
from typing import Any

import torch

from benchmark.kinds.sets import InceptionEmbedding
from benchmark.measures import inception
from benchmark.measures.embedding import Embedded
from benchmark.measures.extraction import Extraction, Source
from benchmark.measures.plane import preserve_neighbours
from benchmark.measures.sets import RealImages, set_of
from benchmark.run import Run
from benchmark.weights import INCEPTION, get_weights
from datasets.subset import find_subset
from methods.registry import label_method, parse_method
from methods.task import Task
from results.points import ORIGINAL, WHOLE


def start(run: Run, task: Task, made: tuple[Any, ...]) -> Embedded:
    """made: what the method needs, then the training images as `Seen`."""
    assert isinstance(run.protocol, InceptionEmbedding)
    *own, whole = made
    positions = torch.from_numpy(find_subset(run.dataset, run.samples_per_class, run.seed))
    sources: dict[str, Source] = {
        ORIGINAL: RealImages(run.dataset, "train", positions, run.protocol.batch_size),
        label_method(parse_method(run.row)): set_of(run, task, tuple(own), run.protocol.total),
    }
    extract = inception.Inception(task.device, task.precision)
    sets = {name: Extraction(source, extract) for name, source in sources.items()}
    place = partial(preserve_neighbours, seed=run.seed)
    return Embedded(get_weights(INCEPTION).checksum(), sets, place, {WHOLE: whole})
