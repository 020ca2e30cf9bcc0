"""Studies and presets that are anybody's files: found by path or brought by plug-ins, kept by jobs, checked."""

import os
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.cli import cli
from benchmark.cli.validation import faults_of
from benchmark.outlines import load_outline, of_unknown_presets, outlines_with_records
from benchmark.plan import make_plan
from benchmark.protocol import forget_presets, load_preset
from benchmark.selection import PRESETS, STUDIES, Selection, preset_names, study_names
from benchmark.study import load_grid, load_study
from datasets import registry
from datasets.registry import BadInput, with_plugged
from results.records import write_record
from results.stores import Stores
from results.tables import write_tables

STUDY = """\
title: Mine
rows: [dataset, method]
columns: [samples_per_class]
preset: My_Preset.yaml
seeds: [0]
blocks:
  - datasets: [digits]
    methods: [baseline, mixup]
    samples_per_class: [2]
"""
METHOD = """\
from dataclasses import dataclass
import torch
from methods.base import Method
from methods.registry import register

@register("{name}", label="Checked", source="a test")
@dataclass(frozen=True)
class Checked(Method):
    "Nothing."
    def augment(self, images, rng):
        {does}
"""


@pytest.fixture
def mine(tmp_path):
    """A study of one's own and its preset, which is at its side."""
    (tmp_path / "Own_Study.yaml").write_text(STUDY)
    (tmp_path / "My_Preset.yaml").write_text((PRESETS / "demo.yaml").read_text())
    yield tmp_path
    forget_presets()


@pytest.fixture
def plug(monkeypatch):
    """Makes entry points point at packages, for the time of a test."""

    def install(**packages: str) -> None:
        points = [EntryPoint("mine", value, f"hydrabench.{kind}") for kind, value in packages.items()]
        found = lambda group: [point for point in points if point.group == group]  # noqa: E731
        monkeypatch.setattr(registry, "entry_points", found)
        caches()

    def caches() -> None:
        for cache in (with_plugged, load_study, load_preset):
            cache.cache_clear()

    monkeypatch.setattr(registry, "left_out", [])
    yield install
    monkeypatch.undo()
    caches()


def test_a_study_and_its_preset_are_found_by_path(mine, monkeypatch):
    monkeypatch.chdir(mine)
    grid = load_grid("Own_Study.yaml")
    assert (grid.name, grid.preset) == (str(mine / "Own_Study.yaml"), str(mine / "My_Preset.yaml"))
    plain = load_grid(str(mine / "Own_Study.yaml"), Selection("demo"))
    assert [run.key for run in grid.runs()] == [run.key for run in plain.runs()]  # where values lie is in no key
    assert load_grid("demo", Selection("My_Preset.yaml")).preset == grid.preset


def test_a_file_that_changed_is_read_anew(mine):
    path = str(mine / "Own_Study.yaml")
    before = [run.key for run in load_grid(path).runs()]
    preset = mine / "My_Preset.yaml"
    preset.write_text(preset.read_text().replace("    epochs: ", "    epochs: 1"))
    (mine / "Own_Study.yaml").write_text(STUDY.replace("seeds: [0]", "seeds: [0, 1]"))
    after = [run.key for run in load_grid(path).runs()]
    assert (len(before), len(after)) == (2, 4) and not {*before} & {*after}


def test_a_plan_says_that_records_were_made_with_other_values(mine, store, make_record):
    path, preset = str(mine / "Own_Study.yaml"), mine / "My_Preset.yaml"
    for run in load_grid(path, Selection(methods=("mixup",))).runs():
        write_record(store / run.path, make_record(run, 50.0))
    assert make_plan(load_grid(path), Stores(store, True)).made_otherwise() == []
    preset.write_text(preset.read_text().replace("    epochs: ", "    epochs: 1"))
    told = make_plan(load_grid(path), Stores(store, True)).summary().doubts
    assert told == (f"1 records of {preset} were made with other values: it changed since, or --set did",)


def test_what_is_wrong_is_said_as_of_built_in_files(mine):
    (mine / "table1.yaml").write_text(STUDY)
    with pytest.raises(BadInput, match=r"table1\.yaml: there is a study of this name"):
        load_grid(str(mine / "table1.yaml"))
    with pytest.raises(BadInput, match=r"nowhere\.yaml: not readable: No such file"):
        load_grid("demo", Selection(str(mine / "nowhere.yaml")))
    (mine / "Own_Study.yaml").write_text(STUDY + "colums: []\n")
    with pytest.raises(BadInput, match=r"Own_Study\.yaml:10: colums: unknown key 'colums'; did you mean columns"):
        load_grid(str(mine / "Own_Study.yaml"))


def test_tables_and_the_page_of_all_records_find_the_file_again(mine, store, make_record, monkeypatch):
    for number, run in enumerate(load_grid(str(mine / "Own_Study.yaml")).runs()):
        write_record(store / run.path, make_record(run, 50.0 + number))
    records = Stores(store, True).records()
    assert {entry.preset for entry in records} == {str(mine / "My_Preset.yaml")} and not of_unknown_presets(records)
    (outline,) = outlines_with_records(str(mine / "Own_Study.yaml"), records)
    assert outline.file_name == "Own_Study" and str(mine / "Own_Study.yaml") in outline.command("run")
    monkeypatch.setattr("results.tables.TABLES", mine / "tables")
    assert "51.00" in write_tables([outline], records, False)[0].read_text()
    (mine / "My_Preset.yaml").unlink()
    forget_presets()
    assert "there is no preset" in of_unknown_presets(records)[0]


def test_plug_ins_bring_studies_and_presets(mine, plug, monkeypatch):
    monkeypatch.syspath_prepend(str(mine))
    package = mine / "brought"
    package.mkdir()
    (package / "Night_Study.yaml").write_text(STUDY.replace("My_Preset.yaml", "Night-Preset"))
    (package / "night_preset.yaml").write_text((PRESETS / "demo.yaml").read_text())
    (package / "table1.yaml").write_text(STUDY)
    plug(studies="brought", presets="brought")
    assert "night-study" in study_names() and "night-preset" in preset_names()
    assert load_grid("Night_STUDY").preset == "night-preset"
    assert load_study("table1").title != "Mine"
    assert any("brought/table1.yaml: another one of studies has its name" in line for line in registry.left_out)
    sys.modules.pop("brought")


def test_a_plug_in_that_cannot_be_imported_is_named_and_hides_nothing(plug):
    plug(studies="nowhere_at_all")
    assert study_names() == sorted(path.stem for path in STUDIES.glob("*.yaml"))
    assert registry.left_out == [
        "studies of plug-in 'mine' (nowhere_at_all): ModuleNotFoundError: No module named 'nowhere_at_all'"
    ]


def test_every_fault_of_a_study_is_a_line(mine):
    path = mine / "Own_Study.yaml"
    assert faults_of(path) == ("a study", [])
    path.write_text(STUDY.replace("digits", "digitz").replace("mixup", "mixupp"))
    assert faults_of(path)[1] == [
        f"{path}:7: blocks.0.datasets.0: unknown dataset 'digitz'; did you mean digits?",
        f"{path}:8: blocks.0.methods.1: unknown method 'mixupp'; did you mean mixup or mixupn or nmix?",
    ]
    path.write_text(STUDY.replace("title: Mine\n", "").replace("seeds: [0]", "seeds: [-1, x]"))
    assert [line.split(": ")[1] for line in faults_of(path)[1]] == ["title", "seeds.0", "seeds.1"]
    path.write_text(STUDY.replace("My_Preset", "nowhere"))
    assert "nowhere.yaml: not readable" in faults_of(path)[1][0]
    path.write_text(STUDY + "published: none.csv\n")
    assert faults_of(path)[1] == [f"{path}:10: published: results/published has no none.csv"]


def test_every_fault_of_a_preset_or_a_profile_is_a_line(mine):
    path = mine / "My_Preset.yaml"
    assert faults_of(path) == ("a preset", [])
    path.write_text(path.read_text().replace("epochs: ", "epochs: -"))
    assert any("protocol.epochs: Input should be greater" in line for line in faults_of(path)[1])
    path.write_text("description: x\nthreads: 0\nprotocols: {smal: {}}\n")
    assert {line.removeprefix(f"{path}:")[0] for line in faults_of(path)[1]} == {"2", "3"}
    (mine / "p.yaml").write_text("executor: local\ntime: 5\nqos: x\n")
    assert faults_of(mine / "p.yaml")[0] == "a profile" and "5 has no unit" in faults_of(mine / "p.yaml")[1][0]
    (mine / "p.yaml").write_text("a: 1\n")
    assert "none of the keys blocks (a study), protocols (a preset), executor" in faults_of(mine / "p.yaml")[1][0]


@pytest.mark.parametrize(
    ("does", "fault"),
    [
        ("return images", None),
        ("return images + torch.zeros(3, 5)", "method 'checked': line 11: RuntimeError: The size of tensor a"),
        ("retrun images", "line 11: SyntaxError"),
    ],
)
@pytest.mark.usefixtures("one_thread")
def test_a_method_file_is_tried(tmp_path, monkeypatch, does, fault):
    from methods.registry import registry as methods

    methods.entries()
    monkeypatch.setattr(methods, "_entries", dict(methods._entries))
    path = tmp_path / "checked.py"
    path.write_text(METHOD.format(name="checked", does=does))
    kind, found = faults_of(path)
    assert kind == "a method file" and (found == [] if fault is None else fault in found[0])


def test_a_method_file_without_a_method_or_with_half_a_one_is_told(tmp_path, monkeypatch):
    from methods.registry import registry as methods

    methods.entries()
    monkeypatch.setattr(methods, "_entries", dict(methods._entries))
    path = tmp_path / "checked.py"
    path.write_text("x = 1\n")
    assert "registers no method" in faults_of(path)[1][0]
    text = METHOD.format(name="checked", does="return images")
    path.write_text(text.replace("@dataclass(frozen=True)\n", ""))
    assert "line 6: TypeError: method 'checked': Checked needs @dataclass(frozen=True)" in faults_of(path)[1][0]
    path.write_text(text.replace("checked", "mixup"))
    assert "method 'mixup' is registered twice" in faults_of(path)[1][0]


def test_every_image_that_cannot_be_read_is_a_line(tmp_path, draw_tree):
    root = draw_tree(tmp_path / "images", 0)
    assert faults_of(root) == ("images", [])
    for place in ("train/a/0.png", "test/b/1.png"):
        (root / place).write_bytes(b"no image")
    kept = faults_of(root)[1]
    assert [str(Path(line.split(" is ")[0]).relative_to(root)) for line in kept] == ["train/a/0.png", "test/b/1.png"]
    assert "needs" in faults_of(tmp_path)[1][0]


def test_a_giant_number_is_told_with_its_line(mine):
    path = mine / "My_Preset.yaml"
    text = path.read_text()
    path.write_text(text.replace("threads: 1", f"threads: {'9' * 3000}"))
    assert "is a larger number than" in faults_of(path)[1][0] and str(path) in faults_of(path)[1][0]
    path.write_text(text.replace("threads: 1", "threads: 99999999999"))
    assert "threads" in faults_of(path)[1][0]
    with pytest.raises(BadInput, match="is a larger number than"):
        load_grid("demo", Selection(settings=(f"protocol.epochs={'9' * 400}",)))


def test_a_name_with_a_line_break_forges_no_line(mine):
    path = mine / "a: images, nothing wrong\nb.yaml"
    path.write_text((mine / "Own_Study.yaml").read_text())
    answer = CliRunner().invoke(cli, ["validate", str(path)])
    assert len(answer.stdout.splitlines()) == 1 and "a study, nothing wrong" in answer.stdout


def test_a_link_that_leads_nowhere_is_told_by_its_own_name(mine):
    (mine / "link.yaml").symlink_to("gone.yaml")
    assert f"{mine}/link.yaml: not readable" in faults_of(mine / "link.yaml")[1][0]
    (mine / ".yaml").write_text((mine / "Own_Study.yaml").read_text())
    assert faults_of(mine / ".yaml") == ("a study", [])


def test_a_file_that_cannot_be_read_is_one_line_and_hides_no_other(tmp_path, draw_tree):
    root = draw_tree(tmp_path / "images", 0)
    os.mkfifo(root / "train/a/pipe.png")
    (root / "train/b/dangling.png").symlink_to("nowhere")
    (root / "test/a/empty.png").touch()
    (root / "test/b/words.png").write_text("words")
    assert [line.removeprefix(f"{root}/") for line in faults_of(root)[1]] == [
        "train/a/pipe.png is not a regular file",
        "train/b/dangling.png cannot be read (No such file or directory)",
        "test/a/empty.png is not a readable image (it is empty)",
        "test/b/words.png is not a readable image (it begins as none does)",
    ]


def test_undivided_images_are_checked_as_a_run_would_name_them(tmp_path, draw_tree):
    root = draw_tree(tmp_path / "images", 0) / "train"
    assert "folder(split=0.8):PATH draws a split" in faults_of(root)[1][0]
    text = f"folder(split=0.5):{root}"
    assert faults_of(Path(text)) == ("images", [])
    (root / "a" / "0.png").write_bytes(b"no image")
    assert len(faults_of(Path(text))[1]) == 1


def test_what_there_is_to_say_of_good_images_is_said(tmp_path, draw_tree):
    root = draw_tree(tmp_path / "images", 0)
    shutil.copy(root / "train/a/0.png", root / "test/a/same.png")
    answer = CliRunner().invoke(cli, ["validate", str(root)])
    assert answer.exit_code == 0 and answer.stdout.splitlines() == [f"{root}: images, nothing wrong"]
    assert "1 images are in test and, with the same bytes, in train: 1 of a" in answer.stderr


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("Train", "Test"), "it holds Train: rename it to train"),
        (("training", "testing"), "it holds training: rename it to train"),
        (("cat", "dog"), "it holds cat, dog: are these classes, folder(split=0.8):PATH draws a split"),
    ],
)
def test_a_folder_of_another_layout_says_what_to_do(tmp_path, names, told):
    for name in names:
        (tmp_path / name).mkdir()
    assert told in faults_of(tmp_path)[1][0]


def test_a_class_without_images_is_told_what_it_has_instead(tmp_path, draw_tree):
    root = draw_tree(tmp_path / "images", 0)
    (root / "train/a/notes.txt").touch()
    (root / "train/__MACOSX").mkdir()
    assert faults_of(root)[1] == [f"{root}/train has classes without images: __MACOSX"]
    (root / "train/__MACOSX/b.heic").touch()
    assert "__MACOSX (1 .heic there; read are " in faults_of(root)[1][0]


def test_the_verb_prints_faults_and_its_status_says_so(mine):
    good = CliRunner().invoke(cli, ["validate", str(mine / "Own_Study.yaml"), str(mine / "My_Preset.yaml")])
    assert (good.exit_code, good.stdout.count("nothing wrong")) == (0, 2)
    (mine / "My_Preset.yaml").write_text("- 1\n")
    bad = CliRunner().invoke(cli, ["validate", str(mine / "Own_Study.yaml"), str(mine / "My_Preset.yaml")])
    assert bad.exit_code == 1 and len(bad.stdout.splitlines()) == 2


def test_an_outline_of_a_file_is_never_taken_from_the_cache(mine):
    first = load_outline(str(mine / "Own_Study.yaml"), Selection())
    (mine / "Own_Study.yaml").write_text(STUDY.replace("Mine", "Yours"))
    assert (first.title, load_outline(str(mine / "Own_Study.yaml"), Selection()).title) == ("Mine", "Yours")
