"""Compositions in a classifier's training, and which generator a run asks for."""

import json
from dataclasses import MISSING, fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.training.batches import Batches
from benchmark.training.seeding import Streams
from datasets.base import get_dataset
from datasets.batches import normalise, to_bytes, to_unit
from datasets.registry import BadInput
from methods.base import Method
from methods.identity import hashed_fields
from methods.mixing.composer import Composer, rescale
from methods.mixing.rules import Rule
from methods.mixing.segments import segment_batch
from methods.mixing.sources import SourceBatches
from methods.registry import format_method, parse_method, registry
from methods.task import Batch, Task, Views
from tasks import digits
from trainings import TINY, assert_same, prepared, protocol, resolved, weights

TWINS = ["gridmix", "segmix", "nmix"]
TRAINED = ["chimeramix-grid", "chimeramix-seg", "hydramix"]

pytestmark = pytest.mark.usefixtures("one_thread")


def batches(text: str, task: Task) -> Batches:
    return Batches(task, prepared(text, task), protocol(), Streams(0))


# --- how often


@pytest.mark.parametrize("method", TWINS + TRAINED)
def test_at_p_gen_0_it_is_the_baseline(method):
    task = digits()
    assert resolved(f"{method}(p_gen=0)").needs(get_dataset("digits"), 2, 0) == ()
    assert_same(weights(f"{method}(p_gen=0)", task), weights("baseline", task))


def test_at_p_gen_0_it_is_its_augmentation():
    task = digits()
    assert_same(weights("hydramix(p_gen=0)+autoaugment", task), weights("autoaugment", task))


@pytest.mark.parametrize("method", TWINS + TRAINED)
def test_at_p_gen_1_every_batch_is_composed(method):
    task = digits()
    plain, mixed = batches("baseline", task), batches(f"{method}(p_gen=1)", task)
    for _ in range(5):
        real, composed = plain.next(1), mixed.next(1)
        assert not torch.equal(real.images, composed.images)
        assert torch.equal(real.targets, composed.targets)  # views and order are the baseline's
        assert composed.images.shape == real.images.shape
        assert composed.images.abs().max() <= 1


def test_p_gen_is_the_share_of_composed_batches():
    task = digits()
    plain, mixed = batches("baseline", task), batches("gridmix(p_gen=0.3)", task)
    composed = sum(not torch.equal(plain.next(1).images, mixed.next(1).images) for _ in range(200))
    assert 40 <= composed <= 80


# --- what is composed


def views(task: Task, method: Method, sources: int, label: int = 3) -> Views:
    """Views of one class, N×4."""
    picked = (task.labels == label).nonzero().flatten()[torch.arange(sources * 4) % 2]
    maps = method.maps(task)
    images = normalise(to_unit(task.images[picked])).unflatten(0, (sources, 4))
    return Views(images, None if maps is None else maps[picked].unflatten(0, (sources, 4)))


@pytest.mark.parametrize("method", TRAINED)
def test_a_composition_is_what_fidelity_describes(method):
    task = digits()
    composer = prepared(method, task)
    given = views(task, composer, composer.sources)
    composed = composer.compose(given, torch.Generator().manual_seed(1))
    assert composed.masks.shape == (4, 16, 16)
    up = [functional.interpolate(image, size=(64, 64), mode="bilinear", align_corners=True) for image in given.images]
    features = torch.stack([composer.generator.encode(image) for image in up])
    mixed = sum((composed.masks == i)[:, None] * features[i] for i in range(len(features)))
    down = functional.interpolate(composer.generator.decode(mixed), size=(32, 32), mode="bilinear", align_corners=True)
    torch.testing.assert_close(composed.images, down, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", TWINS)
def test_twins_mix_pixels_at_the_generator_s_size(method):
    task = digits()
    composer = prepared(method, task)
    given = views(task, composer, composer.sources)
    composed = composer.compose(given, torch.Generator().manual_seed(1))
    assert composed.masks.shape == (4, 64, 64)
    large = torch.stack([rescale(image, 64) for image in given.images])
    mixed = sum((composed.masks == i)[:, None] * large[i] for i in range(len(large)))
    torch.testing.assert_close(composed.images, rescale(mixed, 32))


@pytest.mark.parametrize("method", ["gridmix(p_gen=1)", "segmix(p_gen=1, segmentation=precomputed)", "nmix(p_gen=1)"])
def test_image_0_is_the_batch_s_and_partners_follow(method, monkeypatch):
    composer = prepared(method, digits())
    numbers = torch.arange(composer.sources)[:, None, None, None].expand(-1, 5, 32, 32)
    images = numbers[:, :, None].expand(-1, -1, 3, -1, -1) / 10

    def partners(count: int) -> Views:
        assert count == composer.sources - 1
        return Views(images[1:], numbers[1:])

    for winner in range(composer.sources):
        given: list[Tensor | None] = []

        def draw(rule: Rule, count: int, size: int, found: Tensor | None, rng, winner=winner, given=given) -> Tensor:
            given.append(found)
            return torch.full((count, size, size), winner)

        monkeypatch.setattr(type(composer.method.rule), "draw", draw)
        batch = Batch(images[0], functional.one_hot(torch.arange(5)), numbers[0], partners)
        composed = composer.begin(batch, torch.Generator())()
        torch.testing.assert_close(composed.images, images[winner])
        segmented = list(composer.method.rule.segmented)
        assert (given[0] is None) == (not segmented)
        assert given[0] is None or torch.equal(given[0].transpose(0, 1), numbers[segmented])


def test_partners_are_of_the_image_s_class_itself_included():
    task = digits()
    colours = torch.stack([task.labels, torch.arange(20), torch.zeros(20)], dim=1).byte()
    coloured = replace(task, images=colours[:, None, None].expand(-1, 32, 32, -1).contiguous())
    batch = batches("baseline", coloured).make(torch.arange(20))
    assert torch.equal(to_bytes(batch.images)[:, 0, 0], colours)
    labels, places = to_bytes(batch.partners(30).images)[:, :, 0, 0, :2].long().unbind(-1)  # type: ignore[misc]
    assert torch.equal(labels, task.labels.expand(30, -1))
    for image in range(20):
        assert set(places[:, image].tolist()) == set((task.labels == task.labels[image]).nonzero().flatten().tolist())


def distinct(places: Tensor) -> Tensor:
    """How many different values each column of N×B has."""
    return 1 + (places.sort(dim=0).values.diff(dim=0) != 0).sum(0)


def numbered(task: Task) -> Task:
    """Images of 8 pixels whose first channel is their number."""
    numbers = torch.arange(len(task.images)).byte()[:, None, None, None]
    return replace(task, images=functional.pad(numbers, (0, 2)).expand(-1, 8, 8, -1).contiguous())


def sources_of_the_classifier(task: Task) -> Tensor:
    batch = batches("baseline", task).make(torch.arange(50).repeat(400))
    return torch.cat([batch.images[None], batch.partners(3).images])  # type: ignore[misc]


def sources_of_the_generator(task: Task) -> Tensor:
    digits = get_dataset("digits")
    made = replace(resolved("hydramix").recipe(digits, digits), size=8, batch_size=20_000, images_per_class=2000)
    return SourceBatches(made, task).next(1).images


@pytest.mark.parametrize("sources", [sources_of_the_classifier, sources_of_the_generator])
def test_hydramix_draws_its_images_as_chimeramix_s_code_samples(sources):
    task = numbered(digits(samples_per_class=5))
    places = to_bytes(sources(task))[:, :, 0, 0, 0].long()
    assert places.shape == (4, 20_000)
    assert torch.equal(task.labels[places], task.labels[places[:1]].expand(4, -1))
    assert float(distinct(places).float().mean()) == pytest.approx(3.40, abs=0.03)
    assert float((distinct(places) == 4).float().mean()) == pytest.approx(0.402, abs=0.01)


def test_a_seed_gives_the_same_composition_on_its_own():
    task = digits()
    composer = prepared("hydramix", task)
    given = views(task, composer, 4)
    first, second = (composer.compose(given, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.images, second.images) and torch.equal(first.masks, second.masks)


def test_chimeramix_segments_its_partner_alone():
    task = digits()
    composer = prepared("chimeramix-seg", task)
    given = views(task, composer, 2)
    found = composer.compose(given, torch.Generator().manual_seed(1)).segmentations
    assert torch.equal(found[:, 0], segment_batch(given.images[1].permute(0, 2, 3, 1), 60))


def test_compositions_carry_no_gradient_but_can_be_trained_on():
    batch = batches("chimeramix-grid(p_gen=1)", digits()).next(1)
    weight = torch.ones(2, 3, 1, 1, requires_grad=True)
    functional.conv2d(batch.images, weight).sum().backward()
    assert weight.grad is not None and not batch.images.requires_grad


# --- segmentations


def test_precomputed_maps_follow_crop_and_flip():
    task = digits()
    numbers = torch.arange(32 * 32, dtype=torch.uint8).view(1, 32, 32, 1).expand(20, -1, -1, 3).contiguous()
    task = replace(task, images=numbers)

    class Numbered(type(prepared("nmix", task))):  # type: ignore[misc]
        def maps(self, task):
            return task.images[..., 0].to(torch.int16)

    plain = prepared("nmix", task)
    current = Batches(task, Numbered(plain.method, plain.task, None, None), protocol(), Streams(0))
    batch = current.make(torch.arange(20))
    partners = batch.partners(3)  # type: ignore[misc]
    for images, maps in ((batch.images, batch.maps), (partners.images, partners.maps)):
        assert torch.equal(((images + 1) * 127.5).round().to(torch.int16).select(-3, 0), maps)


def test_maps_are_segmentations_of_the_images_as_they_are():
    task = digits()
    assert torch.equal(prepared("hydramix", task).maps(task), segment_batch(task.images, 60))
    assert prepared("hydramix(segmentation=augmented)", task).maps(task) is None
    assert prepared("chimeramix-grid", task).maps(task) is None
    assert prepared("chimeramix-seg(segmentation=precomputed)", task).maps(task) is not None


@pytest.mark.parametrize("method", ["nmix", "hydramix"])
def test_noise_replaces_the_classifier_s_segmentations(method):
    task = digits()
    clean = segment_batch(task.images, 60)
    for noise, low, high in [(0.5, 4, 16), (1.0, 20, 20)]:
        maps = prepared(f"{method}(noise={noise})", task).maps(task)
        replaced = [not torch.equal(one, other) for one, other in zip(maps, clean, strict=True)]
        assert low <= sum(replaced) <= high


def test_noise_replaces_for_the_generator_and_the_classifier_alike():
    task, method = digits(), resolved("hydramix(generator_size=32, noise=0.5)")
    (artifact,) = method.needs(get_dataset("digits"), 2, 0)
    assert torch.equal(artifact.recipe.start(task, ()).batches._maps, method.prepare(task, ()).maps(task))


def test_noise_needs_precomputed_segmentations():
    with pytest.raises(BadInput, match="noise"):
        resolved("hydramix(noise=0.5, segmentation=augmented)")


def test_a_grid_finer_than_the_features_is_refused():
    with pytest.raises(BadInput, match="mask_size=17 is more than the 16 places"):
        resolved("chimeramix-grid(mask_size=17)")
    resolved("chimeramix-grid(mask_size=16)")
    resolved("gridmix(mask_size=17)")


# --- which generator


def needed(text: str, dataset: str = "cifar10", budgets: dict = TINY) -> str:
    """The identity of the generator that a method asks for on a dataset."""
    (artifact,) = parse_method(text).resolve(get_dataset(dataset), budgets).needs(get_dataset(dataset), 5, 0)
    return json.dumps(artifact.identity, sort_keys=True)


@pytest.mark.parametrize("method", TRAINED)
def test_runs_share_a_generator(method):
    shared = needed(method)
    for text in (f"{method}+autoaugment", f"{method}+trivialaugment", f"{method}(p_gen=0.9)"):
        assert needed(text) == shared
    for dataset in ("cifair10", "cifar10-dedup"):
        assert needed(method, dataset) == shared
        assert needed(f"{method}(generator=cifair10)", dataset) == shared


@pytest.mark.parametrize(
    "change",
    [
        *("images=3", "noise=0.5", "segmentation=augmented", "segment_scale=30", "generator_size=96", "width=5"),
        *("blocks=6", "mixing_point=0.25", "decoder_blocks=bypassed", "strides=(2,2,2,2)", "weight_decay=0.0005"),
        *("d_fakes=fresh", "reconstruction=sum", "epochs=3", "batch_size=9", "images_per_class=5", "learning_rate=0.1"),
    ],
)
def test_every_parameter_of_a_generator_makes_another_one(change):
    assert needed(f"hydramix({change})") != needed("hydramix")


def test_masks_make_other_generators():
    texts = [*TRAINED, "chimeramix-seg(mask_rule=bernoulli)", "chimeramix-seg(mask_of=0)"]
    texts += ["chimeramix-grid(mask_size=2)", "chimeramix-grid(shifted=false)"]
    assert len({needed(text) for text in texts}) == len(texts)


def test_a_foreign_generator_is_the_one_of_its_own_dataset():
    spent = {**TINY["generator"], "epochs": 7}
    budgets = {**TINY, "generator@stl10": spent}
    assert needed("hydramix(generator=stl10)", "cifair10", budgets) == needed("hydramix", "stl10", {"generator": spent})
    assert needed("hydramix(generator=cifair10)", "stl10") == needed("hydramix", "cifar10")


def test_a_foreign_generator_is_applied_at_the_classifier_s_size():
    method = parse_method("hydramix(generator=stl10)").resolve(get_dataset("cifair10"), TINY)
    (artifact,) = method.needs(get_dataset("cifair10"), 5, 3)
    assert method.parameters()["generator_size"] == 64 and method.parameters()["segment_scale"] == 60
    assert artifact.recipe.size == 96 and artifact.recipe.segments.scale == 400
    assert (artifact.dataset.name, artifact.samples_per_class, artifact.seed) == ("stl10", 5, 3)


def test_an_unknown_foreign_dataset_is_refused():
    with pytest.raises(BadInput, match="unknown dataset"):
        resolved("hydramix(generator=stl1o)")


@pytest.mark.parametrize("method", TWINS + TRAINED)
def test_nothing_is_left_open_after_resolving(method):
    values = resolved(method).parameters()
    assert {name for name, value in values.items() if value is None} <= {"generator"}
    again = parse_method(format_method(resolved(method)))
    assert again == resolved(method)
    json.dumps(values)


def test_a_generator_never_sees_a_test_image(monkeypatch):
    dataset = get_dataset("digits")
    monkeypatch.setattr(type(dataset), "test", lambda self: pytest.fail("the test set was read"))
    task, method = digits(), resolved("hydramix(generator_size=32)")
    (artifact,) = method.needs(dataset, 2, 0)
    building = artifact.recipe.start(task, ())
    building.advance()
    known = {image.numpy().tobytes() for image in task.images}
    assert {image.numpy().tobytes() for image in building.batches.images} == known
    method.prepare(task, (artifact.recipe.load(building.tensors(), task.device),)).maps(task)


def rule_of(text: str) -> dict[str, object]:
    (artifact,) = resolved(text).needs(get_dataset("digits"), 2, 0)
    return artifact.identity["recipe"]["parameters"]["mask"]


def test_only_generators_of_several_partners_are_other_ones_than_before():
    assert rule_of("hydramix") == {"kind": "hydra", "images": 4, "version": 2}
    assert rule_of("hydramix(images=2)") == {"kind": "hydra", "images": 2}
    assert rule_of("chimeramix-seg") == {"kind": "pair", "rule": "range", "of": 1}
    versions = {name: resolved(name).version for name in TWINS + TRAINED}
    assert versions == {**dict.fromkeys(TWINS + TRAINED, 1), "nmix": 2, "hydramix": 2}


# --- keys


GOLDEN = {
    "gridmix": {"p_gen": 0.5, "generator_size": None, "mask_size": 4, "shifted": True},
    "segmix": {
        "p_gen": 0.5,
        "generator_size": None,
        "segmentation": "augmented",
        "segment_scale": None,
        "mask_rule": "range",
        "mask_of": 1,
    },
    "nmix": {
        "p_gen": 0.5,
        "generator_size": None,
        "segmentation": "precomputed",
        "segment_scale": None,
        "images": 4,
        "noise": 0.0,
    },
}
TRAINING = {
    "generator": None,
    "width": None,
    "epochs": None,
    "batch_size": None,
    "images_per_class": None,
    "learning_rate": None,
    "blocks": 4,
    "mixing_point": 0.5,
    "decoder_blocks": "bypassed",
    "strides": (2, 2, 2, 2),
    "weight_decay": 0.0,
    "d_fakes": "reuse",
    "reconstruction": "sum",
}
GOLDEN["chimeramix-grid"] = GOLDEN["gridmix"] | TRAINING
GOLDEN["chimeramix-seg"] = GOLDEN["segmix"] | TRAINING
GOLDEN["hydramix"] = (
    GOLDEN["nmix"] | TRAINING | {"decoder_blocks": "active", "strides": (1, 2, 2, 2), "reconstruction": "mean"}
)


@pytest.mark.parametrize("method", GOLDEN)
def test_parameters_and_defaults_are_those_of_the_records(method):
    """A change here changes the key of every record: a field added later is marked AsBefore."""
    cls = registry.get(method)
    assert hashed_fields(cls, {field.name: field.default for field in fields(cls)}) == GOLDEN[method]
    assert MISSING not in GOLDEN[method].values()


def test_a_composer_is_named_as_its_method():
    composer = prepared("hydramix", digits())
    assert isinstance(composer, Composer)
    assert (composer.name, composer.label) == ("hydramix", "HydraMix")
    assert np.isfinite(composer.compose(views(digits(), composer, 4), torch.Generator()).images.numpy()).all()
