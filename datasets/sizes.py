"""To what size a person's own images are brought."""

from statistics import median_low
from typing import NamedTuple

from datasets.images import Header

_LEAST, _MOST, _STEP = 32, 96, 8  # pixels; the step is what all networks and generators take
_ONCE = (32, 64, 96)  # the sizes that there once were: the largest that the first image filled


class Sizes(NamedTuple):
    """What is chosen for images of many sizes.

    chosen: pixels of the square. as_before: whether images come out as they did when the first decided, and were
    squeezed to a square. note: a line for people, empty where every image has that size already.
    """

    chosen: int
    as_before: bool
    note: str

    @classmethod
    def of(cls, headers: list[Header | None], asked: int | None) -> "Sizes":
        """For images in their order, the first of them one that is trained on; None is a file that is no image.

        Unless asked for, the size is the median of the shorter sides, 96 at most and 32 at least, down to a multiple
        of 8.
        """
        known = [header for header in headers if header]
        shorter = sorted(min(header.width, header.height) for header in known) or [_LEAST]
        middle = median_low(shorter)
        chosen = asked or min(max(middle // _STEP * _STEP, _LEAST), _MOST)
        square = all(header.width == header.height for header in known)
        first = headers[0] or Header(_LEAST, _LEAST, False)
        once = max((size for size in _ONCE if size <= min(first.width, first.height)), default=_LEAST)
        if square and shorter[0] == shorter[-1] == chosen:
            return cls(chosen, chosen == once, "")
        why = (
            "as asked for"
            if asked
            else f"as the shorter sides have a median of {middle}; folder(size=N):PATH takes another"
        )
        said = f"the central square of each image is brought to {chosen}×{chosen} pixels, {why}"
        return cls(chosen, square and chosen == once, said)
