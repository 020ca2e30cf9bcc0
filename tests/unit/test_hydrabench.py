"""hydrabench in other programs: augmenters on batches, fitted and not, saved and loaded; results as data frames."""

import re
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import hydrabench
from benchmark.training.seeding import global_state
from datasets.registry import BadInput
from hydrabench import augmenter as module
from methods.base import Method
from methods.registry import registry
from results.files import CHECKOUT
from results.records import write_record
from tasks import digits

TINY = {"preset": "demo", "progress": False}
SPEND = {"width": 4, "epochs": 1, "batch_size": 8, "images_per_class": 4}  # of a generator


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Two images each of ten digits, N×3×32×32 uint8, by class."""
    task = digits()
    return task.images[task.by_class].movedim(-1, 1)


@pytest.fixture(scope="module")
def labels() -> Tensor:
    return torch.arange(10).repeat_interleave(2)


@pytest.fixture(scope="module")
def hydramix(images, labels, tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    made = hydrabench.HydraMix.fit(images, labels, store=store, **TINY, **SPEND, generator_size=32, p_gen=1.0)
    return made, store


def test_every_registered_method_has_a_class():
    names = dir(hydrabench)
    assert {"HydraMix", "MixUp", "RandomErasing", "ChimeraMixGrid", "OriginalImages", "GLICO"} <= set(names)
    assert sorted(cls.of.name for cls in module.classes().values()) == sorted(registry.entries())
    assert hydrabench.MixUp.__doc__ == registry.get("mixup").__doc__
    assert hydrabench.MixUp is hydrabench.MixUp and issubclass(hydrabench.MixUp, hydrabench.Augmenter)
    with pytest.raises(AttributeError, match="did you mean MixUp"):
        hydrabench.MixUpp  # noqa: B018
    with pytest.raises(AttributeError):
        hydrabench.nothing  # noqa: B018


PLAIN = ["MixUp", "MixUpN", "Cutout", "RandomErasing", "Cosine", "Baseline", "AutoAugment", "TrivialAugment"]


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32, torch.float64])
def test_methods_without_training_work_on_batches(name, kind, images, labels):
    given = images if kind == torch.uint8 else images.to(kind) / 255
    before, random = given.clone(), torch.get_rng_state()
    makes = [getattr(hydrabench, name)(num_classes=10, seed=1) for _ in range(2)]
    (first, targets), (second, _) = (make(given, labels) for make in makes)
    assert first.dtype == kind and first.shape == images.shape and torch.equal(first, second)
    assert targets.shape == (20, 10) and torch.allclose(targets.sum(1), torch.ones(20))
    assert torch.equal(given, before) and torch.equal(torch.get_rng_state(), random)
    assert torch.allclose(first, given) == (name in ("Cosine", "Baseline"))
    assert makes[0].criterion(torch.randn(20, 10), targets).isfinite()
    if first.is_floating_point():
        assert first.min() >= 0 and first.max() <= 1


def test_numbers_may_be_numpy_s(images, labels):
    made = hydrabench.MixUp(num_classes=np.int64(10), seed=np.int32(1))
    assert made(images, labels)[1].shape == (20, 10)
    assert len(list(hydrabench.AugmentedLoader([(images, labels)], made, np.float32(0.5)))) == 1


def test_mixup_mixes_images_as_it_mixes_targets(images, labels):
    unit = images.double() / 255
    mixed, targets = hydrabench.MixUp(num_classes=10)(unit[::2], labels[::2])
    assert torch.allclose(mixed, torch.einsum("bk,kchw->bchw", targets.double(), unit[::2]), atol=1e-6)
    assert (targets > 0).sum() > 10


def test_cutout_takes_parameters_and_weights_of_classes(images):
    cut, targets = hydrabench.Cutout(length=8)(torch.zeros(4, 1, 20, 24), torch.full((4, 3), 1 / 3))
    assert torch.equal(targets, torch.full((4, 3), 1 / 3))
    assert set(cut.unique().tolist()) == {0.0, 0.5} and (cut == 0.5).sum(dim=(1, 2, 3)).max() <= 64


def test_draws_begin_anew_by_seed(images, labels):
    mixup = hydrabench.MixUp(num_classes=10)
    first, second = mixup(images, labels)[0], mixup(images, labels)[0]
    assert not torch.equal(first, second)
    assert torch.equal(mixup.manual_seed(0)(images, labels)[0], first)


def test_a_fitted_method_replaces_batches(hydramix, images, labels):
    made, store = hydramix
    assert isinstance(made, hydrabench.HydraMix) and made.num_classes == 10 and made.p_gen == 1
    new, targets = made.manual_seed(0)(images, labels)
    assert new.dtype == torch.uint8 and new.shape == images.shape
    assert torch.equal(targets.argmax(1), labels) and not torch.equal(new, images)
    spared, _ = made.with_p_gen(0)(images, labels)
    assert torch.equal(spared, images)
    assert len(list(store.glob("artifacts/generator/*/*/*/artifact.json"))) == 1


def test_the_same_call_finds_what_was_trained(hydramix, images, labels, monkeypatch):
    made, store = hydramix
    monkeypatch.setattr("methods.mixing.recipe.GeneratorRecipe.start", lambda *_: pytest.fail("trained again"))
    again = hydrabench.HydraMix.fit(
        images.numpy() / 255, labels.numpy(), store=store, **TINY, **SPEND, generator_size=32, p_gen=1.0
    )
    assert torch.equal(again(images, labels)[0], made.manual_seed(0)(images, labels)[0])


def test_training_leaves_the_process_as_it_was(images, labels, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.manual_seed(7)
        before = global_state()["cpu"]
        how = {"p_gen": 1.0, "hidden": 16, "epochs": 1, "images_per_class": 1}
        made = hydrabench.GLICO.fit(images, labels, store=tmp_path, **TINY, **how)
        assert torch.equal(global_state()["cpu"], before) and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert made(images, labels)[0].shape == images.shape


def test_a_saved_augmenter_gives_the_same_images(hydramix, images, labels, tmp_path):
    made, _ = hydramix
    made.save(tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"augmenter.json", "augmenter.safetensors"}
    loaded = hydrabench.load(tmp_path / "mine")
    assert type(loaded) is hydrabench.HydraMix
    assert torch.equal(loaded(images, labels)[0], made.manual_seed(0)(images, labels)[0])
    with pytest.raises(BadInput, match="holds HydraMix, not MixUp"):
        hydrabench.MixUp.load(tmp_path / "mine")


def test_an_augmenter_without_training_is_saved_too(images, labels, tmp_path):
    made = hydrabench.MixUp(num_classes=10, seed=3, alpha=0.2)
    made.save(tmp_path)
    loaded = hydrabench.load(tmp_path)
    assert torch.equal(loaded(images, labels)[0], made(images, labels)[0])


@pytest.mark.parametrize("name", ["augmenter.json", "augmenter.safetensors"])
def test_a_damaged_augmenter_is_refused(name, hydramix, tmp_path):
    hydramix[0].save(tmp_path)
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(BadInput, match=f"{tmp_path} holds no augmenter"):
        hydrabench.load(tmp_path)
    with pytest.raises(BadInput, match="holds no augmenter"):
        hydrabench.load(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["gridmix(p_gen=1.0)", "segmix(p_gen=1.0)", "nmix(p_gen=1.0)+trivialaugment", "mixup"])
def test_methods_are_fitted_by_their_text(text, images, labels, tmp_path):
    made = hydrabench.fit(text, images, labels, store=tmp_path, **TINY)
    new, _ = made(images.float() / 255, labels)
    assert new.shape == images.shape and not torch.allclose(new, images / 255)
    made.save(tmp_path / "mine")
    assert torch.equal(hydrabench.load(tmp_path / "mine")(images.float() / 255, labels)[0], new)


def test_a_loader_augments_its_share(hydramix, images, labels):
    loader = DataLoader(TensorDataset(images, labels), batch_size=10)
    for share, changed in ((0.0, 0), (1.0, 2), (None, 2)):
        batches = hydrabench.AugmentedLoader(loader, hydramix[0], share)
        assert len(batches) == 2
        pairs = zip(batches, loader, strict=True)
        assert sum(not torch.equal(new, old) for (new, _), (old, _) in pairs) == changed
    mixup = hydrabench.MixUp(num_classes=10)
    kept = list(hydrabench.AugmentedLoader(loader, mixup, 0.0))
    assert torch.equal(torch.cat([new for new, _ in kept]), images)
    assert torch.equal(torch.cat([targets for _, targets in kept]).argmax(1), labels)


def test_an_image_folder_is_fitted(images, tmp_path, draw_tree):
    folder = pytest.importorskip("torchvision").datasets.ImageFolder(str(draw_tree(tmp_path / "mine", 0) / "train"))
    made = hydrabench.GridMix.fit(folder, store=tmp_path, **TINY)
    assert made.num_classes == 2 and made(torch.rand(3, 3, 32, 32), torch.tensor([0, 1, 1]))[0].shape[0] == 3
    Image.new("L", (20, 20)).save(tmp_path / "mine" / "train" / "a" / "9.png")
    folder = type(folder)(folder.root)
    with pytest.raises(BadInput, match="of one size"):
        hydrabench.GridMix.fit(folder, store=tmp_path, **TINY)


def test_classes_of_different_sizes_are_cut_to_the_smallest(images, labels, tmp_path):
    more, numbers = torch.cat([images, images[:1]]), torch.cat([labels, labels[:1]])
    with pytest.warns(UserWarning, match="2 to 3 images: 2 of each are taken"):
        hydrabench.GridMix.fit(more, numbers, store=tmp_path, **TINY)


BAD_FITS = {
    "not N×3×H×H.*permute": lambda i, n: (i.movedim(1, -1), n),
    "not N×3×H×H": lambda i, n: (i[..., :20], n),
    "run from 0 to 255": lambda i, n: (i.float(), n),
    "neither uint8 nor floats": lambda i, n: (i.long(), n),
    "19 labels": lambda i, n: (i, n[1:]),
    "class 0 has 1 image;": lambda i, n: (i[1:], n[1:]),
    "class 1 has 0 images;": lambda i, n: (i, n * 2),
    "a label is 900000": lambda i, n: (i, n * 100000),
    "label -1 is no class": lambda i, n: (i, n - 1),
    "list of labels": lambda i, n: (i, n.float()),
    "images without labels": lambda i, n: (i, None),
    "there are no images": lambda i, n: (i[:0], n[:0]),
    "makes no array": lambda i, n: ([[1], [1, 2]], n),
    "makes no array: .*BFloat16": lambda i, n: ((i / 255).bfloat16(), n),
}


@pytest.mark.parametrize("told", BAD_FITS)
def test_what_cannot_be_fitted_is_said_in_one_line(told, images, labels, tmp_path):
    with pytest.raises(BadInput, match=told) as error:
        hydrabench.GridMix.fit(*BAD_FITS[told](images, labels), store=tmp_path, **TINY)
    assert len(str(error.value).splitlines()) == 1


BAD_BATCHES = {
    "not B×C×H×W": lambda i, n: (i[0], n),
    "run from": lambda i, n: (i.float() / 127.5 - 1, n),
    "neither uint8 nor floats": lambda i, n: (i.int(), n),
    "run from nan": lambda i, n: (i.float() * float("nan"), n),
    "label 10 is no class": lambda i, n: (i, n + 1),
    "labels are 19 of": lambda i, n: (i, n[1:]),
    "labels are 20×1 of": lambda i, n: (i, n[:, None]),
    "labels are 20 of torch.bool": lambda i, n: (i, n > 3),
    "images are 0×3×32×32": lambda i, n: (i[:0], n[:0]),
    "images are 20×3×0×32": lambda i, n: (i[:, :, :0], n),
    "not pixels": lambda i, n: (i.to_sparse(), n),
    "of torch.complex64": lambda i, n: (i.to(torch.complex64), n),
    "images are ndarray, not a tensor": lambda i, n: (i.numpy(), n),
    "images are NoneType, not a tensor": lambda i, n: (None, n),
    "labels are list, not a tensor": lambda i, n: (i, n.tolist()),
    "weights of 7 classes, not of 10": lambda i, n: (i, torch.eye(7)[n % 7]),
    "do not sum to 1": lambda i, n: (i, torch.full((20, 10), 5.0)),
    "that are negative": lambda i, n: (i, torch.eye(10)[n] * 2 - torch.eye(10)[n.roll(2)]),
    "sum to 1.*": lambda i, n: (i, torch.full((20, 10), float("nan"))),
}


@pytest.mark.parametrize("told", BAD_BATCHES)
def test_a_batch_that_does_not_fit_is_said_in_one_line(told, images, labels):
    with pytest.raises(BadInput, match=told) as error:
        hydrabench.MixUp(num_classes=10)(*BAD_BATCHES[told](images, labels))
    assert len(str(error.value).splitlines()) == 1


def test_what_else_cannot_be_is_said(hydramix, images, labels, tmp_path):
    for call, told in (
        (lambda: hydrabench.HydraMix(), r"HydraMix.fit\(images, labels\)"),
        (lambda: hydrabench.DINO.fit(images, labels), "is a network with a training of its own"),
        (lambda: hydrabench.Scattering(), "is a network with a training of its own"),
        (lambda: hydrabench.Cutout(size=8), "unknown parameter"),
        (lambda: hydrabench.Cutout(length=0), "length=0"),
        (lambda: hydrabench.MixUp()(images, labels), r"MixUp\(num_classes=10\)"),
        (lambda: hydrabench.HydraMix.fit(images, labels, preset="no"), "unknown preset"),
        (lambda: hydramix[0](images[..., :16, :16], labels), "are 3×16×16, the augmenter was fitted to 3×32×32"),
        (lambda: hydramix[0](images, torch.eye(10)[labels]), "let it come first"),
        (lambda: hydrabench.AugmentedLoader([], hydramix[0], 1.5), "is no share"),
        (lambda: hydrabench.AugmentedLoader([], hydramix[0], "half"), "'half' is no share"),
        (lambda: hydrabench.AugmentedLoader([], "mixup"), "'mixup' is no augmenter"),
        (lambda: hydrabench.AugmentedLoader(5, hydramix[0]), "5 is no loader"),
        (lambda: list(hydrabench.AugmentedLoader([images], hydramix[0])), "the loader gives Tensor, not"),
        (lambda: list(hydrabench.AugmentedLoader([None], hydramix[0])), "the loader gives NoneType, not"),
        (lambda: list(hydrabench.AugmentedLoader([(images, labels, 1)], hydramix[0])), "not .images, labels."),
        (lambda: list(hydrabench.AugmentedLoader([(images.numpy(), labels)], hydramix[0])), "images are ndarray"),
        (lambda: hydrabench.fit(5, images, labels), "method=5 is no text"),
        (lambda: hydrabench.fit("gridmix", images, labels, preset=5), "preset=5 is no text"),
        (lambda: hydrabench.table(["demo"]), "study=.* is no text"),
        (lambda: hydrabench.table("demo", metric=5), "metric=5 is no text"),
        (lambda: hydrabench.table("demo", preset=["demo"]), "preset=.* is no text"),
        (lambda: hydrabench.table("demo", methods=b"mixup"), "methods=b'mixup' is no text"),
        (lambda: hydrabench.table("demo", settings=[5.5]), "settings=5.5 is no text"),
        (lambda: hydrabench.table("demo").render("nosuch"), "unknown form of tables 'nosuch'"),
        (lambda: hydrabench.table("demo", store=__file__), "is no folder: a store is one"),
        (lambda: hydrabench.results(store="a\0b"), "is no path"),
        (lambda: hydrabench.load("a\0b"), "is no path"),
        (lambda: hydrabench.run("demo", workers=-1, measured=False, store=tmp_path), "workers=-1 is no number"),
        (lambda: hydrabench.run("demo", workers="2", measured=False, store=tmp_path), "workers='2' is no number"),
        (lambda: hydrabench.MixUp(num_classes="10"), "num_classes='10' is no whole number from 1 on"),
        (lambda: hydrabench.MixUp(seed="a"), "seed='a' is no whole number from 0 on"),
        (lambda: hydrabench.GridMix.fit(images, labels, seed=-1), "seed=-1 is no whole number"),
        (lambda: hydrabench.GridMix.fit(images, labels, device="cudua"), "device='cudua' is none of this machine's"),
        (lambda: hydrabench.MixUp().with_p_gen(0.5), "has none"),
        (lambda: hydrabench.results(seeds=0), "name one"),
        (lambda: hydrabench.results("demo", seed=0), "unknown selector 'seed'"),
        (lambda: hydrabench.results("demo", seeds=-1), "integers from 0"),
        (lambda: hydrabench.table("dmo"), "unknown study"),
    ):
        with pytest.raises(BadInput, match=told):
            call()


@pytest.mark.parametrize("name", sorted(registry.entries()))
def test_every_method_says_what_it_is_or_works(name, images, labels):
    """Without training: it augments, or says to fit it, or that it is no augmentation."""
    cls = module.class_of(registry.get(name)())
    if name in ("dino", "scattering") or cls.of.prepare is not Method.prepare:
        with pytest.raises(BadInput, match=r"fit\(images, labels\)|training of its own"):
            cls(num_classes=10)
    else:
        assert cls(num_classes=10)(images, labels)[0].shape == images.shape


def test_results_are_a_line_per_run(store, make_run, make_record):
    for seed, accuracy in ((0, 80.0), (1, 70.0)):
        run = make_run(seed=seed, size=5)
        write_record(store / run.path, make_record(run, accuracy))
    found = hydrabench.results(store=store, measured=False)
    assert list(found.top1) == [80.0, 70.0] and set(found.method) == {"baseline"} and found.index.is_unique
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hydrabench.results("demo", store=store, measured=False, methods="mixup", seeds=range(2)).empty


def test_a_table_is_latex(store):
    table = hydrabench.table("demo", store=store, measured=False, methods=["mixup", "cutout(length=8)"], seeds=0)
    assert len(table.frame) and r"\begin{tabular}" in table.to_latex()
    assert "Calibration" in hydrabench.table("demo", store=store, measured=False, metric="ece").caption


def test_a_study_is_run(store, make_run, monkeypatch):
    """Up to the processes, which tests/lifecycle has."""
    asked: dict = {}

    def run_plan(plan, own, request, screen):
        asked.update(runs=len(plan.jobs(False, False)), store=own, workers=request.workers)
        screen.note("failed: one")
        return asked.get("status", 0)

    monkeypatch.setattr("benchmark.sweep.run_plan", run_plan)
    how = {"store": store, "measured": False, "methods": "baseline", "samples_per_class": 5, "seeds": "0-2"}
    assert hydrabench.run("demo", **how).empty
    assert asked == {"runs": 3, "store": store, "workers": 1}
    asked["status"] = 1
    with pytest.raises(hydrabench.RunsFailed, match="failed: one"):
        hydrabench.run("demo", **how)


def test_the_examples_of_the_page_run(images, labels, tmp_path, monkeypatch):
    """docs/own_code.md, block by block, with the images of this file and a preset of seconds."""
    blocks = re.findall(r"```python\n(.*?)```", (CHECKOUT / "docs" / "own_code.md").read_text(), re.DOTALL)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    monkeypatch.setenv("HYDRABENCH_RESULTS", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    names = {"images": images, "labels": labels, "network": network}
    for block in blocks:
        exec(compile(block.replace('preset="quick"', f'preset="demo", **{SPEND}'), "docs/own_code.md", "exec"), names)
    assert names["loss"].isfinite() and (tmp_path / "hydramix" / "augmenter.json").exists()
