"""A grid of captioned tiles as a PNG."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from methods.artifacts import Tile

_SIDE, _GAP, _CAPTION = 96, 6, 14  # pixels: a tile's least side, between tiles, below a tile


def draw(rows: list[list[Tile]]) -> bytes:
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


def _paste(sheet: Image.Image, tile: Tile, left: int, top: int, side: int) -> None:
    # whole pixels stay visible: a person judges what was generated, not the scaling
    image = Image.fromarray(np.ascontiguousarray(tile.image)).resize((side, side), Image.Resampling.NEAREST)
    sheet.paste(image, (left, top))
    ImageDraw.Draw(sheet).text((left, top + side), tile.caption, "black", ImageFont.load_default(11))
