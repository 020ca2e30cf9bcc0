"""Features drawn in the plane, by PaCMAP (HydraMix, Figure 9) and by PyMDE (ChimeraMix, Figure 5; FIDELITY section 15).
Needs the extra `analyses`."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from datasets.registry import BadInput

_FEWEST = 36  # with fewer images PaCMAP changes its numbers of neighbours (10), mid-near (5) and further pairs (20)


def embed(features: Tensor, seed: int) -> Tensor:
    """N×D -> N×2, float32, by PaCMAP with its own defaults; directions count, not lengths.

    The same features and seed give the same bits on one machine. Raises BadInput below 36 images, and without pacmap,
    whose first import compiles for a minute.
    """
    require_enough(len(features))
    pacmap = _package("pacmap")
    logging.getLogger("pacmap").setLevel(logging.ERROR)  # it warns of being given a seed
    directions = features.numpy() / np.linalg.norm(features.numpy(), axis=1, keepdims=True)
    return torch.from_numpy(pacmap.PaCMAP(random_state=seed).fit_transform(directions))


def require_enough(images: int) -> None:
    """Raises BadInput where there are too few images to embed."""
    if images < _FEWEST:
        raise BadInput(f"an embedding needs at least {_FEWEST} images, not {images}")


def preserve_neighbours(features: Tensor, seed: int) -> Tensor:
    """N×D -> N×2 that keeps each image's nearest neighbours near, by PyMDE with its defaults (Agrawal et al., 2021).

    The seed does not repeat the coordinates to the bit: the start comes from a solver with random numbers of its own.
    Whoever needs them again keeps them. Raises BadInput where PyMDE is not installed.
    """
    pymde = _package("pymde")
    logging.getLogger("__pymde__").setLevel(logging.ERROR)  # it warns of originals that are in the whole set as well
    with _own_streams(pymde, seed):
        return pymde.preserve_neighbors(features).embed()


@contextmanager
def _own_streams(pymde: ModuleType, seed: int) -> Iterator[None]:
    """PyMDE draws from the global streams of torch and numpy: seeded within, and as before afterwards."""
    before = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        pymde.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)


def _package(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise BadInput(f"an embedding needs the package {name}: pip install -e '.[analyses]'") from error
