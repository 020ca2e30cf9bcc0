"""Felzenszwalb segmentations with the papers' parameters.

Imports nothing of ours, as helper processes run it, and no torch, so that they are there in half a second.
"""

import numpy as np


def segment(image: np.ndarray, scale: int) -> np.ndarray:
    """Segment ids 0..S-1 of an image, H×W int16, by Felzenszwalb & Huttenlocher's algorithm with sigma 0.8.

    image: H×W×3, uint8 (normalised here) or normalised floats in [-1, 1]; scale: both the scale and the least
    number of pixels of a segment: 60 for ciFAIR at 32 and 64 pixels, 400 for STL-10 (ChimeraMix supplement C.1).
    ChimeraMix's code segments the normalised image, to which `scale` refers: in [0, 1] half of it does the same.
    """
    from skimage.segmentation import felzenszwalb

    if image.dtype == np.uint8:
        # in float32 as the training loop normalises, so that both give the same segments
        image = (image.astype(np.float32) / 255 - 0.5) / 0.5
    return felzenszwalb(image, scale=scale, sigma=0.8, min_size=scale).astype(np.int16)


def segment_all(images: np.ndarray, scale: int) -> np.ndarray:
    """Segment ids of each image, B×H×W int16; images B×H×W×3, else as for `segment`."""
    return np.stack([segment(image, scale) for image in images])
