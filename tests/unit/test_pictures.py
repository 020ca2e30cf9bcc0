"""Captions of sample grids stay within their tile and are readable, or tell which character they stand for."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFont

from methods import tiles
from methods.artifacts import Tile
from methods.tiles import draw_tiles, fit_caption


@pytest.fixture
def of_fonts(monkeypatch):
    """Has captions drawn with some fonts and no others."""
    tiles._fonts()  # looked for before they are replaced

    def use(*fonts):
        tiles._font_of.cache_clear()
        monkeypatch.setattr(tiles, "_fonts", lambda: list(fonts))

    yield use
    tiles._font_of.cache_clear()


def test_other_scripts_are_drawn_by_another_font(of_fonts):
    ascii_alone, dejavu = ImageFont.load_default(10), tiles._fonts()[0]
    of_fonts(ascii_alone)
    assert fit_caption("a cat, кот", 500) == r"a cat, \u043a\u043e\u0442"
    of_fonts(ascii_alone, dejavu)
    assert fit_caption("a cat, кот", 500) == "a cat, кот"
    assert tiles._parts("a cat, кот") == [(ascii_alone, "a cat, "), (dejavu, "кот")]


@pytest.mark.parametrize("text", ["cat", "", "Übergröße", "Ελλάδα", "кошка", "a – b"])
def test_what_the_font_has_is_shown_as_it_is(text):
    assert fit_caption(text, 96) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("猫", r"\u732b"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("caf\udce9", r"caf\udce9"),
        ("x\u202ey", r"x\u202ey"),
        ("\U0001f9ab", r"\U0001f9ab"),
    ],
)
def test_what_no_font_has_or_cannot_be_printed_is_written_as_its_number(text, shown, of_fonts):
    of_fonts(tiles._fonts()[0])
    assert fit_caption(text, 200) == shown


@pytest.mark.parametrize("text", ["Siberian husky or something as long 3", "猫" * 40, "\n" * 100, "W" * 1000])
@pytest.mark.parametrize("width", [96, 30])
def test_long_captions_lose_their_middle(text, width):
    shown = fit_caption(text, width)
    assert sum(font.getlength(part) for font, part in tiles._parts(shown)) <= width
    start, cut, end = shown.partition("…")
    whole = fit_caption(text, 10**6)
    assert cut and start and end and whole.startswith(start) and whole.endswith(end)


def test_a_caption_leaves_the_rest_of_the_grid_alone():
    """The gap to the right of a tile and the rows of other tiles stay white, however long and tall a caption is."""
    black = np.zeros((32, 32, 3), np.uint8)

    def drawn(caption: str) -> np.ndarray:
        rows = [[Tile(black, caption), Tile(black, "")], [Tile(black, ""), Tile(black, "")]]
        return np.asarray(Image.open(io.BytesIO(draw_tiles(rows))))

    empty, long = drawn(""), drawn("a very long name\nof a class\n" * 20)
    where = np.argwhere((empty != long).any(axis=2))
    assert len(where)
    (top, left), (bottom, right) = where.min(axis=0), where.max(axis=0)
    assert top >= 6 + 96 and bottom < 6 + 96 + 14 + 6 and left >= 6 and right < 6 + 96 + 3
