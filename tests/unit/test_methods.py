"""Each method against a slow, direct reading of docs/fidelity.md; and the text of methods both ways."""

import math
import re
from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np
import pytest
import torch
from torch.nn import functional

from datasets.base import get_dataset
from datasets.registry import BadInput
from methods.base import Method
from methods.compose import Composition
from methods.identity import AsBefore
from methods.mixup import draw_dirichlet
from methods.registry import format_method, parse_method, register, registry
from methods.task import Batch


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 64, size: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=rng(7)) * 2 - 1


@pytest.mark.parametrize(
    "text",
    [
        "baseline",
        "cutout(length=8)",
        "autoaugment",
        "mixup(alpha=0.5)+trivialaugment",
        "mixupn(images=3, alpha=2.0)+autoaugment(policy=svhn)",
        "random-erasing(probability=0.25)",
        "hydramix+autoaugment",
    ],
)
def test_text_round_trips(text):
    method = parse_method(text)
    assert format_method(method) == text
    assert parse_method(format_method(method)) == method


def test_a_method_that_is_no_dataclass_gets_a_hint():
    class Plain(Method):
        strength: float = 0.1

    with pytest.raises(TypeError, match=r"^method 'plain': Plain needs @dataclass\(frozen=True\) below @register"):
        register("plain", label="Plain", source="a test")(Plain)
    assert "plain" not in registry.entries()


@pytest.mark.parametrize("name", sorted(registry.entries()))
def test_every_registered_method_round_trips(name):
    assert format_method(parse_method(name)) == name
    assert parse_method(f" {name.replace('-', '_')} ") == parse_method(name)


def test_baseline_behind_an_augmentation_is_the_augmentation():
    assert parse_method("baseline+autoaugment") == parse_method("autoaugment")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cutuot", "did you mean cutout"),
        ("hydramixx", "did you mean hydramix"),
        ("cutout(lenght=3)", "did you mean length"),
        ("cutout(length=0)", "greater than or equal to 1"),
        ("cutout(length=wide)", "valid integer"),
        ("mixup(alpha=inf)", "finite number"),
        ("cutout(length=8,length=9)", r"method 'cutout(length=8,length=9)': length is given twice"),
        ("mixupn(n-mix=1, n_mix=1)", "n_mix is given twice"),
        ("cutout(length=0x" + "f" * 5000 + ")", "valid integer"),
        ("cutout(length=" + "(" * 5000 + ")" * 5000 + ")", "valid integer"),
        ("cutout(length=" + "-" * 100_000 + "1)", "valid integer"),
        ("cutout(length={[]: 1})", "valid integer"),
        ("cutout(8)", "name=value"),
        ("baseline(x=1)", "no parameters"),
        ("mixup+cutout", "+autoaugment"),
        ("mixup+autoaugment+autoaugment", "one of"),
        ("mix up", "not written"),
    ],
)
def test_bad_text_says_what_to_do(text, message):
    with pytest.raises(BadInput, match=re.escape(message)):
        parse_method(text)


def test_duplicate_names_raise_and_name_both_places():
    with pytest.raises(ValueError, match=r"registered twice: .*cutout\.py:\d+, .*test_methods\.py:\d+"):

        @register("cutout", label="Another", source="nobody")
        @dataclass(frozen=True)
        class Another(Method):
            pass


def test_a_field_added_later_keeps_older_keys():
    @dataclass(frozen=True)
    class Later(Method):
        old: int = 1
        new: Annotated[int, AsBefore(0)] = 0

    Later.name = "later"
    assert Later().identity["parameters"] == {"old": 1}
    assert Later(new=2).identity["parameters"] == {"old": 1, "new": 2}


@pytest.mark.parametrize(
    ("dataset", "length"),
    [
        ("cifair10", 16),
        ("cifar10-dedup", 16),
        ("cifair100", 8),
        ("cifar100-dedup", 8),
        ("stl10-part", 24),
        ("digits", 8),
    ],
)
def test_cutout_length_follows_the_dataset(dataset, length):
    assert parse_method("cutout").resolve(get_dataset(dataset)).length == length
    assert parse_method("cutout(length=5)").resolve(get_dataset(dataset)).length == 5


def test_cutout_zeroes_one_clipped_square_per_image():
    count, size, length = 400, 32, 16
    before = torch.ones(count, 3, size, size)
    holes = parse_method(f"cutout(length={length})").augment(before, rng()) == 0
    areas = set()
    for hole in holes[:, 0].numpy():
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert hole.sum() == len(rows) * len(columns)
        for line in (rows, columns):
            assert len(line) == length or line[0] == 0 or line[-1] == size - 1
            assert length // 2 <= len(line) <= length
        areas.add(int(hole.sum()))
    assert {length * length, (length // 2) * length} & areas  # both whole and clipped squares occur
    assert (holes[:, 0] == holes[:, 2]).all()


def test_cutout_of_odd_length_has_that_length():
    holes = parse_method("cutout(length=1)").augment(torch.ones(8, 3, 32, 32), rng()) == 0
    assert holes[:, 0].sum(dim=(1, 2)).tolist() == [1] * 8


def test_random_erasing_follows_the_rule():
    """Rectangles inside the image, of the stated areas and aspects, in half of the images, filled with U(0, 1)."""
    count, size = 2000, 32
    before = torch.full((count, 3, size, size), -1.0)
    after = parse_method("random-erasing").erase(before, rng())
    touched = (after != -1).any(1)
    erased = touched.any(dim=(1, 2)).numpy()
    assert abs(erased.mean() - 0.5) < 0.05
    for hole in touched[torch.from_numpy(erased)].numpy():
        height, width = hole.any(1).sum(), hole.any(0).sum()
        assert hole.sum() == height * width
        assert height < size
        assert width < size
        assert 0.015 * size**2 < hole.sum() < 0.42 * size**2
    noise = after[after != -1]
    assert noise.min() >= 0
    assert noise.max() < 1
    assert abs(noise.mean() - 0.5) < 0.01
    assert abs(noise.std() - math.sqrt(1 / 12)) < 0.01


def test_random_erasing_sizes_against_a_loop():
    """Area and aspect uniform, the first draw that fits: the same law as the papers' code, written as a loop."""
    generator = np.random.default_rng(0)

    def slow() -> tuple[int, int]:
        for _ in range(100):
            area, ratio = generator.uniform(0.02, 0.4) * 32 * 32, generator.uniform(0.3, 1 / 0.3)
            h, w = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if h < 32 and w < 32:
                return h, w
        return 0, 0

    method = parse_method("random-erasing(probability=1)")
    fast = torch.stack(method._sizes(20000, 32, 32, rng())).double()
    expected = np.array([slow() for _ in range(20000)]).T
    assert torch.allclose(fast.mean(1), torch.from_numpy(expected.mean(1)), rtol=0.02)
    assert torch.allclose(fast.std(1), torch.from_numpy(expected.std(1)), rtol=0.03)


def test_cosine_loss_against_numpy():
    logits, labels = torch.randn(8, 10, generator=rng()), torch.arange(8)
    ours = parse_method("cosine").criterion(logits, functional.one_hot(labels, 10).float())
    f = logits.numpy()
    expected = np.mean([1 - f[i, i] / np.linalg.norm(f[i]) for i in range(8)])
    assert ours.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("name", "count"), [("mixup", 2), ("mixupn", 4)])
def test_mixing_blends_images_and_losses_alike(name, count):
    """The blend is sum w_i x_i with permuted partners, and its loss is sum w_i CE(y_i)."""
    x, labels = images(10), torch.arange(10)
    mixed = parse_method(name).mix(Batch(x, functional.one_hot(labels, 10).float()), rng(3))
    replay = rng(3)
    weights = draw_dirichlet(count, 1.0, replay)
    order = [torch.arange(10), *(torch.randperm(10, generator=replay) for _ in range(count - 1))]
    assert sum(weights) == pytest.approx(1)
    expected = sum(w * x[o] for w, o in zip(weights, order, strict=True))
    assert torch.allclose(mixed.images, expected, atol=1e-6)
    logits = torch.randn(10, 10, generator=rng(4))
    loss = sum(w * functional.cross_entropy(logits, labels[o]) for w, o in zip(weights, order, strict=True))
    assert parse_method(name).criterion(logits, mixed.targets).item() == pytest.approx(loss.item(), abs=1e-5)


def test_mixup_weight_is_uniform_at_alpha_one():
    generator = rng()
    draws = np.array([draw_dirichlet(2, 1.0, generator)[0] for _ in range(4000)])
    assert abs(draws.mean() - 0.5) < 0.02
    assert abs(draws.std() - math.sqrt(1 / 12)) < 0.01


@pytest.mark.parametrize("name", ["autoaugment", "trivialaugment"])
def test_automatic_augmentation_draws_from_its_stream_alone(name):
    method = parse_method(name).resolve(get_dataset("cifair10"))
    pixels = (torch.rand(16, 32, 32, 3, generator=rng()) * 255).to(torch.uint8)
    state = torch.get_rng_state()
    first, second, other = (method.transform(pixels, rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert first.dtype == torch.uint8
    assert first.shape == pixels.shape
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_autoaugment_policy_follows_the_image_size():
    method = parse_method("autoaugment")
    assert method.resolve(get_dataset("cifair100")).policy == "cifar10"
    assert method.resolve(get_dataset("stl10-part")).policy == "imagenet"


def test_composition_calls_both_parts():
    method = parse_method("mixup+trivialaugment").resolve(get_dataset("digits"))
    assert isinstance(method, Composition)
    pixels = (torch.rand(16, 32, 32, 3, generator=rng()) * 255).to(torch.uint8)
    assert torch.equal(method.transform(pixels, rng(1)), parse_method("trivialaugment").transform(pixels, rng(1)))
    batch = Batch(images(4), torch.eye(4))
    assert torch.equal(method.mix(batch, rng(2)).images, parse_method("mixup").mix(batch, rng(2)).images)
    assert {"name", "version", "parameters", "automatic"} == set(method.identity)


def test_every_method_cites_a_source_and_documents_itself():
    for cls in registry.entries().values():
        assert cls.source
        assert cls.__doc__
        assert all(isinstance(field.name, str) for field in fields(cls))
