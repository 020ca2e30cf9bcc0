"""Images as points in the plane, from an embedding: the file points.csv beside a record."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from results.reader import RecordError, read_content

ORIGINAL, WHOLE = "original", "whole set"  # what a method was given; all that there is of the classes shown
_LARGEST = 2**28  # bytes; a line has some 40


class Cloud(NamedTuple):
    """A set of images: N×2 of float32, and N labels."""

    xy: np.ndarray
    labels: np.ndarray


Points = Mapping[str, Cloud]
"""Sets of images by name."""


def points_csv(points: Points) -> bytes:
    """The file: a line for each image with its set, label, x and y, of which the same bits come back."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["set", "label", "x", "y"])
    for name, cloud in points.items():
        lines.writerows(
            [name, int(at), f"{x:.9g}", f"{y:.9g}"] for at, (x, y) in zip(cloud.labels, cloud.xy, strict=True)
        )
    return text.getvalue().encode()


def read_points(path: Path) -> Points:
    """The sets of a points.csv in its order; raises as `read_content`, and RecordError for a file that is none."""
    return parse_points(read_content(path, _LARGEST), path)


def parse_points(content: bytes, path: Path) -> Points:
    """The sets in the content of a points.csv; path: for the RecordError where it is none."""
    found: dict[str, list[tuple[int, float, float]]] = {}
    try:
        for line in csv.DictReader(io.StringIO(content.decode())):
            found.setdefault(line["set"], []).append((int(line["label"]), float(line["x"]), float(line["y"])))
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise RecordError(f"{path} holds no points: {type(error).__name__}: {error}") from error
    if not found:
        raise RecordError(f"{path} holds no points")
    columns = {name: np.array(lines, dtype=np.float64) for name, lines in found.items()}
    return {name: Cloud(lines[:, 1:].astype(np.float32), lines[:, 0].astype(int)) for name, lines in columns.items()}
