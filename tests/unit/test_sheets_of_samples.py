"""The papers' Figures 2: rows of sources, segmentations and compositions, drawn from generators that are there."""

import io
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmark.cli import cli, sheets
from benchmark.study import load_study
from methods.artifacts import Tile
from methods.mixing.pictures import PLAIN, compositions
from results.outline import SampleSheet
from tasks import digits
from trainings import prepared, recipe

pytestmark = pytest.mark.usefixtures("one_thread")


def drawn(tmp_path: Path, *arguments: str, study: str = "figure2"):
    where = ["--dataset", "digits", "--preset", "demo", "--results", str(tmp_path / "store"), "-o", str(tmp_path)]
    return CliRunner().invoke(cli, ["figure", study, *where, *arguments])


def test_the_layouts_are_those_of_the_captions():
    assert load_study("figure2").samples == SampleSheet(classes=3, compositions=10, segments=True)
    assert load_study("chimeramix-figure2").samples == SampleSheet(classes=2, compositions=3)


@pytest.mark.parametrize(("segments", "masks"), [(True, False), (False, False), (True, True)])
def test_a_row_has_four_sources_their_segmentations_and_the_compositions(segments, masks):
    layout = PLAIN._replace(classes=2, compositions=5, segments=segments, masks=masks, caption="HydraMix")
    generator = prepared("hydramix(generator_size=32)", digits()).generator
    rows = compositions(recipe(), generator, digits(), layout)
    captions = [[tile.caption for tile in row] for row in rows]
    assert len(rows) == 2
    for row in captions:
        assert [text.split()[-1] for text in row[:4]] == ["1", "2", "3", "4"]
        assert row[4:] == [f"segments {i}" for i in (1, 2, 3, 4)] * segments + (["mask"] * masks + ["HydraMix"]) * 5


def test_without_generators_one_line_says_what_makes_them(tmp_path):
    told = drawn(tmp_path)
    assert told.exit_code != 0
    assert "needs the hydramix generator of digits 5/class seed 0" in str(told.exception)
    command = "hydrabench run figure2 --preset demo --dataset digits --method hydramix --samples-per-class 5"
    assert f"which `{command}` builds" in str(told.exception)


def test_a_method_without_a_generator_is_refused(tmp_path):
    told = drawn(tmp_path, "--method", "mixup")
    assert "method 'mixup' has none" in str(told.exception)


def test_all_rows_of_a_study_stand_in_one_picture(tmp_path, monkeypatch):
    def rows(sheet, recipe, job, store, label):
        return [[Tile(np.zeros((32, 32, 3), np.uint8), label)]] * sheet.classes

    monkeypatch.setattr(sheets, "_rows", rows)
    assert drawn(tmp_path, study="chimeramix-figure2").exit_code == 0
    picture = Image.open(io.BytesIO((tmp_path / "chimeramix-figure2.png").read_bytes()))
    assert picture.height == 6 + 4 * (96 + 14 + 6)
