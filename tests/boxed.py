"""A small dataset with boxes, drawn: rectangles of a colour per class on noise."""

import io
import json

import numpy as np
from PIL import Image

from datasets.boxes import BoxDataset, Split
from datasets.instances import BoxedImage, Instances, read_instances

NAMES = ("red", "green", "blue")
WIDTH, HEIGHT = 80, 64


class Drawn(BoxDataset):
    """Six training images, or more, and three test images; image k has a box of class k % 3, many have a second."""

    name, label, source = "drawn", "Drawn", "this test"
    num_classes = 3
    image_size = 96

    def __init__(self, count: int = 6) -> None:
        self._pixels: dict[str, bytes] = {}
        self._instances = {split: self._draw(split, number) for split, number in (("train", count), ("test", 3))}

    def instances(self, split: Split) -> Instances:
        return self._instances[split]

    def content(self, split: Split, image: BoxedImage) -> bytes:
        return self._pixels[image.file_name]

    def absent(self, split: Split, images: list[BoxedImage]) -> list[str]:
        return [image.file_name for image in images if image.file_name not in self._pixels]

    def _draw(self, split: str, count: int) -> Instances:
        rng = np.random.default_rng(len(split))
        value = instances_file([(number + 1, f"{split}{number}.png") for number in range(count)])
        for number in range(count):
            pixels = rng.integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            for label in {number % 3, 2 * number % 3}:
                left, top = (int(rng.integers(0, side - 30)) for side in (WIDTH, HEIGHT))
                pixels[top : top + 28, left : left + 28, label] = 230
                value["annotations"].append(
                    annotation(number + 1, label, [left, top, 28, 28], id=len(value["annotations"]))
                )
            self._pixels[f"{split}{number}.png"] = png(pixels)
        return read_instances(json.dumps(value).encode(), split)


def instances_file(images: list[tuple[int, str]]) -> dict[str, list[dict]]:
    """An instances file without annotations, of images by id and file name; class c is category 10 + c."""
    listed = [{"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT} for number, name in images]
    categories = [{"id": 10 + label, "name": name} for label, name in enumerate(NAMES)]
    return {"images": listed, "annotations": [], "categories": categories}


def annotation(image: int, label: int, bbox: list[float], **more: object) -> dict[str, object]:
    return {"id": 7, "image_id": image, "category_id": 10 + label, "bbox": bbox, "iscrowd": 0, **more}


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
