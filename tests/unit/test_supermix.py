"""SuperMix: masks against a slow optimisation in numpy, the mixed set, bits that survive a stop, the method."""

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark.protocol import resolve_budgets, resolve_protocol
from benchmark.teacher import artifacts_of
from benchmark.training.batches import Batches
from benchmark.training.seeding import Streams
from datasets.base import get_dataset
from datasets.batches import normalise, to_unit
from methods.base import Method
from methods.compose import Composition
from methods.mixtures.building import MixedSet, MixedSetBuilding
from methods.mixtures.masks import blend, blur, descend, divergence, indecision, raise_masks, reached
from methods.mixtures.recipe import MixedSetRecipe
from methods.registry import parse_method
from methods.task import Task
from tasks import digits

pytestmark = pytest.mark.usefixtures("one_thread")


def linear_teacher(task: Task, gain: float = 12) -> nn.Module:
    """Knows a class by how much an image is like the mean of its images."""
    pixels = normalise(to_unit(task.images)).flatten(1)
    means = torch.stack([pixels[task.labels == label].mean(0) for label in range(task.num_classes)])
    means = means - means.mean(0)
    linear = nn.Linear(pixels.shape[1], task.num_classes)
    linear.weight.data = means * gain / means.square().sum(1, keepdim=True)
    linear.bias.data = -(linear.weight @ pixels.mean(0)).detach()
    return nn.Sequential(nn.Flatten(), linear).eval().requires_grad_(False)


def recipe(text: str = "supermix", **changes: object) -> MixedSetRecipe:
    dataset = get_dataset("digits")
    method = parse_method(text).resolve(dataset, {"mixed-set": {"max_iter": 50, "per_image": 2}})
    (artifact,) = artifacts_of(method, dataset, 2, 0, resolve_protocol("demo", dataset, {}))
    return replace(artifact.recipe, **({"batch_size": 8} | changes))  # type: ignore[return-value]


def building(task: Task | None = None, **changes: object) -> MixedSetBuilding:
    task = task or digits()
    return MixedSetBuilding(recipe(**changes), task, linear_teacher(task))


def finished(work: MixedSetBuilding) -> MixedSetBuilding:
    while work.step < work.steps:
        work.advance()
    return work


# --- masks, against numpy


def slow_raise(cells: np.ndarray, size: int) -> np.ndarray:
    """One w×w map at size×size, bilinear, by the distance of pixel centres to cell centres."""
    width, raised = len(cells), np.zeros((size, size))
    for y in range(size):
        for x in range(size):
            for row in range(width):
                for column in range(width):
                    at = [min(max((p + 0.5) * width / size - 0.5, 0), width - 1) for p in (y, x)]
                    near = max(0, 1 - abs(at[0] - row)) * max(0, 1 - abs(at[1] - column))
                    raised[y, x] += near * cells[row, column]
    return raised


def slow_masks(logits: np.ndarray, size: int) -> np.ndarray:
    raised = 1 / (1 + np.exp(-np.stack([slow_raise(cells, size) for cells in logits])))
    return raised / raised.sum(0)


def slow_loss(logits: np.ndarray, images: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    """FIDELITY section 12 for one sample: images K×3×H×W, a teacher of scores weight @ pixels."""
    masks = slow_masks(logits, images.shape[-1])
    scores = weight @ sum(mask * image for mask, image in zip(masks, images, strict=True)).flatten()
    chances = np.exp(scores) / np.exp(scores).sum()
    apart = sum(t * math.log(t / p) for t, p in zip(target, chances, strict=True) if t)
    return apart + 25 * np.abs(masks * (masks - 1)).mean()


def slow_blur(gradient: np.ndarray) -> np.ndarray:
    taps = np.exp(-(np.arange(-2, 3) ** 2) / 2)
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    padded, blurred = np.pad(gradient, ((0, 0), (2, 2), (2, 2))), np.zeros_like(gradient)
    for k, y, x in np.ndindex(gradient.shape):
        blurred[k, y, x] = (padded[k, y : y + 5, x : x + 5] * kernel).sum()
    return blurred


def slow_step(logits: np.ndarray, *problem: np.ndarray) -> np.ndarray:
    gradient, small = np.zeros_like(logits), 1e-4
    for place in np.ndindex(logits.shape):
        moved = np.zeros_like(logits)
        moved[place] = small
        gradient[place] = (slow_loss(logits + moved, *problem) - slow_loss(logits - moved, *problem)) / (2 * small)
    blurred = slow_blur(gradient)
    length = slow_loss(logits, *problem) / (gradient * blurred).sum()
    return logits - np.clip(length, 1e-4, 2000) * blurred


def test_masks_are_raised_as_the_slow_ones():
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    masks = raise_masks(logits, 10)
    expected = np.stack([slow_masks(one.numpy(), 10) for one in logits.double()])
    np.testing.assert_allclose(masks, expected, atol=1e-6)
    torch.testing.assert_close(masks.sum(1), torch.ones(2, 10, 10))


def test_the_blur_is_the_slow_one():
    gradients = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = np.stack([slow_blur(one) for one in gradients.numpy()])
    np.testing.assert_allclose(blur(gradients, 1.0), expected, atol=1e-6)


def small_problem() -> tuple[Task, nn.Module, Tensor]:
    """A digit of each class at 8×8 pixels, and a linear teacher that knows them."""
    task = digits(1)
    task = replace(task, images=task.images[:, 2::4, 2::4].contiguous())
    teacher = linear_teacher(task, gain=3)
    teacher[1].bias.data.zero_()
    return task, teacher, teacher[1].weight


def test_the_step_is_the_shortest_where_blurring_turns_the_gradient_round():
    # stripes of two cells, which a wide blur of five taps reverses
    gradients = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(2).expand(1, 1, 8, 8)
    slope = float((gradients * blur(gradients, 5.0)).sum())
    moved = descend(torch.zeros(1, 1, 8, 8), gradients, torch.ones(1), 5.0)
    assert slope < 0
    torch.testing.assert_close(moved, -1e-4 * blur(gradients, 5.0))


def test_a_batch_s_masks_move_as_the_slow_ones_until_they_are_done():
    task, teacher, weight = small_problem()
    work = MixedSetBuilding(recipe(cells=3, tolerance=0.0, per_image=1), task, teacher)
    images, pull = normalise(to_unit(task.images)).double().numpy(), weight.double().numpy()
    logits = np.zeros((8, 2, 3, 3))
    for _ in range(3):
        work.advance()
        search = work.search
        for sample in search.tried.tolist():
            target = search.targets[sample].double().numpy()
            logits[sample] = slow_step(logits[sample], images[search.sources[sample]], target, pull)
        np.testing.assert_allclose(search.logits, logits, rtol=2e-3, atol=2e-3)
    assert search.updates == 3 and 0 < len(search.tried) < 8


def test_the_terms_of_the_loss_are_those_of_fidelity():
    targets, scores = torch.tensor([[0.25, 0.75, 0.0]]), torch.tensor([[0.3, -1.0, 2.0]])
    chances = scores.softmax(1)[0]
    expected = 0.25 * math.log(0.25 / chances[0]) + 0.75 * math.log(0.75 / chances[1])
    assert float(divergence(targets, scores)) == pytest.approx(expected, rel=1e-5)
    halves, sharp = torch.full((1, 2, 4, 4), 0.5), torch.eye(2)[None, :, :, None].expand(-1, -1, -1, 4)
    assert float(indecision(halves)) == 0.25
    assert float(indecision(sharp)) == 0


def test_a_target_is_reached_when_its_classes_come_first():
    scores = torch.tensor([[3.0, 2.0, 1.0, 0.0]]).expand(4, -1)
    wanted = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]).bool()
    assert reached(scores, wanted).tolist() == [True, False, True, False]


# --- the mixed set


def test_a_batch_pairs_different_images_and_wants_the_classes_that_the_teacher_sees():
    work = building()
    work.advance()
    search = work.search
    assert search.sources.shape == (8, 2)
    assert (search.sources[:, 0] != search.sources[:, 1]).all()
    assert torch.equal(search.sources[:, 1], search.sources[:, 0].roll(-1))
    torch.testing.assert_close(search.targets.sum(1), torch.ones(8))
    for targets, sources in zip(search.targets, search.sources, strict=True):
        assert set(targets.nonzero().flatten().tolist()) == set(work.classes[sources].tolist())


def test_weights_are_dirichlet():
    work = building(digits(4), batch_size=40)
    first = torch.cat([work._begin().targets for _ in range(50)])
    mixed = first[first.gt(0).sum(1) == 2].max(1).values
    lesser = torch.cat([mixed, 1 - mixed])  # Beta(3, 3) has variance 1/28
    assert float(lesser.var()) == pytest.approx(1 / 28, rel=0.1)


def test_a_mixed_set_is_what_its_masks_and_its_teacher_say():
    work = finished(building())
    made = work.recipe.load(work.tensors(), torch.device("cpu"))
    assert [tuple(part.shape) for part in made] == [(40, 32, 32, 3), (40,), (40, 2), (40, 2, 8, 8)]
    mixed = blend(work.images[made.sources], raise_masks(made.logits.float(), 32))
    again = normalise(to_unit(made.images))
    torch.testing.assert_close(mixed, again, atol=0.02, rtol=0)
    assert torch.equal(work.teacher(mixed).argmax(1), made.labels)
    assert (made.labels[:, None] == work.classes[made.sources]).any(1).all()
    assert made.logits.flatten(1).abs().amax(1).min() > 0  # every mask has moved
    assert work.history.lines[-1]["step"] == 40
    assert {"divergence", "indecision", "updates"} < set(work.history.lines[-1])


def test_a_smaller_tolerance_looks_longer():
    updates = [finished(building(tolerance=share)).history.lines for share in (0.7, 0.0)]
    mean = [np.mean([line["updates"] for line in lines]) for lines in updates]
    assert mean[0] < mean[1]


@pytest.mark.parametrize("stop", [1, 2, 5, 9])
def test_a_restored_building_goes_on_with_the_same_bits(stop):
    whole = finished(building(tolerance=0.2))
    part, resumed = building(tolerance=0.2), building(tolerance=0.2)
    for _ in range(stop):
        part.advance()
    resumed.restore(part.state())
    finished(resumed)
    first, second = whole.tensors(), resumed.tensors()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert whole.history.state()["lines"] == resumed.history.state()["lines"]


def rarely(count: int):
    """Instead of `reached`: true for the first samples of a batch."""
    return lambda scores, wanted: torch.arange(len(scores)) < count


def test_a_set_that_stays_too_small_says_so(monkeypatch):
    monkeypatch.setattr("methods.mixtures.building.reached", rarely(1))
    work = building(per_image=20, max_updates=1)  # at most 1000 batches for 400 images
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finished(work)
    monkeypatch.setattr("methods.mixtures.building._PATIENCE", 1)
    with pytest.warns(UserWarning, match="only 50 of 400 mixed images came to an end in 50 batches"):
        short = finished(building(per_image=20, max_updates=1))
    assert short.steps == 50 and short.history.lines[-1]["step"] == 50
    with pytest.warns(UserWarning, match="the mixed set has only 50 images"):
        parse_method("supermix(per_image=20)").prepare(digits(), (MixedSet(**short.tensors()),))


def test_a_set_smaller_than_the_subset_is_a_failure(monkeypatch):
    monkeypatch.setattr("methods.mixtures.building.reached", rarely(0))
    with pytest.raises(RuntimeError, match="only 0 of 40 mixed images came to an end in 100 batches: the teacher"):
        finished(building(max_updates=1))


def test_pictures_show_sources_masks_and_the_mixture_with_its_label():
    work = finished(building())
    made = work.recipe.load(work.tensors(), torch.device("cpu"))
    rows = work.recipe.picture(made, digits())
    assert len(rows) == 6 and {len(row) for row in rows} == {4}
    assert all(row[2].caption == "masks" and row[3].caption.startswith("label: ") for row in rows)
    assert all(row[3].caption[7:] in (row[0].caption, row[1].caption) for row in rows)
    assert all(tile.image.shape == (32, 32, 3) and tile.image.dtype == np.uint8 for row in rows for tile in row)


# --- the method


def mixed_set() -> MixedSet:
    """Thirty images of one grey each, by which they are told apart."""
    images = torch.arange(30).byte()[:, None, None, None].expand(-1, 32, 32, 3).contiguous()
    return MixedSet(images, torch.arange(30) % 10, torch.zeros(30, 2), torch.zeros(30, 2, 8, 8))


def batches(method: Method, task: Task) -> Batches:
    protocol = resolve_protocol("demo", get_dataset("digits"), {"network": "wrn-10-1", "epochs": 1})
    return Batches(task, method, protocol, Streams(0))


def prepared(text: str, task: Task) -> Method:
    return parse_method(f"{text[:-1]}, per_image=1)").prepare(task, (mixed_set(),))


def greys(images: Tensor) -> Tensor:
    """Which images of the mixed set a batch holds."""
    assert (images == images[:, :1, :1, :1]).all()
    return ((images[:, 0, 0, 0] + 1) * 127.5).round().long()


def recipe_of(text: str, name: str) -> MixedSetRecipe:
    """What a method asks for at the paper preset."""
    dataset = get_dataset(name)
    method = parse_method(text).resolve(dataset, resolve_budgets("paper", dataset))
    (artifact,) = artifacts_of(method, dataset, 5, 0, resolve_protocol("paper", dataset, {}))
    return artifact.recipe  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["cifair100", "stl10"])
def test_the_paper_preset_is_that_of_fidelity(name):
    assert parse_method("supermix").p_gen == 0.5
    searched = {"sources": 2, "alpha": 3.0, "cells": 8, "sigma": 1.0, "sparsity": 25.0, "max_updates": 50}
    made = recipe_of("supermix", name)
    assert made == MixedSetRecipe(made.teacher, **searched, tolerance=0.7, batch_size=100, per_image=10)


def test_every_parameter_reaches_the_search():
    text = "images=3, alpha=1, mask_size=4, blur=2, sparsity=5, max_iter=7, tolerance=0.1, batch_size=9, per_image=6"
    made = recipe_of(f"supermix({text})", "cifair100")
    assert made == MixedSetRecipe(made.teacher, 3, 1.0, 4, 2.0, 5.0, 7, 0.1, 9, 6)


def test_at_p_gen_0_it_is_the_baseline_and_needs_nothing():
    task, dataset = digits(), get_dataset("digits")
    method = parse_method("supermix(p_gen=0)")
    assert artifacts_of(method, dataset, 2, 0, resolve_protocol("demo", dataset, {})) == ()
    plain, same = batches(parse_method("baseline"), task), batches(method.prepare(task, ()), task)
    assert all(torch.equal(plain.next(1).images, same.next(1).images) for _ in range(5))


def test_at_p_gen_1_every_batch_is_of_the_mixed_set_with_its_labels():
    task = digits()
    mixed, seen = batches(prepared("supermix(p_gen=1)", task), task), []
    for _ in range(40):
        batch = mixed.next(1)
        which = greys(batch.images)
        assert torch.equal(batch.targets.argmax(1), which % 10)
        seen += which.tolist()
    assert set(seen) == set(range(30))


def test_real_batches_are_the_baseline_s():
    task = digits()
    plain, half = batches(parse_method("baseline"), task), batches(prepared("supermix(p_gen=0.5)", task), task)
    same = [torch.equal(plain.next(1).images, half.next(1).images) for _ in range(100)]
    assert 30 < sum(same) < 70


@dataclass(frozen=True)
class Negative(Method):
    """Turns every image into its negative before the crop."""

    def transform(self, images, rng):
        return 255 - images


def test_images_of_the_mixed_set_go_through_the_run_s_augmentation():
    task = digits()
    method = Composition(prepared("supermix(p_gen=1)", task), Negative())
    batch = batches(method, task).next(1)
    assert torch.equal(batch.targets.argmax(1), (255 - greys(batch.images)) % 10)
