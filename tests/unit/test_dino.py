"""DINO: its loss, head, views and training against slow ones, torchvision and, where it is installed, lightly; the
frozen probe; the method."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, RandomResizedCrop
from torchvision.transforms import functional as images_of

from benchmark.protocol import resolve_budgets, resolve_protocol, run_protocol
from benchmark.training.loop import Training
from datasets.base import get_dataset
from datasets.batches import normalise, to_unit
from datasets.registry import BadInput
from methods.dino import Dino, Probe
from methods.distillation.colours import Colours, blur, brighten, contrast, saturate, turn_hue
from methods.distillation.crops import Boxes
from methods.distillation.loss import Distillation
from methods.distillation.networks import Head, resnet
from methods.distillation.recipe import DinoRecipe
from methods.distillation.training import DinoTraining, clip
from methods.distillation.views import ViewBatches
from methods.mixing.family import Generated
from methods.registry import format_method, make_method, parse_method
from methods.task import Task
from tasks import digits
from trainings import TINY, advanced, assert_same

SPENT = {"depth": 18, "outputs": 16, "local_views": 1, "epochs": 2, "batch_size": 5, "images_per_class": 2}
BUDGETS = TINY | {"dino": {**SPENT, "learning_rate": 1.0, "teacher_momentum": 0.9}}

pytestmark = pytest.mark.usefixtures("one_thread")


def resolved(text: str = "dino") -> Dino:
    method = parse_method(text).resolve(get_dataset("digits"), BUDGETS)
    assert isinstance(method, Dino)
    return method


def recipe(**changes: object) -> DinoRecipe:
    return replace(resolved().recipe(), **changes)


def distilling(**changes: object) -> DinoTraining:
    return DinoTraining(recipe(**changes), digits(1), None)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# --- the loss and the head


def outputs(views: int, seed: int) -> Tensor:
    return noise(views * 3, 7, seed=seed) * 2 - 1


def slow_loss(student: np.ndarray, teacher: np.ndarray, centre: np.ndarray) -> float:
    """views×B×outputs each; one pair of views at a time, as DINO's paper has it."""
    terms = []
    for t, opinion in enumerate(np.exp((teacher - centre) / 0.04)):
        for s, scores in enumerate(student / 0.1):
            if s != t:
                logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
                terms.append(-(opinion / opinion.sum(1, keepdims=True) * logs).sum(1).mean())
    return float(np.mean(terms))


def test_the_loss_is_the_slow_one_and_moves_its_centre():
    loss, centre = Distillation(7, torch.device("cpu")), np.zeros(7)
    for seed in range(3):
        student, teacher = outputs(5, seed), outputs(2, seed + 9)
        plain = (student.double().numpy().reshape(5, 3, 7), teacher.double().numpy().reshape(2, 3, 7))
        assert float(loss(student, teacher)["loss"]) == pytest.approx(slow_loss(*plain, centre), rel=1e-5)
        centre = 0.9 * centre + 0.1 * plain[1].mean((0, 1))
        np.testing.assert_allclose(loss.centre[0], centre, atol=1e-6)


def test_the_entropy_is_that_of_the_teacher_s_opinions():
    loss = Distillation(4, torch.device("cpu"))
    certain, none = torch.tensor([[100.0, 0, 0, 0]]).expand(2, 4), torch.zeros(2, 4)
    assert float(loss(torch.zeros(2, 4), certain)["entropy"]) == 0
    assert float(Distillation(4, torch.device("cpu"))(none, none)["entropy"]) == pytest.approx(np.log(4))


def test_the_loss_is_lightly_s():
    theirs = pytest.importorskip("lightly.loss").DINOLoss(7, warmup_teacher_temp_epochs=0)
    ours = Distillation(7, torch.device("cpu"))
    for seed in range(3):
        student, teacher = outputs(5, seed), outputs(2, seed + 9)
        expected = theirs(list(teacher.unflatten(0, (2, 3))), list(student.unflatten(0, (5, 3))))
        torch.testing.assert_close(ours(student, teacher)["loss"], expected)
        torch.testing.assert_close(ours.centre, theirs.center[0])


def test_the_head_is_lightly_s():
    theirs = pytest.importorskip("lightly.models.modules.heads").DINOProjectionHead(24, output_dim=7)
    ours = Head(24, 7)
    for mine, other in zip(ours.layers, (m for m in theirs.layers if isinstance(m, nn.Linear)), strict=True):
        mine.load_state_dict(other.state_dict())
    ours.last.weight.data.copy_(3 * theirs.last_layer.weight_v.data)  # whose length counts for nothing
    features = noise(5, 24)
    torch.testing.assert_close(ours(features), theirs(features))


def test_the_head_gives_cosines():
    found = Head(24, 7)(noise(5, 24))
    assert found.shape == (5, 7) and found.abs().max() <= 1


# --- the views


@pytest.mark.parametrize("size", [12, 48])
def test_a_crop_is_torchvision_s(size):
    images = noise(6, 3, 32, 32)
    boxes = Boxes.draw(6, 32, (0.05, 1.0), torch.Generator().manual_seed(1))
    for image, view, sides, flipped in zip(images, boxes.of(images, size), boxes.sides.T, boxes.flipped, strict=True):
        box = [int(side) for side in sides]
        expected = images_of.resized_crop(image, *box, [size, size], InterpolationMode.BICUBIC, antialias=True)
        expected = images_of.hflip(expected) if flipped else expected
        torch.testing.assert_close(view, expected.clamp(0, 1), atol=1e-5, rtol=0)


def test_boxes_are_drawn_as_torchvision_draws_them():
    ours = Boxes.draw(4000, 96, (0.14, 1.0), torch.Generator().manual_seed(0)).sides.double()
    torch.manual_seed(0)  # which torchvision draws from
    blank, ratio = torch.empty(3, 96, 96), [3 / 4, 4 / 3]
    theirs = torch.tensor([RandomResizedCrop.get_params(blank, [0.14, 1.0], ratio) for _ in range(4000)]).double().T
    assert (ours[:2] + ours[2:]).max() <= 96 and ours[:2].min() >= 0 and ours[2:].min() >= 1
    torch.testing.assert_close(ours.mean(1), theirs.mean(1), atol=0, rtol=0.05)
    torch.testing.assert_close(ours.std(1), theirs.std(1), atol=0, rtol=0.07)


@pytest.mark.parametrize(
    ("ours", "theirs", "value"),
    [
        (brighten, images_of.adjust_brightness, 1.3),
        (contrast, images_of.adjust_contrast, 0.7),
        (saturate, images_of.adjust_saturation, 1.2),
        (turn_hue, images_of.adjust_hue, -0.1),
        (turn_hue, images_of.adjust_hue, 0.07),
    ],
)
def test_a_change_of_colour_is_torchvision_s(ours, theirs, value):
    images = noise(4, 3, 8, 8)
    images[0] = images[0, :1]  # grey
    found = ours(images, torch.full((4, 1, 1, 1), value))
    torch.testing.assert_close(found, theirs(images, value), atol=2e-5, rtol=0)


def test_a_blur_is_a_gaussian_s():
    images = torch.zeros(1, 1, 31, 31)
    images[0, 0, 15, 15] = 1
    found = blur(images, torch.full((1, 1, 1, 1), 1.5))
    torch.testing.assert_close(found, images_of.gaussian_blur(images, [31, 31], [1.5, 1.5]), atol=1e-6, rtol=0)
    torch.testing.assert_close(blur(torch.ones(1, 3, 9, 9), torch.full((1, 1, 1, 1), 2.0)), torch.ones(1, 3, 9, 9))


def changes(count: int, blurred: float = 0.0, solarised: float = 0.0) -> Colours:
    blurs, negatives = torch.full((count,), blurred), torch.full((count,), solarised)
    return Colours.draw(blurs, negatives, torch.Generator().manual_seed(0))


def test_colours_are_drawn_as_often_and_as_far_as_published():
    numbers = changes(4000, 0.5, 0.2).numbers
    for row, span, middle in zip(numbers[:4], (0.4, 0.4, 0.2, 0.1), (1, 1, 1, 0), strict=True):
        away = (row - middle).abs()
        assert away.max() <= span + 1e-6 and away.max() > 0.95 * span
        assert float((away == 0).float().mean()) == pytest.approx(0.2, abs=0.03)
    assert float((numbers[4] == 0).float().mean()) == pytest.approx(0.2, abs=0.03)
    assert float((numbers[5] > 0.05).float().mean()) == pytest.approx(0.5, abs=0.03)
    assert float(numbers[6].mean()) == pytest.approx(0.2, abs=0.03)
    orders = {Colours.draw(noise(1), noise(1), torch.Generator().manual_seed(seed)).order for seed in range(9)}
    assert len(orders) > 3


def test_images_whose_draws_say_so_stay_as_they_are_or_turn_into_negatives():
    images = noise(2, 3, 8, 8)
    same = torch.tensor([1.0, 1, 1, 0, 1, 0.01, 0])[:, None].repeat(1, 2)
    same[6, 1] = 1
    found = Colours(same, (2, 0, 3, 1)).of(images)
    torch.testing.assert_close(found[0], images[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(found[1], images_of.solarize(images[1], 0.5), atol=1e-6, rtol=0)


def test_views_are_normalised_global_ones_first_and_follow_from_the_seed():
    batches = ViewBatches(recipe(local_views=3), digits(1), None)
    first, second = batches.next()
    assert first.shape == (10, 3, 48, 48) and second.shape == (15, 3, 24, 24)
    assert first.min() < -0.5 and first.abs().max() < 1 + 1e-5
    again = ViewBatches(recipe(local_views=3), digits(1), None).next()
    assert all(torch.equal(*pair) for pair in zip((first, second), again, strict=True))
    assert len(ViewBatches(recipe(local_views=0), digits(1), None).next()) == 1


# --- compositions in the place of images


@lru_cache(maxsize=1)
def generator() -> nn.Module:
    torch.manual_seed(0)
    return mixed("hydramix").recipe().mixing.needs(get_dataset("digits"), 2, 0)[0].recipe.network().eval()


def mixed(text: str) -> Dino:
    return resolved(f"dino(mixing={text})")


def sources(text: str | None, steps: int = 12) -> list[Tensor]:
    """The images that a training's views are made of."""
    task = digits(2)
    mixing = text and mixed(text).mixing.prepare(task, (generator(),))
    batches = ViewBatches(recipe(), task, mixing or None)
    return [batches._sources(batches._pick()) for _ in range(steps)]


@pytest.mark.parametrize("name", ["hydramix", "chimeramix-seg"])
def test_whole_batches_are_composed_at_the_method_s_own_share(name):
    real, half = sources(None), sources(name)
    same = [torch.equal(*pair) for pair in zip(real, half, strict=True)]
    assert 0 < sum(same) < len(same)
    assert all(one.shape == other.shape and other.abs().max() <= 1 for one, other in zip(real, half, strict=True))
    assert not any(torch.equal(*pair) for pair in zip(real[:2], sources(f"{name}(p_gen=1)", 2), strict=True))


def test_images_of_a_training_are_the_subset_s():
    seen = {image.numpy().tobytes() for images in sources(None, 4) for image in images}
    assert seen == {image.numpy().tobytes() for image in normalise(to_unit(digits(2).images))}


# --- the training


def test_a_restored_training_goes_on_with_the_same_bits():
    whole, part, resumed = distilling(), distilling(), distilling()
    advanced(whole, 4)
    resumed.restore(advanced(part, 2).state())
    advanced(resumed, 2)
    assert_same(whole.tensors(), resumed.tensors())
    assert whole.history.state()["lines"] == resumed.history.state()["lines"]


def test_the_teacher_follows_the_student_and_the_last_layer_starts_later():
    work = distilling(epochs=20)  # 40 steps
    last, before = work.student.head.last, [value.clone() for value in work.student.parameters()]
    advanced(work, 1)
    assert work.learning_rate() > 0
    moved = advanced(work, 1)
    assert not torch.equal(last.weight, before[-1])
    teacher = [value.clone() for value in work.teacher.parameters()]
    moved.step = 10
    work._follow()
    keep = work.teacher_momentum()
    for old, new, student in zip(teacher, work.teacher.parameters(), work.student.parameters(), strict=True):
        torch.testing.assert_close(new, keep * old + (1 - keep) * student)


def test_rates_are_the_published_schedule_s():
    work = distilling(epochs=50, batch_size=64)  # 50 steps
    highest = 64 / 256
    share = np.arange(45) / 45
    expected = [*np.linspace(0, highest, 5), *(1e-6 + (highest - 1e-6) * 0.5 * (1 + np.cos(np.pi * share)))]
    momentum = 1 - 0.1 * 0.5 * (1 + np.cos(np.pi * np.arange(50) / 50))
    for step in range(50):
        work.step = step
        assert work.learning_rate() == pytest.approx(expected[step])
        assert work.teacher_momentum() == pytest.approx(momentum[step])


def test_each_gradient_is_clipped_by_itself():
    network = nn.Linear(4, 4)
    network.weight.grad, network.bias.grad = torch.full((4, 4), 5.0), torch.full((4,), 0.5)
    clip(network, 3.0)
    assert float(network.weight.grad.norm()) == pytest.approx(3.0)
    assert torch.equal(network.bias.grad, torch.full((4,), 0.5))


def test_random_weights_stay_while_their_norms_see_images():
    made = resolved("dino(weights=random)").recipe()
    assert (made.epochs, made.learning_rate) == (1, 0)
    work = DinoTraining(made, digits(1), None)
    before = {name: value.clone() for name, value in work.teacher.backbone.state_dict().items()}
    advanced(work, work.steps)
    for name, value in work.teacher.backbone.state_dict().items():
        counted = "running" in name or "tracked" in name
        assert torch.equal(value, before[name]) is not counted, name


# --- the probe


def probing(task: Task) -> Training:
    torch.manual_seed(0)
    backbone = resnet(18).eval().requires_grad_(False)
    method = resolved().prepare(task, (backbone,))
    return Training(task, method, run_protocol(resolved(), "demo", get_dataset("digits"), 1))


def test_the_probe_learns_its_linear_layer_alone():
    work = probing(digits(1))
    before = {name: value.clone() for name, value in work.network.state_dict().items()}
    advanced(work, 2)
    changed = {name for name, value in work.network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"linear.weight", "linear.bias"}
    assert isinstance(work.network, Probe) and work.network.training and not work.network.backbone.training


def test_a_protocol_with_another_network_is_refused_in_one_line():
    task = digits(1)
    method = resolved().prepare(task, (resnet(18),))
    for name in ("wrn-10-1", "torchvision/resnet34", "torchvision/vgg11"):
        with pytest.raises(BadInput, match=r"its network is torchvision/resnet18; say dino\(depth=...\)"):
            Training(task, method, resolve_protocol("demo", get_dataset("digits"), {"network": name}))


# --- the method


def test_the_paper_preset_is_that_of_fidelity():
    dataset = get_dataset("stl10")
    method = parse_method("dino").resolve(dataset, resolve_budgets("paper", dataset))
    assert isinstance(method, Dino)
    assert method.recipe() == DinoRecipe(None, 50, 65536, 96, 8, 100, 64, 120, 0.03, 0.996)
    protocol = run_protocol(method, "paper", dataset, 5)
    assert protocol.network == "torchvision/resnet50" and not protocol.nesterov
    assert (protocol.epochs, protocol.batch_size, protocol.learning_rate) == (100, 128, 0.0005)
    assert (protocol.momentum, protocol.weight_decay, protocol.schedule) == (0.9, 0, "cosine")


def test_mixing_is_a_method_with_parameters_of_its_own():
    method = parse_method("dino(mixing=hydramix(images=2, p_gen=1), depth=34)")
    assert format_method(method) == "dino(mixing=hydramix(p_gen=1.0, images=2), depth=34)"
    assert parse_method(format_method(method)) == method
    made = method.resolve(get_dataset("digits"), BUDGETS)
    assert isinstance(made, Dino) and isinstance(made.mixing, Generated)
    assert made.mixing.width == 4 and made.identity["parameters"]["mixing"] == made.mixing.identity
    assert make_method(Dino, made.identity["parameters"]) == made


@pytest.mark.parametrize("text", ["mixup", "dino", "nothing", "hydramix+autoaugment", "hydramix(colour=1)", "3"])
def test_what_does_not_mix_is_refused(text):
    with pytest.raises(BadInput):
        parse_method(f"dino(mixing={text})")


def test_a_backbone_needs_the_generator_that_other_rows_use():
    dataset = get_dataset("digits")
    (backbone,) = mixed("hydramix").needs(dataset, 2, 0)
    assert backbone.needs() == parse_method("hydramix").resolve(dataset, BUDGETS).needs(dataset, 2, 0)
    assert resolved().needs(dataset, 2, 0)[0].needs() == ()
    keys = {str(method.recipe().identity) for method in (resolved(), mixed("hydramix"), mixed("chimeramix-seg"))}
    assert len(keys) == 3
    titles = [resolved(text).recipe().title for text in ("dino", "dino(weights=random)", "dino(mixing=hydramix)")]
    assert titles == ["dino resnet18", "dino resnet18 (random weights)", "dino resnet18 (hydramix)"]
