"""Weights that a run left, as a classifier of a folder of images."""

import csv
import os

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file

from benchmark.cli import cli
from benchmark.cli.weights import _images, load_classifier, predict_folder
from benchmark.training.nets import build_network, weights_hash
from datasets.base import get_dataset
from datasets.batches import normalise, to_unit
from datasets.registry import BadInput
from results.files import RECORD, WEIGHTS
from results.records import write_record

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def keep(store, make_run, make_record):
    """Leaves a run's record and random weights in the store; gives the network and the run's folder."""

    def leave(method="baseline", **axes):
        run = make_run(method, **axes)
        torch.manual_seed(0)
        channels, _ = run.method.classifier_input(run.dataset.image_size)
        network = build_network(run.protocol.network, run.dataset.num_classes, 0.0, channels)
        network = run.method.network(network).eval()
        record = make_record(run, 50.0).model_copy(update={"weights_sha256": weights_hash(network)})
        folder = store / run.path
        write_record(folder, record)
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / WEIGHTS)
        return network, folder, record

    return leave


@pytest.fixture
def pictures(tmp_path):
    """Digits as PNGs in two folders, one of them wider than high."""
    root = tmp_path / "pictures"
    (root / "deeper").mkdir(parents=True)
    images = get_dataset("digits").test().images[:5]
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(root / ("deeper" if number % 2 else "") / f"{number}.PNG")
    (root / "notes.txt").write_text("no image")
    return root, images


def test_every_image_gets_what_the_network_says(keep, pictures, store, tmp_path):
    network, _, record = keep()
    root, images = pictures
    out = tmp_path / "out.csv"
    asked = ["weights", record.key[:6], str(root), "-o", str(out), "--results", str(store), "--ignore-measured"]
    done = CliRunner().invoke(cli, asked)
    assert done.exit_code == 0, done.output
    with torch.inference_mode():
        said = network(normalise(to_unit(torch.from_numpy(images)))).softmax(1)
    found = {line["path"]: line for line in csv.DictReader(out.read_text().splitlines())}
    names = get_dataset("digits").class_names()
    assert sorted(found) == ["0.PNG", "2.PNG", "4.PNG", "deeper/1.PNG", "deeper/3.PNG"]
    for number, row in enumerate(said):
        line = found[f"deeper/{number}.PNG" if number % 2 else f"{number}.PNG"]
        assert line["class"] == names[int(row.argmax())]
        assert float(line["probability"]) == pytest.approx(float(row.max()), abs=1e-3)


@pytest.mark.parametrize("method", ["scattering", "mixup+autoaugment"])
def test_a_method_s_own_network_is_built_again(keep, method):
    network, folder, record = keep(method)
    again = load_classifier(record, folder, get_dataset("digits"))
    assert weights_hash(again) == weights_hash(network) == record.weights_sha256


def test_what_cannot_be_used_is_told_in_a_line(keep, pictures, tmp_path):
    _, folder, record = keep()
    root, out = pictures[0], tmp_path / "out.csv"
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="has no images"):
        predict_folder(folder / RECORD, tmp_path / "empty", None, out)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "5.jpg").write_bytes(b"no image")
    with pytest.raises(BadInput, match=r"has no images; .*5\.jpg is not a readable image"):
        predict_folder(folder / RECORD, tmp_path / "bad", None, out)
    with pytest.raises(BadInput, match="is not what the run learned from"):
        predict_folder(folder / RECORD, root, "cifar10", out)
    changed = record.model_copy(update={"weights_sha256": "0" * 64})
    with pytest.raises(BadInput, match="are not the weights that the record is of"):
        load_classifier(changed, folder, get_dataset("digits"))
    save_file({"x": torch.zeros(1)}, folder / WEIGHTS)
    with pytest.raises(BadInput, match="are not those of wrn-10-1 as method 'baseline' builds it alone"):
        load_classifier(record, folder, get_dataset("digits"))
    (folder / WEIGHTS).unlink()
    with pytest.raises(BadInput, match="has no kept weights; `hydrabench run --force --keep-weights`"):
        load_classifier(record, folder, get_dataset("digits"))
    assert not out.exists()


def test_one_bad_image_or_folder_is_named_and_the_others_are_classified(keep, pictures, store, tmp_path):
    _, _, record = keep()
    root, out = pictures[0], tmp_path / "out.csv"
    (root / "bad.jpg").write_bytes(b"no image")
    os.mkfifo(root / "pipe.png")
    (root / "link").symlink_to(root / "deeper")
    (root / "0.PNG").rename(root / "=cmd|x.PNG")
    asked = ["weights", record.key[:6], str(root), "-o", str(out), "--results", str(store), "--ignore-measured"]
    done = CliRunner().invoke(cli, asked)
    assert done.exit_code == 1
    assert [line.split(" is ")[0] for line in done.stderr.splitlines() if line.startswith("left out")] == [
        f"left out: {root}/{name}" for name in ("link", "bad.jpg", "pipe.png")
    ]
    paths = [line["path"] for line in csv.DictReader(out.read_text().splitlines())]
    assert sorted(paths) == ["./=cmd|x.PNG", "2.PNG", "4.PNG", "deeper/1.PNG", "deeper/3.PNG"]
    assert all((root / path).exists() for path in paths)


def test_a_folder_that_cannot_be_searched_is_named(pictures, monkeypatch):
    root = pictures[0]
    problems: list[str] = []
    scan = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("deeper"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert len(list(_images(root, problems))) == 3
    assert problems == [f"{root}/deeper cannot be searched (Permission denied)"]


def test_a_run_on_somebody_s_own_images_needs_them_named(keep, draw_tree, tmp_path):
    own = draw_tree(tmp_path / "own", 0)
    _, folder, _ = keep(dataset=f"folder:{own}")
    out = tmp_path / "out.csv"
    with pytest.raises(BadInput, match="name their folder by --dataset folder:PATH"):
        predict_folder(folder / RECORD, own, None, out)
    assert predict_folder(folder / RECORD, own, f"folder:{own}", out) == (12, [])
    assert {line["class"] for line in csv.DictReader(out.read_text().splitlines())} <= {"a", "b"}
    other = draw_tree(tmp_path / "other", 1)
    with pytest.raises(BadInput, match="is not what the run learned from"):
        predict_folder(folder / RECORD, own, f"folder:{other}", out)
    assert np.asarray(Image.open(next(own.rglob("*.png")))).shape == (32, 32, 3)
