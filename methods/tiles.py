"""Sample grids: rows of tiles with captions that stay within their tile, in whatever script."""

import io
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from methods.artifacts import Tile

_SIDE, _GAP, _CAPTION = 96, 6, 14  # pixels: a tile's least side, between tiles, below a tile
_FONT_SIZE = 10
_CUT = "…"
_NO_CHARACTER = "\uffff"  # a font draws its box for it


def draw_tiles(rows: list[list[Tile]]) -> bytes:
    """The PNG of rows of tiles, all scaled alike to squares of at least 96 pixels, captions below them."""
    side = max(max(tile.image.shape[:2]) for row in rows for tile in row)
    side *= -(-_SIDE // side)
    width = _GAP + max(map(len, rows)) * (side + _GAP)
    height = _GAP + len(rows) * (side + _CAPTION + _GAP)
    sheet = Image.new("RGB", (width, height), "white")
    for top, row in enumerate(rows):
        for left, tile in enumerate(row):
            _paste(sheet, tile, _GAP + left * (side + _GAP), _GAP + top * (side + _CAPTION + _GAP), side)
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def fit_caption(text: str, width: int) -> str:
    """A caption of at most `width` pixels, of characters that the font has; others as \\uXXXX, the middle cut out."""
    text = "".join(c if _is_drawn(c) else c.encode("unicode_escape").decode() for c in text)
    kept, shown = len(text), text
    while _font().getlength(shown) > width:
        kept -= 1
        shown = text[: kept - kept // 2] + _CUT + text[len(text) - kept // 2 :]
    return shown


def _paste(sheet: Image.Image, tile: Tile, left: int, top: int, side: int) -> None:
    # whole pixels stay visible: a person judges what was generated, not the scaling
    image = Image.fromarray(np.ascontiguousarray(tile.image)).resize((side, side), Image.Resampling.NEAREST)
    sheet.paste(image, (left, top))
    ImageDraw.Draw(sheet).text((left, top + side), fit_caption(tile.caption, side), "black", _font())


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib, for Latin, Greek, Cyrillic and more; Pillow's own has ASCII alone."""
    package = find_spec("matplotlib")
    assert package and package.origin
    path = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, _FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _is_drawn(character: str) -> bool:
    return character == " " or (character.isprintable() and _pixels(character) != _pixels(_NO_CHARACTER))


def _pixels(character: str) -> bytes:
    return bytes(_font().getmask(character))
