"""DiffuseMix: halves and fractals, manifests that are wrong, a tiny model, bits that survive a stop, the method."""

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor

from benchmark.cli import cli
from benchmark.outlines import load_outline
from benchmark.protocol import resolve_protocol
from benchmark.selection import Selection
from benchmark.study import load_grid
from benchmark.training.batches import Batches
from benchmark.training.seeding import Streams
from datasets.base import DataChanged, get_dataset
from datasets.registry import BadInput
from diffusion import make_ready, make_weights, read_lines, write_checksums, write_manifest
from methods.base import Method
from methods.diffusion.building import HALVES, DiffusedSet, DiffusedSetBuilding, blend, join, unpack
from methods.diffusion.fractals import draw_fractal
from methods.diffusion.origins import ReadyImages, find_origin
from methods.diffusion.pipeline import PROMPTS
from methods.diffusion.recipe import DiffusedSetRecipe
from methods.registry import parse_method
from methods.task import Task
from tasks import digits

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch):
    for name in ("DIFFUSEMIX_IMAGES", "WEIGHTS_ROOT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ready(tmp_path, monkeypatch) -> Path:
    """Two images for each of twenty digits, in use."""
    monkeypatch.setenv("DIFFUSEMIX_IMAGES", str(tmp_path / "ready"))
    return make_ready(tmp_path / "ready", digits())


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory) -> Path:
    for package in ("diffusers", "transformers", "accelerate"):
        pytest.importorskip(package, reason="needs the extra 'diffusion': pip install -e '.[diffusion]'")
    return make_weights(tmp_path_factory.mktemp("weights"))


def recipe(text: str = "diffusemix", **changes: object) -> DiffusedSetRecipe:
    dataset = get_dataset("digits")
    (artifact,) = parse_method(text).resolve(dataset).needs(dataset, 2, 0)
    return replace(artifact.recipe, **changes)  # type: ignore[return-value]


def finished(work: DiffusedSetBuilding) -> DiffusedSetBuilding:
    while work.step < work.steps:
        work.advance()
    return work


def made_of(work: DiffusedSetBuilding) -> DiffusedSet:
    return work.recipe.load(finished(work).tensors(), torch.device("cpu"))


# --- halves and fractals


@pytest.mark.parametrize("half", HALVES)
def test_one_half_is_the_original_s_and_the_other_the_generated_one_s(half):
    joined = join(torch.zeros(6, 6, 3).byte(), torch.full((6, 6, 3), 9).byte(), half).numpy()
    places: dict = {"left": np.s_[:, :3], "right": np.s_[:, 3:], "top": np.s_[:3], "bottom": np.s_[3:]}
    assert (joined[places[half]] == 0).all() and joined.sum() == 9 * 54


def test_a_fractal_is_blended_by_its_share():
    image, fractal = torch.full((1, 1, 3), 200).byte(), torch.tensor([0, 100, 255]).byte()[None, None]
    assert blend(image, fractal, 0.2).flatten().tolist() == [160, 180, 211]
    assert torch.equal(blend(image, fractal, 0.0), image) and torch.equal(blend(image, fractal, 1.0), fractal)


def test_fractals_are_drawn_by_their_seed_and_are_no_plain_colour():
    drawn = [draw_fractal(32, torch.Generator().manual_seed(seed)) for seed in (*range(20), 0)]
    assert all(picture.shape == (32, 32, 3) and picture.dtype == torch.uint8 for picture in drawn)
    assert torch.equal(drawn[0], drawn[-1])
    assert len({bytes(picture.flatten().tolist()) for picture in drawn}) == 20
    assert min(float(picture.float().std((0, 1)).max()) for picture in drawn) > 5


# --- ready images


def test_what_is_made_of_ready_images_is_half_theirs_under_a_fractal(ready):
    task, made = digits(), made_of(recipe().start(digits(), ()))
    assert made.sources.tolist() == [position for position in range(20) for _ in range(2)]
    assert [unpack(row) for row in made.prompts] == ["snowy", "sunset"] * 20
    for image, source, generated, number in zip(made.images, made.sources, made.generated, range(40), strict=True):
        file = np.asarray(Image.open(ready / f"{number}.png").resize((32, 32), Image.Resampling.BILINEAR))
        assert np.array_equal(generated, file)
        halves = [join(task.images[source], generated, half) for half in HALVES]
        distances = [(image.float() - joined * 0.8).clamp(-255) for joined in halves]
        assert any(bool(((d >= -0.51) & (d <= 51.51)).all()) for d in distances)  # what is left is a fractal's fifth


def test_every_half_is_kept_by_chance(ready):
    made, task = made_of(recipe(fractal=0.0).start(digits(), ())), digits()
    kept = [
        half
        for image, source, generated in zip(made.images, made.sources, made.generated, strict=True)
        for half in HALVES
        if torch.equal(image, join(task.images[source], generated, half))
    ]
    assert len(kept) == 40 and set(kept) == set(HALVES)


@pytest.mark.parametrize("stop", [1, 7, 19])
def test_a_restored_building_goes_on_with_the_same_bits(ready, stop):
    whole, part, resumed = (recipe().start(digits(), ()) for _ in range(3))
    for _ in range(stop):
        part.advance()
    resumed.restore(part.state())
    first, second = finished(whole).tensors(), finished(resumed).tensors()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert whole.history.lines == resumed.history.lines and len(whole.history.lines) == 20


def changed(folder: Path, line: int, **values: str) -> None:
    lines = read_lines(folder)
    for name, value in values.items():
        lines[line][("file", "label", "source", "prompt").index(name)] = value
    write_manifest(folder, lines)


BAD_MANIFESTS = {
    "no manifest": (lambda at: (at / "manifest.csv").unlink(), "manifest.csv cannot be read"),
    "no column": (lambda at: write_manifest(at, [], ("file", "class", "prompt")), "has no column 'source'; it needs"),
    "no line": (lambda at: write_manifest(at, []), "manifest.csv names no image"),
    "no prompt": (lambda at: changed(at, 1, prompt=" "), "line 3: no prompt"),
    "missing file": (lambda at: (at / "3.png").unlink(), "line 5: .*3.png is not there"),
    "a folder": (lambda at: changed(at, 1, file="."), "is not a regular file"),
    "outside": (lambda at: changed(at, 0, file="../x.png"), "line 2: ../x.png is not below"),
    "twice": (lambda at: changed(at, 4, file="2.png"), "line 6: 2.png is the same image as that of line 4"),
    "a copy": (lambda at: (at / "5.png").write_bytes((at / "0.png").read_bytes()), "5.png is the same image as that"),
    "no text": (lambda at: (at / "manifest.csv").write_bytes(b'file,class,source,prompt\n"\0'), "manifest.csv"),
}


@pytest.mark.parametrize("what", BAD_MANIFESTS)
def test_a_manifest_that_is_wrong_makes_the_method_unavailable_with_the_line(ready, what):
    spoil, message = BAD_MANIFESTS[what]
    spoil(ready)
    method = parse_method("diffusemix+autoaugment")
    assert not method.available and "\n" not in method.missing
    with pytest.raises(BadInput, match=message):
        find_origin()


def test_an_image_of_another_class_is_named(ready):
    changed(ready, 2, label="nine hundred")
    with pytest.raises(BadInput, match=r"line 4: its class is 'nine hundred', and '.*' that of digits"):
        recipe().start(digits(), ())


@pytest.mark.parametrize("size", [(40, 30), (31, 31)])
def test_an_image_of_an_unfit_size_is_named(ready, size):
    Image.new("RGB", size).save(ready / "0.png")
    with pytest.raises(BadInput, match=f"line 2: 0.png is {size[0]}×{size[1]}, not square and of 32 pixels or more"):
        recipe().start(digits(), ()).advance()


def test_what_is_no_image_is_named(ready):
    (ready / "0.png").write_bytes(b"no image")
    with pytest.raises(BadInput, match=r"0\.png is not a readable image"):
        recipe().start(digits(), ()).advance()


def test_an_image_of_the_subset_without_any_is_named(ready):
    name = digits().image_names[3]
    write_manifest(ready, [line for line in read_lines(ready) if line[2] != name])
    with pytest.raises(BadInput, match=f"no image whose source is '{name}', nor of 0 more"):
        recipe().start(digits(), ())


def test_content_alone_is_in_the_key(ready, tmp_path, monkeypatch):
    before = ReadyImages.at(ready).text
    (ready / "0.png").rename(ready / "zero.png")
    changed(ready, 0, file="zero.png")
    moved = ready.rename(tmp_path / "moved")
    assert ReadyImages.at(moved).text == before
    others = {before}
    for values in ({"prompt": "foggy"}, {"label": "x"}, {"source": "digits 999"}, {"file": "new.png"}):
        Image.new("RGB", (40, 40)).save(moved / "new.png")
        kept = read_lines(moved)
        changed(moved, 0, **values)
        others.add(ReadyImages.at(moved).text)
        write_manifest(moved, kept)
    assert len(others) == 5


def test_an_image_that_is_replaced_meanwhile_is_not_used(ready):
    work = recipe().start(digits(), ())
    Image.new("RGB", (40, 40)).save(ready / "0.png")
    with pytest.raises(DataChanged, match=r"0.png was replaced"):
        work.advance()


def test_a_planned_building_finds_what_it_was_planned_with_or_says_so(ready):
    planned = recipe()
    changed(ready, 0, prompt="foggy")
    with pytest.raises(BadInput, match=f"not of {planned.origin}, which was planned"):
        planned.start(digits(), ())


# --- the model


@pytest.fixture
def weights(tiny_weights, monkeypatch) -> Path:
    monkeypatch.setenv("WEIGHTS_ROOT", str(tiny_weights.parent))
    return tiny_weights


SHORT = {"per_image": 3, "steps": 2, "resolution": 32}


def test_a_tiny_model_generates_by_different_prompts_and_the_same_bits_again(weights):
    with warnings.catch_warnings(action="error"):  # a record would have them
        first, second = (recipe(**SHORT).start(digits(), ()) for _ in range(2))
        first.advance()
        second.advance()
    made, same = first.tensors(), second.tensors()
    assert all(torch.equal(made[name], same[name]) for name in made)
    assert made["images"].shape == made["generated"].shape == (3, 32, 32, 3)
    assert len({unpack(row) for row in made["prompts"]} & set(PROMPTS)) == 3
    assert len(made["generated"].flatten(1).unique(dim=0)) == 3


def test_a_restored_building_generates_the_same(weights):
    whole, part, resumed = (recipe(**SHORT).start(digits(), ()) for _ in range(3))
    part.advance()
    resumed.restore(part.state())
    for work in (whole, whole, resumed):
        work.advance()
    first, second = whole.tensors(), resumed.tensors()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_weights_other_than_listed_are_refused_before_they_are_read(weights, tmp_path, monkeypatch):
    copy = copied(weights, tmp_path, monkeypatch)
    planned, file = recipe(**SHORT), copy / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match=r"unet/diffusion_pytorch_model.safetensors has not the sha256 that SHA256SUMS"):
        planned.start(digits(), ())
    write_checksums(copy)
    assert recipe(**SHORT).origin != planned.origin
    (copy / "vae" / "more.safetensors").write_bytes(b"")
    with pytest.raises(BadInput, match=r"vae/more.safetensors is not both there and in SHA256SUMS"):
        recipe(**SHORT).start(digits(), ())


def test_pickles_are_never_read(weights, tmp_path, monkeypatch):
    copy = copied(weights, tmp_path, monkeypatch)
    for name in ("unet/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin"):
        (copy / name).write_bytes(b"not even a pickle")
    recipe(**SHORT).start(digits(), ()).advance()
    (copy / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    write_checksums(copy)
    missing = parse_method("diffusemix").missing
    assert "lists no unet/diffusion_pytorch_model.safetensors; other formats are not read" in missing


def copied(weights: Path, tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("WEIGHTS_ROOT", str(tmp_path))
    return Path(shutil.copytree(weights, tmp_path / weights.name))


def test_what_is_missing_of_weights_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTS_ROOT", str(tmp_path))
    assert "instruct-pix2pix is not there: put InstructPix2Pix's weights there" in parse_method("diffusemix").missing
    (tmp_path / "instruct-pix2pix").mkdir()
    assert "has no SHA256SUMS: docs/generators.md has the command" in parse_method("diffusemix").missing


def test_a_package_that_is_missing_is_told(tmp_path, monkeypatch):
    folder = tmp_path / "instruct-pix2pix"
    folder.mkdir()
    models = ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model")
    (folder / "SHA256SUMS").write_text("".join(f"{'0' * 64}  {name}.safetensors\n" for name in models))
    monkeypatch.setenv("WEIGHTS_ROOT", str(tmp_path))
    monkeypatch.setattr("methods.diffusion.origins.find_spec", lambda name: None)
    assert parse_method("diffusemix").missing == "diffusers is not installed: pip install -e '.[diffusion]'"


# --- the method


def prepared(text: str, task: Task) -> Method:
    """The method with two images of one grey each for every one of the subset: 2p and 2p + 1 for the p-th."""
    greys = torch.arange(40).byte()[:, None, None, None].expand(-1, 32, 32, 3).contiguous()
    made = DiffusedSet(greys, torch.arange(20).repeat_interleave(2), greys, torch.zeros(40, 1).byte())
    return parse_method(text).prepare(task, (made,))


def batches(method: Method, task: Task) -> Batches:
    protocol = resolve_protocol("demo", get_dataset("digits"), {"network": "wrn-10-1", "epochs": 1})
    return Batches(task, method, protocol, Streams(0))


def greys_of(images: Tensor) -> Tensor:
    return ((images[:, 0, 0, 0] + 1) * 127.5).round().long()


def test_at_p_gen_1_every_image_is_one_that_was_made_from_it_and_keeps_its_label():
    task, seen = digits(), []
    plain, mixed = batches(parse_method("baseline"), task), batches(prepared("diffusemix(p_gen=1)", task), task)
    for _ in range(30):
        expected, batch = plain.next(1), mixed.next(1)
        assert torch.equal(batch.targets, expected.targets)
        greys = greys_of(batch.images)
        assert torch.equal(greys // 2, expected.picked)
        seen += greys.tolist()
    assert set(seen) == set(range(40))


def test_half_of_the_images_are_the_baseline_s():
    task, same = digits(), []
    plain, mixed = batches(parse_method("baseline"), task), batches(prepared("diffusemix", task), task)
    for _ in range(30):
        same += (plain.next(1).images == mixed.next(1).images).flatten(1).all(1).tolist()
    assert 0.4 < np.mean(same) < 0.6


def test_at_p_gen_0_it_needs_nothing(ready):
    dataset = get_dataset("digits")
    method = parse_method("diffusemix(p_gen=0)").resolve(dataset)
    assert method.needs(dataset, 2, 0) == () and method.prepare(digits(), ()) is method


def test_every_parameter_reaches_the_recipe(ready):
    values = {"fractal": 0.4, "per_image": 2, "steps": 3, "resolution": 64, "guidance": 5.0, "image_guidance": 2.0}
    text = ", ".join(f"{name}={value}" for name, value in values.items())
    found = recipe(f"diffusemix({text})")
    assert found == DiffusedSetRecipe(origin=find_origin().text, **values)


def test_pictures_show_the_original_what_was_generated_and_the_mixed_image(ready):
    work = finished(recipe().start(digits(), ()))
    rows = work.recipe.picture(made_of(work), digits())
    assert len(rows) == 6
    assert all([tile.caption for tile in row[1:]] == ["snowy", "mixed", "sunset", "mixed"] for row in rows)
    assert all(tile.image.shape == (32, 32, 3) and tile.image.dtype == np.uint8 for row in rows for tile in row)


# --- the row of Table 5


def test_plan_says_what_the_row_lacks_and_how_to_get_it(tmp_path):
    arguments = ["plan", "table5", "--results", str(tmp_path), "--ignore-measured"]
    told = CliRunner().invoke(cli, arguments)
    assert "     5 unavailable" in told.stdout
    assert "unavailable: diffusemix: needs InstructPix2Pix's weights in $WEIGHTS_ROOT/" in told.stdout


def test_with_images_the_row_has_runs_whose_key_has_their_content(ready):
    selection = Selection(methods=("diffusemix",), datasets=("digits",), preset="demo", seeds=(0,))
    (before,) = load_grid("table5", selection).runs()
    assert before.method.parameters()["origin"] == find_origin().text
    assert before.artifacts[0].artifact.recipe.origin == find_origin().text
    changed(ready, 0, prompt="foggy")
    (after,) = load_grid("table5", selection).runs()
    assert after.key != before.key and after.artifacts[0].key != before.artifacts[0].key


def test_an_outline_from_before_is_not_taken_once_there_are_images(tmp_path, monkeypatch):
    selection = Selection(methods=("diffusemix",))
    assert load_outline("table5", selection).unavailable == 5
    assert load_outline("table5", selection).missing  # from the cache
    monkeypatch.setenv("DIFFUSEMIX_IMAGES", str(make_ready(tmp_path, digits())))
    outline = load_outline("table5", selection)
    assert (outline.unavailable, outline.missing, len(outline.keys)) == (0, (), 5)
    changed(tmp_path, 0, prompt="foggy")
    assert load_outline("table5", selection).keys != outline.keys
