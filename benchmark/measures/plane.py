"""Features drawn in the plane by PaCMAP (HydraMix, Figure 9). Needs the extra `analyses`."""

import logging
from types import ModuleType

import numpy as np

from datasets.registry import BadInput

_FEWEST = 36  # with fewer images PaCMAP changes its numbers of neighbours (10), mid-near (5) and further pairs (20)


def embed(features: np.ndarray, seed: int) -> np.ndarray:
    """Coordinates N×2, float32, of features N×D, by PaCMAP with its own defaults; directions count, not lengths.

    The same features and seed give the same bits on one machine. Raises BadInput below 36 images, and without pacmap,
    whose first import compiles for a minute.
    """
    require_enough(len(features))
    pacmap = _pacmap()
    return pacmap.PaCMAP(random_state=seed).fit_transform(features / np.linalg.norm(features, axis=1, keepdims=True))


def require_enough(images: int) -> None:
    """Raises BadInput where there are too few images to embed."""
    if images < _FEWEST:
        raise BadInput(f"an embedding needs at least {_FEWEST} images, not {images}")


def _pacmap() -> ModuleType:
    try:
        import pacmap
    except ImportError as error:
        raise BadInput("an embedding needs the package pacmap: pip install 'hydrabench[analyses]'") from error
    logging.getLogger("pacmap").setLevel(logging.ERROR)  # it warns of being given a seed
    return pacmap
