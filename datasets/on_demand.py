"""Image sets that are too large to be in memory: each image is decoded when it is asked for."""

from collections.abc import Callable
from typing import NoReturn

import numpy as np

from datasets.registry import BadInput


class OnDemand:
    """count×size×size×3 of uint8 of which parts are taken as of an array; read: the image at a position.

    A part is decoded anew each time it is asked for. All in one array is refused with BadInput.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, count: int, size: int, read: Callable[[int], np.ndarray]):
        self.shape = (count, size, size, 3)
        self._read = read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice | np.ndarray) -> np.ndarray:
        """The images of a slice, or at an array of positions."""
        positions = np.arange(len(self))[part]
        images = np.empty((len(positions), *self.shape[1:]), self.dtype)  # a list of images would be as much again
        for place, position in enumerate(positions):
            images[place] = self._read(int(position))
        return images

    def __array__(self, *_: object, **__: object) -> NoReturn:
        size = np.prod(self.shape, dtype=float) / 1e9
        raise BadInput(
            f"{len(self)} images ({size:.1f} GB) are decoded on demand: they are never one array, and in no bundle"
        )
