"""COCO's average precision, by pycocotools."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from datasets.instances import BoxedImage
from datasets.registry import BadInput

if TYPE_CHECKING:
    from pycocotools.coco import COCO


class Found(NamedTuple):
    """What a detector found on an image: corners n×4 in pixels of the image, labels n from 0, scores n in [0, 1]."""

    corners: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


class Precision(NamedTuple):
    """Average precision in percent: over overlaps from 0.5 to 0.95, at 0.5 and at 0.75 (Lin et al., 2014)."""

    ap: float
    ap50: float
    ap75: float


def average_precision(images: Sequence[BoxedImage], found: Sequence[Found], classes: int) -> Precision:
    """Of what was found on images that have boxes, of at most 100 detections each, a mean over the classes with a box.

    A crowd's box is neither found nor missed. Raises BadInput where there is no box to be found, or no pycocotools.
    """
    if not any((~image.boxes.crowd).any() for image in images):
        raise BadInput("average precision needs a box on some image")
    evaluate = _evaluator()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth = _coco(images, classes, _told(images))
        evaluation = evaluate(truth, _coco(images, classes, _detected(images, found)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return Precision(*(100 * float(value) for value in evaluation.stats[:3]))


def _evaluator() -> Any:
    try:
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise BadInput("average precision needs pycocotools: pip install -e '.[detection]'") from error
    return COCOeval


def _coco(images: Sequence[BoxedImage], classes: int, boxes: Iterator[dict[str, object]]) -> "COCO":
    """An index of boxes, which are numbered from 1, as 0 means none; there may be no box, for which loadRes crashes."""
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {
        "images": [{"id": image.number} for image in images],
        "categories": [{"id": label} for label in range(classes)],
        "annotations": [{"id": number, **box} for number, box in enumerate(boxes, start=1)],
    }
    coco.createIndex()
    return coco


def _told(images: Sequence[BoxedImage]) -> Iterator[dict[str, object]]:
    for image in images:
        for corners, label, crowd, area in zip(*image.boxes, strict=True):
            yield {**_box(image, corners, label), "iscrowd": int(crowd), "area": float(area)}


def _detected(images: Sequence[BoxedImage], found: Sequence[Found]) -> Iterator[dict[str, object]]:
    for image, of_image in zip(images, found, strict=True):
        for corners, label, score in zip(*of_image, strict=True):
            box = _box(image, corners, label)
            yield {**box, "iscrowd": 0, "area": box["bbox"][2] * box["bbox"][3], "score": float(score)}


def _box(image: BoxedImage, corners: np.ndarray, label: int) -> dict[str, Any]:
    left, top, right, bottom = map(float, corners)
    return {"image_id": image.number, "category_id": int(label), "bbox": [left, top, right - left, bottom - top]}
