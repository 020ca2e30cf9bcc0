"""ImageNet from its official layout: real photos of Imagenette, generated ones where a file must be odd or missing."""

import json
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn
from torchvision import transforms

from benchmark.cli import cli
from benchmark.protocol import resolve_budgets, resolve_protocol
from benchmark.training import evaluate as evaluation
from benchmark.training.evaluate import evaluate
from datasets import imagenet
from datasets.base import DataCorrupt, DataMissing, data_root, get_dataset
from datasets.bundle import export, read_bundle
from datasets.imagenet import cut_centre, synsets
from datasets.on_demand import OnDemand
from datasets.registry import BadInput
from datasets.subset import find_subset
from imagenets import TRAIN, VAL, WNIDS, draw_imagenet, pretend
from methods.mixing.segments import default_scale
from methods.registry import parse_method


@pytest.fixture
def imagenette(real_photos, empty_root, monkeypatch):
    """10 classes of real photos, 40 to train and 20 to test, as if they were all of ImageNet."""
    classes = json.loads((real_photos / "classes.json").read_text())
    with zipfile.ZipFile(real_photos / "imagenette2_224_subset.zip") as archive:
        archive.extractall(empty_root / "imagenet")
    return pretend(monkeypatch, classes, 400, 200)


@pytest.fixture
def real_photos() -> Path:
    folder = data_root() / "imagenette"
    if not folder.is_dir():
        pytest.skip(f"needs {folder} (set DATA_ROOT)")
    return folder


@pytest.fixture
def drawn(empty_root, monkeypatch):
    """Three classes of generated images in the official folders, the validation images in class folders too."""
    return draw_imagenet(empty_root, monkeypatch)


@pytest.fixture
def decoded(monkeypatch) -> list[Path]:
    """The files that were decoded so far."""
    files: list[Path] = []
    decode = imagenet._decode

    def count(file: Path) -> np.ndarray:
        files.append(file)
        return decode(file)

    monkeypatch.setattr(imagenet, "_decode", count)
    return files


def flatten(root: Path) -> dict[str, str]:
    """Takes the validation images out of their folders; returns the wnid of each, by its name."""
    files = sorted((root / "imagenet/val").glob("*/*.JPEG"), key=lambda file: file.name)
    wnids = {file.stem: file.parent.name for file in files}
    for file in files:
        file.rename(file.parent.parent / file.name)
    for wnid in WNIDS:
        (root / "imagenet/val" / wnid).rmdir()
    return wnids


def write_kaggle(root: Path, wnids: dict[str, str]) -> None:
    lines = [f"{name},{wnid} 1 2 3 4 {wnid} 5 6 7 8 " for name, wnid in reversed(wnids.items())]
    (root / "imagenet/LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *lines]) + "\n")


def write_devkit(root: Path, wnids: dict[str, str]) -> None:
    """As the official one: numbers in an order of their own, and synsets above the classes behind them."""
    from scipy.io import savemat

    data = root / "imagenet/ILSVRC2012_devkit_t12/data"
    data.mkdir(parents=True)
    order = [WNIDS[2], WNIDS[0], WNIDS[1], "n00001740"]
    rows = np.array(
        [(number, wnid, 0) for number, wnid in enumerate(order, 1)],
        dtype=[("ILSVRC2012_ID", object), ("WNID", object), ("num_children", object)],
    )
    savemat(data / "meta.mat", {"synsets": rows.reshape(-1, 1)})
    truth = "".join(f"{order.index(wnid) + 1}\n" for wnid in wnids.values())
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text(truth)


class Counting(nn.Module):
    """Says class 0 of every image, and notes how many files were decoded by then."""

    def __init__(self, decoded: list[Path]):
        super().__init__()
        self.decoded, self.seen = decoded, []  # type: ignore[var-annotated]

    def forward(self, images):
        self.seen.append((len(self.decoded), len(images)))
        return torch.eye(10)[torch.zeros(len(images), dtype=torch.long)]


def test_real_photos_are_tested_in_parts_and_never_all_in_memory(imagenette, decoded, monkeypatch):
    monkeypatch.setattr(evaluation, "_BATCH", 30)
    test, network = imagenette.test(), Counting(decoded)
    assert not decoded
    tracemalloc.start()
    metrics, _ = evaluate(network, test, "fp32", torch.device("cpu"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert network.seen == [(min(30 * part, 200), 30 if part < 7 else 20) for part in range(1, 8)]
    assert len(set(decoded)) == 200 and metrics.test_images == 200
    assert metrics.top1 == 10.0
    assert peak < 200 * 224 * 224 * 3 / 2


def test_a_subset_of_real_photos_decodes_itself_alone(imagenette, decoded):
    indices = find_subset(imagenette, 2, 0)
    images = imagenette.train_images(indices)
    assert [file.parent.name for file in decoded] == [
        list(imagenet.synsets())[label] for label in imagenette.train_labels()[indices]
    ]
    usual = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    theirs = np.stack([np.asarray(usual(Image.open(file).convert("RGB"))) for file in decoded])
    assert images.shape == (20, 224, 224, 3)
    assert np.array_equal(images, theirs)
    assert imagenette.describe(indices[0]) == str(decoded[0].relative_to(imagenette.path))


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (256, 256), (257, 999), (91, 90), (225, 1000)])
def test_images_are_cut_as_torchvision_cuts_them(size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    usual = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    assert np.array_equal(np.asarray(cut_centre(image)), np.asarray(usual(image)))


def test_classes_are_the_official_ones_in_the_official_order():
    from timm.data import ImageNetInfo
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    assert list(synsets()) == sorted(synsets()) == ImageNetInfo().label_names()
    assert list(synsets().values()) == _IMAGENET_CATEGORIES


def test_official_folders(drawn, empty_root):
    drawn.check()
    assert drawn.class_names() == ["tench", "goldfish", "English springer"]
    assert drawn.train_labels().tolist() == [0] * TRAIN + [1] * TRAIN + [2] * TRAIN
    assert drawn.test().labels.tolist() == [0] * VAL + [1] * VAL + [2] * VAL
    assert drawn.remarks() == ["its 9 training images were listed, not read: each is when a run picks it"]


@pytest.mark.parametrize("write", [write_kaggle, write_devkit])
def test_flat_validation_images_get_the_labels_of_their_files(write, drawn, empty_root):
    write(empty_root, flatten(empty_root))
    assert drawn.test().labels.tolist() == [0, 1, 2] * VAL
    assert drawn.test().images[:1].shape == (1, 224, 224, 3)


def test_flat_validation_images_without_labels_say_where_those_belong(drawn, empty_root):
    flatten(empty_root)
    with pytest.raises(DataMissing, match=r"LOC_val_solution\.csv or in .*ILSVRC2012_devkit_t12/data$"):
        drawn.check()


def test_validation_labels_that_do_not_fit_are_named(drawn, empty_root):
    wnids = flatten(empty_root)
    first, *others = wnids
    write_kaggle(empty_root, {name: wnids[name] for name in others})
    with pytest.raises(DataCorrupt, match=rf"LOC_val_solution\.csv gives {first}\.JPEG no class of 3"):
        drawn.test()
    write_kaggle(empty_root, {**wnids, first: "n00001740"})
    with pytest.raises(DataCorrupt, match=rf"gives {first}\.JPEG no class of 3"):
        drawn.test()


def test_a_development_kit_that_does_not_fit_is_named(drawn, empty_root):
    wnids = flatten(empty_root)
    write_devkit(empty_root, dict(list(wnids.items())[1:]))
    with pytest.raises(DataCorrupt, match=r"ground_truth\.txt has 5 lines for 6 images"):
        drawn.test()
    (empty_root / "imagenet/ILSVRC2012_devkit_t12/data/meta.mat").write_bytes(b"nothing of the kind")
    with pytest.raises(DataCorrupt, match=r"meta\.mat is not the development kit's"):
        drawn.test()


def test_what_is_missing_is_named_with_the_way_to_get_it(drawn, empty_root):
    for file in (empty_root / "imagenet/train" / WNIDS[1]).iterdir():
        file.unlink()
    with pytest.raises(DataCorrupt, match=r"imagenet/train holds 6 \.JPEG files, not 9"):
        drawn.check()
    (empty_root / "imagenet/train" / WNIDS[1]).rmdir()
    with pytest.raises(DataMissing, match=rf"train lacks the folders {WNIDS[1]}; image-net\.org .*tiny-imagenet32"):
        drawn.check()


def test_prepare_downloads_nothing_and_says_how_to_get_it(empty_root):
    done = CliRunner().invoke(cli, ["data", "prepare", "--dataset", "imagenet"])
    assert isinstance(done.exception, DataMissing)
    assert f"there is no {empty_root}/imagenet/train; image-net.org gives it" in str(done.exception)


def test_a_damaged_image_is_named_when_it_is_used(drawn, empty_root):
    names = [f"val/{WNIDS[2]}/ILSVRC2012_val_00000006.JPEG", f"train/{WNIDS[0]}/{WNIDS[0]}_1.JPEG"]
    for name in names:
        (empty_root / "imagenet" / name).write_bytes(b"no image")
    drawn.check()
    done = CliRunner().invoke(cli, ["data", "verify", "--dataset", "imagenet"])
    assert isinstance(done.exception, DataCorrupt) and names[0] in str(done.exception)
    assert len(drawn.train_images(np.array([0, 2]))) == 2
    with pytest.raises(DataCorrupt, match=names[1]):
        drawn.train_images(np.array([0, 1]))


def test_cmyk_with_a_profile_is_read_as_everywhere(drawn, empty_root):
    image = Image.new("CMYK", (300, 300), (10, 20, 30, 40))
    image.save(empty_root / f"imagenet/train/{WNIDS[0]}/{WNIDS[0]}_0.JPEG", format="JPEG", icc_profile=b"of its own")
    (found,) = drawn.train_images(np.array([0]))
    assert found[100, 100].tolist() == pytest.approx(image.convert("RGB").getpixel((9, 9)), abs=3)


def test_parts_of_what_is_decoded_on_demand():
    images = OnDemand(10, 2, lambda position: np.full((2, 2, 3), position, np.uint8))
    assert images[7:20][:, 0, 0, 0].tolist() == [7, 8, 9]
    assert images[np.array([3, 0, 3])][:, 1, 1, 2].tolist() == [3, 0, 3]
    assert len(images) == 10 and images[10:].shape == (0, 2, 2, 3)
    with pytest.raises(BadInput, match="never one array"):
        np.asarray(images)


def test_a_bundle_holds_subsets_and_no_test_set_that_is_decoded_on_demand(drawn, tmp_path):
    path = tmp_path / "part.npz"
    with pytest.raises(BadInput, match=r"6 images .* in no bundle"):
        export([drawn], [1], [0], True, path)
    export([drawn], [1], [0], False, path)
    indices = find_subset(drawn, 1, 0)
    assert np.array_equal(read_bundle(path)["imagenet"].train_images(indices), drawn.train_images(indices))


@pytest.mark.parametrize(("name", "scale", "size"), [("imagenet", 1000, 224), ("tiny-imagenet32", 60, 64)])
def test_segments_and_generators_suit_the_images(name, scale, size):
    dataset = get_dataset(name)
    method = parse_method("hydramix").resolve(dataset, resolve_budgets("quick", dataset))
    assert default_scale(dataset) == scale
    assert (method.segment_scale, method.generator_size) == (scale, size)
    assert method.recipe(dataset, dataset).steps(5, dataset.num_classes) <= 1250


def test_the_protocol_is_that_of_stl10():
    ours, theirs = (resolve_protocol("paper", get_dataset(name), {}) for name in ("imagenet", "stl10"))
    assert ours == theirs.model_copy(update={"padding": 28})
