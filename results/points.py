"""Images as points in the plane, from an embedding: the file points.csv beside a record."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from results.reader import RecordError, read_content

ORIGINAL, WHOLE = "original", "whole set"  # what a method was given; all that there is of the classes shown
_LARGEST = 2**28  # bytes; a line has some 40

Points = Mapping[str, np.ndarray]
"""Sets of images by name, each N×2 of float32."""


def points_csv(points: Points) -> bytes:
    """The file: a line for each image with its set, x and y, of which the same bits come back."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["set", "x", "y"])
    lines.writerows([name, f"{x:.9g}", f"{y:.9g}"] for name, xy in points.items() for x, y in xy)
    return text.getvalue().encode()


def read_points(path: Path) -> Points:
    """The sets of a points.csv in its order; raises RecordError for a file that is none."""
    found: dict[str, list[tuple[float, float]]] = {}
    try:
        for line in csv.DictReader(io.StringIO(read_content(path, _LARGEST).decode())):
            found.setdefault(line["set"], []).append((float(line["x"]), float(line["y"])))
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise RecordError(f"{path} holds no points: {type(error).__name__}: {error}") from error
    if not found:
        raise RecordError(f"{path} holds no points")
    return {name: np.array(xy, dtype=np.float32) for name, xy in found.items()}
