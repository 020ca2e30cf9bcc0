"""Presets: the papers' hyperparameters, errors that name file and line."""

import pytest

from benchmark import config, protocol
from benchmark.protocol import load_preset, make_protocol, resolve_protocol
from benchmark.selection import preset_names
from benchmark.study import Study
from datasets.base import get_dataset
from datasets.registry import BadInput

SIZES = (5, 10, 20, 30, 50, 100)


@pytest.mark.parametrize(
    ("dataset", "per_epoch", "expected"),
    [
        ("cifair10", [500, 500, 500, 480, 500, 500], ("wrn-16-8", 0.3, 10, 4.6e-3, 5.3e-3, 4)),
        ("cifar10-dedup", [500, 500, 500, 480, 500, 500], ("wrn-16-8", 0.3, 10, 4.6e-3, 5.3e-3, 4)),
        ("cifair100", [5000, 5000, 5000, 4800, 5000, 5000], ("wrn-16-8", 0.3, 10, 4.6e-3, 5.3e-3, 4)),
        ("stl10", [75, 75, 75, 75, 63, 63], ("torchvision/resnet50", 0.0, 16, 7.4e-3, 4.1e-4, 12)),
    ],
)
def test_paper_preset_is_fidelity_section_1(dataset, per_epoch, expected):
    found = resolve_protocol("paper", get_dataset(dataset), {})
    assert (
        found.network,
        found.dropout,
        found.batch_size,
        found.learning_rate,
        found.weight_decay,
        found.padding,
    ) == expected
    assert (found.epochs, found.momentum) == (200, 0.9)
    classes = get_dataset(dataset).num_classes
    assert [found.steps(n, classes) for n in SIZES] == [200 * steps for steps in per_epoch]


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("dataset", ["cifair10", "cifair100", "stl10", "digits", "imagenet", "tiny-imagenet32"])
def test_every_preset_fits_every_dataset(preset, dataset):
    assert resolve_protocol(preset, get_dataset(dataset), {}).epochs >= 1


def test_changes_win_and_are_checked():
    digits = get_dataset("digits")
    assert resolve_protocol("quick", digits, {"epochs": 3}).epochs == 3
    with pytest.raises(BadInput, match="did you mean epochs"):
        resolve_protocol("quick", digits, {"epoch": 3})
    with pytest.raises(BadInput, match=r"protocol\.epochs: .*greater"):
        resolve_protocol("quick", digits, {"epochs": 0})
    with pytest.raises(BadInput, match="network"):
        make_protocol({}, "test")


def test_unknown_preset_suggests():
    with pytest.raises(BadInput, match="did you mean quick"):
        load_preset("qick")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("description: x\nthreads: 1\nprotocols: [\n", r"bad\.yaml:\d+: not YAML"),
        ("description: x\nthreads: some\nprotocols: {}\n", r"bad\.yaml:2: threads"),
        (
            "description: x\nthreads: 1\nprotocols: {}\nthraeds: 2\n",
            r"bad\.yaml:4: thraeds: unknown key 'thraeds'; did you mean threads",
        ),
        (
            "description: x\nthreads: 1\nprotocols:\n  small:\n    epochs: [1]\n",
            r"bad\.yaml:5: protocols\.small\.epochs",
        ),
        ("description: x\nthreads: 1\nprotocols:\n  small:\n    epoch: 1\n", r"bad\.yaml:5: .*did you mean epochs"),
        ("description: x\nthreads: 1\nprotocols:\n  cifiar10: {}\n", r"bad\.yaml:4: .*did you mean .*cifair10"),
        ("description: x\nthreads: .inf\nprotocols: {}\n", r"bad\.yaml:2: threads"),
        ("description: \x01\n", r"bad\.yaml:1: not YAML"),
        ("threads: 1\nprotocols: {}\n", r"bad\.yaml:1: description: Field required"),
    ],
)
def test_malformed_presets_name_file_line_and_what_was_expected(tmp_path, text, message):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(BadInput, match=message):
        config.load_yaml(tmp_path / "bad.yaml", protocol.Preset)


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_bytes(b"description: \xff\xfe\n")
    with pytest.raises(BadInput, match=r"bad\.yaml:1: not YAML"):
        config.load_yaml(tmp_path / "bad.yaml", protocol.Preset)


def test_malformed_study_names_the_line_of_the_wrong_axis(tmp_path):
    (tmp_path / "bad.yaml").write_text(
        "title: x\nrows: [dataset, methd]\ncolumns: []\npreset: demo\nseeds: [0]\nblocks: []\n"
    )
    with pytest.raises(BadInput, match=r"bad\.yaml:2: rows\.1.*'dataset', 'method', 'samples_per_class' or 'metric'"):
        config.load_yaml(tmp_path / "bad.yaml", Study)
