"""Sample grids: rows of tiles with captions that stay within their tile, in whatever script."""

import io
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from methods.artifacts import Tile

_SIDE, _GAP, _CAPTION = 96, 6, 14  # pixels: a tile's least side, between tiles, below a tile
_FONT_SIZE, _BASELINE = 10, 10  # pixels; of a caption's letters below their tile
_OTHER_SCRIPTS = (  # file names that Pillow finds among a system's fonts: Debian's, Windows', macOS'
    "NotoSansCJK-Regular.ttc",
    "wqy-zenhei.ttc",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "unifont.otf",
    "msyh.ttc",
    "Arial Unicode.ttf",
)
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
    """A caption of at most `width` pixels, the middle cut out; characters that no font here has as \\uXXXX."""
    text = "".join(c if _font_of(c) else c.encode("unicode_escape").decode() for c in text)
    kept, shown = len(text), text
    while sum(font.getlength(part) for font, part in _parts(shown)) > width:
        kept -= 1
        shown = text[: kept - kept // 2] + _CUT + text[len(text) - kept // 2 :]
    return shown


def _paste(sheet: Image.Image, tile: Tile, left: int, top: int, side: int) -> None:
    # whole pixels stay visible: a person judges what was generated, not the scaling
    image = Image.fromarray(np.ascontiguousarray(tile.image)).resize((side, side), Image.Resampling.NEAREST)
    sheet.paste(image, (left, top))
    draw, at = ImageDraw.Draw(sheet), float(left)
    for font, part in _parts(fit_caption(tile.caption, side)):
        draw.text((at, top + side + _BASELINE), part, "black", font, anchor="ls")
        at += font.getlength(part)


def _parts(text: str) -> list[tuple[ImageFont.FreeTypeFont, str]]:
    """A text in runs of one font each."""
    runs = groupby(text, lambda character: _font_of(character) or _fonts()[0])
    return [(font, "".join(part)) for font, part in runs]


@lru_cache(maxsize=1)
def _fonts() -> list[ImageFont.FreeTypeFont]:
    """DejaVu Sans, which comes with matplotlib, for Latin, Greek, Cyrillic and more, and what this machine has of
    other scripts. Pillow's own font has ASCII alone."""
    package = find_spec("matplotlib")
    assert package and package.origin
    fonts = [_load(str(Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"))]
    for name in _OTHER_SCRIPTS:
        with suppress(OSError):  # it is not on this machine
            fonts.append(_load(name))
    return fonts


def _load(name: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(name, _FONT_SIZE)  # with raqm, where Pillow has it, for Arabic and Indic scripts


@lru_cache(maxsize=4096)
def _font_of(character: str) -> ImageFont.FreeTypeFont | None:
    """The first font that has a character, None where none has."""
    if character == " ":
        return _fonts()[0]
    if not character.isprintable():
        return None
    return next((font for font in _fonts() if _has(font, character)), None)


def _has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    plain = font.font_variant(layout_engine=ImageFont.Layout.BASIC)  # shaping puts a circle below what stands alone
    return bytes(plain.getmask(character)) != bytes(plain.getmask(_NO_CHARACTER))
