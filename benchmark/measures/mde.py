"""Features in two dimensions, for a look at them: PyMDE (ChimeraMix Figure 5; FIDELITY section 15)."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from datasets.registry import BadInput


def preserve_neighbours(features: Tensor, seed: int) -> Tensor:
    """N×D -> N×2 that keeps each image's nearest neighbours near, by PyMDE with its defaults (Agrawal et al., 2021).

    The seed does not repeat the coordinates to the bit: the start comes from a solver with random numbers of its own.
    Whoever needs them again keeps them. Raises BadInput where PyMDE is not installed.
    """
    pymde = _pymde()
    with _own_streams(pymde, seed):
        return pymde.preserve_neighbors(features).embed()


def _pymde() -> ModuleType:
    try:
        import pymde
    except ImportError as error:
        raise BadInput("an embedding by PyMDE needs the package pymde: pip install 'hydrabench[analyses]'") from error
    return pymde


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
