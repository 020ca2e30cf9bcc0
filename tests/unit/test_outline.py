"""Outlines kept between commands: the same as made anew, never of other code, never of a person's own images."""

import pytest
from PIL import Image

from benchmark import outlines
from benchmark.cli.listing import plan_json, plan_text
from benchmark.outlines import finished, load_outline
from benchmark.plan import make_plan
from benchmark.selection import Selection, study_names
from benchmark.study import load_grid
from datasets.registry import BadInput
from results.records import write_record
from results.stores import Stores


@pytest.fixture
def laid_out(monkeypatch, tmp_path):
    """The studies that were laid out anew, with a cache of the test's own."""
    seen: list[str] = []
    lay_out = outlines._lay_out

    def lay(name, selection):
        seen.append(name)
        return lay_out(name, selection)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setattr(outlines, "_lay_out", lay)
    return seen


@pytest.mark.parametrize("name", study_names())
def test_what_is_kept_is_what_was_made(laid_out, name):
    made, kept = load_outline(name, Selection()), load_outline(name, Selection())
    assert laid_out == [name]
    assert kept == made
    runs = {run.key for run in load_grid(name).runs()}
    assert set(kept.keys) == runs


def test_other_selections_are_other_outlines(laid_out):
    changed = Selection(settings=("protocol.epochs=1",))
    selections = [Selection(), Selection(preset="quick"), Selection(seeds=(0,)), changed]
    keys = [load_outline("demo", selection).keys[0] for selection in selections]
    assert len(laid_out) == 4
    assert len({keys[0], keys[1], keys[3]}) == 3


def test_other_code_lays_out_anew(laid_out, monkeypatch):
    load_outline("demo", Selection())
    monkeypatch.setattr(outlines, "code_version", lambda: "other")
    load_outline("demo", Selection())
    assert laid_out == ["demo", "demo"]


@pytest.mark.parametrize("damage", [lambda body: body[:-9], lambda body: b"", lambda body: body.replace(b"se", b"es")])
def test_a_damaged_one_is_not_used(laid_out, tmp_path, damage):
    whole = load_outline("demo", Selection())
    (place,) = (tmp_path / "caches").rglob("outline-*.json")
    place.write_bytes(damage(place.read_bytes()))
    assert load_outline("demo", Selection()) == whole
    assert laid_out == ["demo", "demo"]


def test_own_images_can_change_so_their_outlines_are_not_kept(laid_out, tmp_path):
    for file in ("train/a/0.png", "train/b/0.png", "test/a/0.png"):
        (tmp_path / "own" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "own" / file)
    selection = Selection(datasets=(f"folder:{tmp_path / 'own'}",), methods=("baseline",), samples_per_class=(1,))
    first = load_outline("demo", selection)
    Image.new("RGB", (32, 32), "red").save(tmp_path / "own" / "train" / "a" / "0.png")
    from datasets.base import _make_dataset

    _make_dataset.cache_clear()
    assert load_outline("demo", selection).keys != first.keys
    assert len(laid_out) == 2


def test_outside_packages_can_change_so_nothing_is_kept(laid_out, monkeypatch):
    monkeypatch.setattr(outlines, "entry_points", lambda group: [group])
    load_outline("demo", Selection())
    load_outline("demo", Selection())
    assert len(laid_out) == 2


def test_the_oldest_are_forgotten(laid_out, monkeypatch, tmp_path):
    monkeypatch.setattr(outlines, "_KEPT", 2)
    for seed in range(4):
        load_outline("demo", Selection(seeds=(seed,)))
    assert len(list((tmp_path / "caches").rglob("outline-*.json"))) == 2


def test_an_unknown_study_is_said_every_time():
    for _ in range(2):
        with pytest.raises(BadInput, match="demo"):
            load_outline("dmeo", Selection())


def test_a_finished_plan_prints_what_the_plan_itself_prints(store, make_record):
    selection = Selection(methods=("baseline",), seeds=(0, 1))
    stores = Stores(store, alone=True)
    for number, run in enumerate(load_grid("demo", selection).runs()):
        assert finished(load_outline("demo", selection), stores.records(), stores) is None, number
        write_record(store / run.path, make_record(run, 50.0))
    quick = finished(load_outline("demo", selection), stores.records(), stores)
    whole = make_plan(load_grid("demo", selection), stores).summary()
    assert plan_text(quick) == plan_text(whole)
    assert plan_json(quick) == plan_json(whole)
