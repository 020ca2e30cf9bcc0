"""COCO's instances files: which boxes are on which image, each of them checked; a fault names its image."""

import json
import math
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np

from datasets.base import DataCorrupt

_ROUNDING = 1.0  # pixels by which a box may leave its image: the official files round


class Boxes(NamedTuple):
    """The n boxes of an image. corners: float32 n×4, left, top, right, bottom in pixels; labels: integers n from 0.

    crowd: booleans n, whether a box holds many objects that nobody told apart; areas: n, of the objects as the file
    has them, in square pixels.
    """

    corners: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray

    def learnable(self) -> "Boxes":
        """Those that a detector can learn from: of one object, and neither without width nor without height."""
        width, height = (self.corners[:, 2:] - self.corners[:, :2]).T
        return self.at(~self.crowd & (width > 0) & (height > 0))

    def at(self, chosen: np.ndarray) -> "Boxes":
        return Boxes(*(values[chosen] for values in self))


@dataclass(frozen=True)
class BoxedImage:
    """An image of an instances file: its official id, file name, size in pixels and boxes."""

    number: int
    file_name: str
    width: int
    height: int
    boxes: Boxes


class Instances(NamedTuple):
    """A file's classes in its order, which their labels count, and its images by ascending id."""

    class_names: list[str]
    images: list[BoxedImage]


def read_instances(content: bytes, origin: str) -> Instances:
    """The instances file with these bytes; origin: what it is called in messages.

    Raises DataCorrupt, which names the image, for what cannot be meant: an image or a class that the file does not
    list, one id twice, a box outside its image or with less than no size, numbers that are none. Boxes of crowds,
    images without boxes and boxes without width or height, which the official files have, are read as they are.
    """
    file = _File(origin)
    value = file.parsed(content)
    names = {file.integer(c, "id", "a category"): file.text(c, "name", "a category") for c in value["categories"]}
    if len(names) != len(value["categories"]):
        file.refuse("two categories have one id")
    labels = {number: label for label, number in enumerate(names)}
    images = file.images(value["images"])
    found: dict[int, list[tuple]] = {number: [] for number in images}
    seen: set[str] = set()
    for annotation in value["annotations"]:
        name = annotation.get("id")
        number = file.integer(annotation, "image_id", f"annotation {name}")
        if number not in images:
            file.refuse(f"annotation {name} is of image {number}, which the file does not list")
        if name is not None and repr(name) in seen:
            file.refuse(f"image {number} ({images[number].file_name}): annotation {name} is listed twice")
        seen.add(repr(name))
        found[number].append(file.box(annotation, labels, images[number]))
    return Instances(list(names.values()), [_boxed(images[number], found[number]) for number in sorted(images)])


def _boxed(image: BoxedImage, rows: list[tuple]) -> BoxedImage:
    corners, labels, crowd, areas = zip(*rows, strict=True) if rows else ((), (), (), ())
    boxes = Boxes(
        np.array(corners, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(crowd, bool),
        np.array(areas, np.float64),
    )
    return BoxedImage(image.number, image.file_name, image.width, image.height, boxes)


_NO_BOXES = Boxes(np.empty((0, 4), np.float32), np.empty(0, np.int64), np.empty(0, bool), np.empty(0))


class _File:
    """An instances file while it is read; all that is wrong with it is told with its name."""

    def __init__(self, origin: str):
        self.origin = origin

    def refuse(self, why: str) -> NoReturn:
        raise DataCorrupt(f"{self.origin}: {why}")

    def parsed(self, content: bytes) -> dict[str, list[dict]]:
        try:
            value = json.loads(content, object_hook=_without_outlines)
        except (ValueError, RecursionError) as error:
            raise DataCorrupt(f"{self.origin} is not JSON ({error})") from error
        for name in ("images", "annotations", "categories"):
            rows = value.get(name) if isinstance(value, dict) else None
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                self.refuse(f"no list '{name}': it is not an instances file")
        return value

    def images(self, rows: list[dict]) -> dict[int, BoxedImage]:
        """The listed images by id, without boxes so far."""
        images: dict[int, BoxedImage] = {}
        for row in rows:
            number = self.integer(row, "id", "an image")
            name = self.text(row, "file_name", f"image {number}")
            width, height = (self.integer(row, side, f"image {number} ({name})") for side in ("width", "height"))
            if min(width, height) < 1:
                self.refuse(f"image {number} ({name}) has {width}×{height} pixels")
            if number in images:
                self.refuse(f"image {number} ({name}) is listed twice")
            images[number] = BoxedImage(number, name, width, height, _NO_BOXES)
        return images

    def box(self, row: dict, labels: dict[int, int], image: BoxedImage) -> tuple:
        """An annotation's corners, label, crowd and area."""
        who = f"image {image.number} ({image.file_name}), annotation {row.get('id')}"
        category = self.integer(row, "category_id", who)
        if category not in labels:
            self.refuse(f"{who}: category {category} is none of the file's {len(labels)}")
        if (crowd := row.get("iscrowd", 0)) not in (0, 1):
            self.refuse(f"{who}: iscrowd is {crowd!r}, not 0 or 1")
        corners = self.corners(row.get("bbox"), image, who)
        area = row.get("area", (corners[2] - corners[0]) * (corners[3] - corners[1]))
        if not _is_number(area) or area < 0:
            self.refuse(f"{who}: its area is {area!r}")
        return corners, labels[category], bool(crowd), area

    def corners(self, bbox: Any, image: BoxedImage, who: str) -> tuple[float, float, float, float]:
        """x, y, width, height as left, top, right, bottom, brought into the image where rounding left it."""
        if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_number, bbox)):
            self.refuse(f"{who}: its box is {bbox!r:.60}, not four numbers")
        left, top, width, height = bbox
        right, bottom = left + width, top + height
        if min(width, height) < 0:
            self.refuse(f"{who}: its box has a size of {width:g}×{height:g}")
        beyond = max(-left, -top, right - image.width, bottom - image.height)
        if beyond > _ROUNDING:
            size = f"{image.width}×{image.height}"
            self.refuse(f"{who}: its box leaves the image of {size} pixels by {beyond:g}")
        x, y = (sorted((0, edge, limit))[1] for edge, limit in ((left, image.width), (top, image.height)))
        return x, y, min(right, image.width), min(bottom, image.height)

    def integer(self, row: dict, name: str, who: str) -> int:
        if type(value := row.get(name)) is not int:
            self.refuse(f"{who}: {name} is {value!r:.60}, not an integer")
        return value

    def text(self, row: dict, name: str, who: str) -> str:
        if not isinstance(value := row.get(name), str) or not value:
            self.refuse(f"{who}: {name} is {value!r:.60}, not a text")
        return value


def _without_outlines(value: dict[str, Any]) -> dict[str, Any]:
    value.pop("segmentation", None)  # most of the 450 MB of COCO's training file
    return value


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
