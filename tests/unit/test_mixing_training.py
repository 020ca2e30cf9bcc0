"""Generators: losses as both papers have them, learning, bits that survive a stop, and pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from benchmark.protocol import resolve_budgets
from benchmark.training.device import resolve_precision
from datasets.base import DataMissing, get_dataset
from datasets.batches import normalise, to_bytes, to_unit
from datasets.registry import BadInput
from methods.mixing.losses import laplacian_loss
from methods.mixing.masks import mix_features
from methods.mixing.networks import Generator
from methods.mixing.recipe import GeneratorRecipe
from methods.mixing.rules import GridRule, HydraRule, PairRule, Rule
from methods.mixing.segments import Segmentation, segment_batch
from methods.mixing.sources import SourceBatches, Sources, resize
from methods.mixing.training import Adversaries, GeneratorTraining
from methods.registry import parse_method
from methods.task import Task
from tasks import digits, subset_of
from trainings import advanced, assert_same, recipe

AUGMENTED = "chimeramix-seg(generator_size=32)"

pytestmark = pytest.mark.usefixtures("one_thread")


# --- the two papers' losses


PAIR = "hydramix(generator_size=32, images=2, decoder_blocks=bypassed, strides=(2,2,2,2), segmentation=augmented)"


@pytest.fixture
def pair() -> tuple[Adversaries, Adversaries, Sources]:
    """ChimeraMix and HydraMix of two images with the same weights, and a batch with a mask for both."""
    task = digits()
    chimera, hydra = (Adversaries(recipe(method), task) for method in (AUGMENTED, PAIR))
    hydra.restore(chimera.state())
    sources = SourceBatches(recipe(AUGMENTED), task).next(1)
    return chimera, hydra, sources


def test_hydramix_of_two_images_is_chimeramix(pair):
    chimera, hydra, sources = pair
    (first, mixed), (second, other) = (networks.generator_losses(sources) for networks in (chimera, hydra))
    torch.testing.assert_close(mixed, other, atol=1e-5, rtol=0)
    torch.testing.assert_close(first["reconstruction"], 2 * second["reconstruction"], atol=1e-5, rtol=0)
    for name in ("perceptual", "adversarial"):
        torch.testing.assert_close(first[name], second[name], atol=1e-5, rtol=0)
    judged = [networks.discriminator_losses(sources, mixed) for networks in (chimera, hydra)]
    torch.testing.assert_close(*judged, atol=1e-5, rtol=0)


def test_the_generator_s_loss_is_that_of_fidelity(pair):
    networks, _, sources = pair
    losses, mixed = networks.generator_losses(sources)
    generator, (a, b) = networks.generator, sources.images
    features = [generator.encode(image) for image in (a, b)]
    alone = [generator.decode(feature) for feature in features]
    mask = sources.masks[0][:, None].float()
    composed = generator.decode(features[0] * (1 - mask) + features[1] * mask)
    torch.testing.assert_close(mixed, composed, atol=1e-5, rtol=0)
    reconstruction = sum(functional.mse_loss(image, of) for image, of in zip(alone, (a, b), strict=True))
    perceptual = sum(laplacian_loss(image, of) for image, of in zip(alone, (a, b), strict=True))
    adversarial = (networks.discriminator(composed) - 1).square().mean()
    torch.testing.assert_close(networks.total(losses), 1000 * reconstruction + perceptual + adversarial)


def test_hydramix_compares_two_of_its_images():
    batches = SourceBatches(recipe(), digits())
    compared = [tuple(batches.next(1).compared) for _ in range(60)]
    assert {len(set(pair)) for pair in compared} == {2}
    assert len(set(compared)) == 6  # all pairs of four
    assert {batches.next(1).real for _ in range(60)} == {0, 1, 2, 3}


@pytest.mark.parametrize("d_fakes", ["reuse", "fresh"])
def test_the_discriminator_judges_the_step_s_fakes_or_fresh_ones(d_fakes, monkeypatch):
    made, judged = recipe(d_fakes=d_fakes), []
    networks, sources = Adversaries(made, digits()), SourceBatches(made, digits()).next(1)
    losses = networks.discriminator_losses
    monkeypatch.setattr(networks, "discriminator_losses", lambda of, fakes: judged.append(fakes) or losses(of, fakes))
    own = networks.generator_losses(sources)[1].detach()
    networks.update(sources, 1e-2)
    expected = own
    if d_fakes == "fresh":
        assert not torch.equal(*sources.masks)
        features = [networks.generator.encode(image) for image in sources.images]
        expected = networks.generator.decode(mix_features(features, sources.masks[1])).detach()
        assert (expected - own).abs().max() > 0.1
    assert (len(judged), len(sources.masks)) == (1, 2 if d_fakes == "fresh" else 1)
    torch.testing.assert_close(judged[0], expected, atol=1e-5, rtol=0)
    assert not judged[0].requires_grad


def test_both_networks_learn_by_adam_with_the_published_betas():
    state = Adversaries(recipe(), digits()).state()
    for name in ("generator_optimiser", "discriminator_optimiser"):
        assert [group["betas"] for group in state[name]["param_groups"]] == [(0.5, 0.999)]


SEGMENTED = {  # of the three methods: the mask's rule, and how images of 32 and of 96 pixels are segmented
    "chimeramix-grid": (GridRule(4, shifted=True), lambda scale: None),
    "chimeramix-seg": (PairRule("range", of=1), lambda scale: Segmentation("augmented", scale, 0.0)),
    "hydramix": (HydraRule(4), lambda scale: Segmentation("precomputed", scale, 0.0)),
}


@pytest.mark.parametrize(
    ("name", "size", "scale", "batch", "repeated_to"),
    [("cifair10", 64, 60, 64, 500), ("cifair100", 64, 60, 64, 500), ("stl10", 96, 400, 8, 30)],
)
@pytest.mark.parametrize("method", SEGMENTED)
def test_the_paper_preset_is_that_of_fidelity(method, name, size, scale, batch, repeated_to):
    dataset = get_dataset(name)
    resolved = parse_method(method).resolve(dataset, resolve_budgets("paper", dataset))
    hydra, (rule, segments) = method == "hydramix", SEGMENTED[method]
    assert (resolved.p_gen, resolved.generator_size, resolved.generator) == (0.5, size, None)
    assert resolved.recipe(dataset, dataset) == GeneratorRecipe(
        size=size,
        width=64,
        encoder_blocks=2,
        decoder_blocks=2,
        active=hydra,
        strides=(1 if hydra else 2, 2, 2, 2),
        epochs=200,
        batch_size=batch,
        images_per_class=repeated_to,
        learning_rate=2e-4,
        weight_decay=0.0,
        d_fakes="reuse",  # of all fields the only one that is not the code's, to save an encoding per batch
        reconstruction="mean" if hydra else "sum",
        mask=rule,
        segments=segments(scale),
    )


# --- sources


@pytest.mark.parametrize("method", ["chimeramix-grid(generator_size=32)", AUGMENTED, "hydramix(generator_size=32)"])
def test_sources_share_a_class_and_a_mask_names_one_of_them(method):
    plain = replace(digits(), images=digits().labels.byte()[:, None, None, None].expand(-1, 32, 32, 3).contiguous())
    sources = SourceBatches(recipe(method), plain).next(1)
    n, count = sources.images.shape[:2]
    assert (n, count) == (4 if method.startswith("hydra") else 2, 8)
    assert torch.equal(sources.images, sources.images[:1].expand_as(sources.images))
    (mask,) = sources.masks
    assert mask.shape == (8, 8, 8) and set(mask.unique().tolist()) <= set(range(n))


@pytest.fixture
def segmentations(monkeypatch) -> list[Tensor]:
    """The segmentations of which masks are drawn in the test."""
    seen: list[Tensor] = []

    def record(rule: type[Rule]) -> None:
        draw = rule.draw
        monkeypatch.setattr(rule, "draw", lambda self, *given: seen.append(given[2]) or draw(self, *given))

    record(PairRule)
    record(HydraRule)
    return seen


@pytest.mark.parametrize("method", ["hydramix", "chimeramix-seg"])
def test_precomputed_segmentations_follow_crop_and_flip(method, monkeypatch, segmentations):
    """Every pixel's colour is its row, its column and its image's number; so is its segment's id."""

    def ids(images: Tensor) -> Tensor:
        return (images.short() * torch.tensor([32, 1, 1024], dtype=torch.int16)).sum(-1, dtype=torch.int16)

    line, numbers = torch.arange(32).byte(), torch.arange(20).byte()
    images = torch.stack(torch.broadcast_tensors(line[:, None], line, numbers[:, None, None]), dim=-1).contiguous()
    monkeypatch.setattr(Segmentation, "precompute", lambda self, images, rng: ids(images))
    numbered = replace(digits(), images=images)
    made = recipe(f"{method}(generator_size=32, segmentation=precomputed)")
    sources = SourceBatches(made, numbered).next(1)
    expected = ids(to_bytes(sources.images[list(made.mask.segmented)]))
    assert torch.equal(segmentations[0].transpose(0, 1), expected)


def test_segmentations_of_augmented_images_are_of_the_views(segmentations):
    sources = SourceBatches(recipe(AUGMENTED), digits()).next(1)
    assert torch.equal(segmentations[0][:, 0], segment_batch(sources.images[1].permute(0, 2, 3, 1), 60))


def test_an_epoch_repeats_the_images_and_keeps_its_last_batch():
    batches = SourceBatches(recipe(batch_size=16), digits())  # 20 images twice
    assert recipe(batch_size=16, epochs=1).steps(2, 10) == 3
    assert [batches.next(1).images.shape[1] for _ in range(6)] == [16, 16, 8] * 2


@pytest.mark.parametrize("size", [64, 32, 24])
def test_images_are_resized_as_pil_does(size):
    images = digits().images[:5]
    expected = [Image.fromarray(image.numpy()).resize((size, size), Image.Resampling.BILINEAR) for image in images]
    found = resize(images, size).numpy().astype(int)
    assert np.abs(found - np.stack([np.asarray(image) for image in expected]).astype(int)).max() <= 1


def test_noise_replaces_segmentations_by_those_of_other_images():
    task = digits()
    clean = recipe().segments.precompute(task.images, task.stream("noise"))
    for noise, low, high in [(0.0, 0, 0), (0.5, 4, 16), (1.0, 20, 20)]:
        maps = replace(recipe().segments, noise=noise).precompute(task.images, task.stream("noise"))
        replaced = [not torch.equal(one, other) for one, other in zip(maps, clean, strict=True)]
        assert low <= sum(replaced) <= high
        known = {tuple(one.flatten().tolist()) for one in clean}
        assert all(tuple(one.flatten().tolist()) in known for one in maps)


def test_native_segmentations_are_of_the_images_as_they_are_in_both_stages():
    task = digits()
    coarse, fine = recipe("hydramix(segment_size=native, generator_size=64)"), recipe("hydramix(generator_size=64)")
    native = fine.segments.precompute(task.images, task.stream("segmentation noise"))
    enlarged = SourceBatches(coarse, task)._maps
    assert torch.equal(enlarged, native.repeat_interleave(2, 1).repeat_interleave(2, 2))
    assert not torch.equal(enlarged, SourceBatches(fine, task)._maps)
    assert coarse.identity != fine.identity
    assert "native" not in fine.identity["parameters"]["segments"]
    assert coarse.title == "hydramix generator (segment_size=native)"
    with pytest.raises(BadInput, match="needs segmentation=precomputed"):
        recipe("hydramix(segment_size=native, segmentation=augmented)")


def test_pictures_show_the_segmentations_that_the_training_sees():
    task, generator = digits(), Generator(active=True, width=4).eval()
    rows = {
        size: recipe(f"hydramix(segment_size={size}, generator_size=64, images=2)").picture(generator, task)[0]
        for size in ("native", "stage")
    }
    native, stage = ([tile.image for tile in row if tile.caption.startswith("segments")] for row in rows.values())
    assert len(native) == len(stage) == 2 and {image.shape for image in native + stage} == {(64, 64, 3)}
    assert all(np.array_equal(image, image[::2, ::2].repeat(2, 0).repeat(2, 1)) for image in native)
    assert not all(np.array_equal(image, image[::2, ::2].repeat(2, 0).repeat(2, 1)) for image in stage)


# --- learning


def ten_images() -> Task:
    """Five images of each of two classes: deer and horses of CIFAR-10 where it is there, else fours and sevens."""
    try:
        task = subset_of("cifar10", 5)
    except DataMissing:
        task = digits(5)
    kept = (task.labels == 4) | (task.labels == 7)
    labels = (task.labels[kept] == 7).long()
    return replace(task, images=task.images[kept], labels=labels, num_classes=2, class_names=("4", "7"))


def missed(images: Tensor, drawn: Tensor) -> float:
    """The mean squared error, per image."""
    return float((images - drawn).square().mean())


@pytest.mark.parametrize("method", ["chimeramix-grid", "hydramix"])
def test_ten_images_are_learnt(method):
    task = ten_images()
    made = recipe(f"{method}(generator_size=32)", width=16, batch_size=5, epochs=60, learning_rate=3e-3)
    training = GeneratorTraining(made, task)
    advanced(training, training.steps)
    generator, images = training.networks.generator, normalise(to_unit(task.images))
    bound = 0.05  # deer and horses: 0.179 by their mean colours, 0.067 by thumbnails of 4×4, 0.04 by generators
    assert missed(images, images.mean((2, 3), keepdim=True)) > 3 * bound
    thumbnails = functional.adaptive_avg_pool2d(images, 4)
    assert missed(images, functional.interpolate(thumbnails, 32, mode="bilinear")) > 1.2 * bound
    with torch.no_grad():
        assert missed(images, generator.decode(generator.encode(images))) < bound
    first, last = training.history.lines[0], training.history.lines[-1]
    assert last["perceptual"] < first["perceptual"]


def test_the_learning_rate_falls_at_60_120_and_160_of_200_epochs():
    training = GeneratorTraining(recipe(epochs=200, batch_size=16, learning_rate=2e-4), digits())
    assert training.steps == 600
    rates = []
    for step in range(600):
        training.step = step
        rates.append(training.learning_rate())
    changes = [step for step in range(1, 600) if rates[step] != rates[step - 1]]
    assert changes == [180, 360, 480]
    assert sorted(set(rates)) == pytest.approx([1.6e-6, 8e-6, 4e-5, 2e-4])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("d_fakes", ["reuse", "fresh"])
def test_both_kinds_of_fakes_train(d_fakes, precision):
    if precision == "bf16" and resolve_precision("auto", torch.device("cpu")) != "bf16":
        pytest.skip("this CPU has no bf16, and torch no gradient of all such convolutions on it")
    training = advanced(GeneratorTraining(recipe(d_fakes=d_fakes), digits(precision=precision)), 2)
    assert all(np.isfinite(value) for value in training.history.last().values())
    assert list(training.history.last()) == ["reconstruction", "perceptual", "adversarial", "discriminator"]


def test_a_step_moves_both_networks_and_not_the_global_stream():
    before = torch.get_rng_state()
    training = GeneratorTraining(recipe(), digits())
    start = {name: value.clone() for name, value in training.networks.discriminator.state_dict().items()}
    weights = {name: value.clone() for name, value in training.tensors().items()}
    advanced(training, 1)
    assert all(not torch.equal(value, weights[name]) for name, value in training.tensors().items() if "weight" in name)
    moved = training.networks.discriminator.state_dict()
    assert all(not torch.equal(value, start[name]) for name, value in moved.items() if "weight" in name)
    assert torch.equal(before, torch.get_rng_state())


def test_bypassed_blocks_stay_as_they_were():
    training = GeneratorTraining(recipe(AUGMENTED, weight_decay=0.1), digits())
    start = {name: value.clone() for name, value in training.tensors().items()}
    after = advanced(training, 2).tensors()
    kept = {name for name in after if torch.equal(after[name], start[name])}
    assert {name for name in after if name.startswith("decoder.blocks")} <= kept


# --- the artifact


def test_what_is_kept_loads_as_a_frozen_generator():
    made = recipe()
    tensors = advanced(GeneratorTraining(made, digits()), 1).tensors()
    assert all(value.is_contiguous() and value.device.type == "cpu" for value in tensors.values())
    before = torch.get_rng_state()
    generator = made.load(tensors, torch.device("cpu"))
    assert torch.equal(before, torch.get_rng_state())
    assert not generator.training and not any(p.requires_grad for p in generator.parameters())
    assert_same(generator.state_dict(), tensors)
    with pytest.raises(RuntimeError):
        replace(made, width=8).load(tensors, torch.device("cpu"))
    with pytest.raises(RuntimeError):
        made.load({}, torch.device("cpu"))


def test_images_and_flops_are_those_of_the_published_setting():
    published = recipe("chimeramix-seg", width=64, epochs=200, batch_size=64, images_per_class=500)
    assert published.images(5, 10) == 200 * 5000 * 2
    work = published.work(5, 10)
    assert work.flops / (200 * 5000) == pytest.approx(13.1e9, rel=0.03)  # a pair
    assert work.seconds == pytest.approx(200 * 79 * 64 * 64**2 * 5e-7)  # a partner of each is segmented


def test_pictures_show_sources_segments_mask_and_composition():
    made, task = recipe("hydramix(generator_size=32, images=3)"), digits()
    generator = Generator(active=True, width=4).eval()
    rows = made.picture(generator, task)
    assert len(rows) == 6 and len({row[0].caption for row in rows}) == 6
    captions = [tile.caption for tile in rows[0]]
    assert [caption.split()[-1] for caption in captions] == ["1", "2", "3"] * 2 + ["mask", "mixed"] * 3
    assert all(tile.image.shape == (32, 32, 3) and tile.image.dtype == np.uint8 for row in rows for tile in row)
    again = made.picture(generator, task)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(rows[5], again[5], strict=True))
    assert len(recipe("chimeramix-grid(generator_size=32)").picture(generator, task)[0]) == 8
