"""GLICO: interpolation against a slow one in numpy, networks and losses of FIDELITY section 11, the method."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.protocol import resolve_budgets, resolve_protocol
from benchmark.training.batches import Batches
from benchmark.training.seeding import Streams
from datasets.base import get_dataset
from datasets.batches import normalise, to_unit
from datasets.registry import BadInput
from methods.base import Method
from methods.glico import Glico, Interpolating
from methods.latents.fitting import Fitting
from methods.latents.neighbours import SHARES, Neighbours
from methods.latents.networks import LATENT, NOISE, LatentGenerator, draw_noise, loop_classifier
from methods.latents.perceptual import VggDistance, make_distance
from methods.latents.recipe import LatentRecipe
from methods.latents.slerp import slerp
from methods.mixing.losses import laplacian_loss
from methods.registry import parse_method
from methods.task import Task
from tasks import digits
from trainings import advanced, assert_same

TINY = {"hidden": 16, "epochs": 2, "batch_size": 8, "images_per_class": 4, "learning_rate": 1e-3, "latent_rate": 1e-2}

pytestmark = pytest.mark.usefixtures("one_thread")


def resolved(text: str = "glico") -> Glico:
    method = parse_method(text).resolve(get_dataset("digits"), {"latents": TINY})
    assert isinstance(method, Glico)
    return method


def recipe(text: str = "glico", **changes: object) -> LatentRecipe:
    return replace(resolved(text).recipe(get_dataset("digits")), **changes)


def fitting(text: str = "glico", task: Task | None = None, **changes: object) -> Fitting:
    return Fitting(recipe(text, **changes), task or digits())


# --- spherical interpolation


def slow_slerp(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """FIDELITY section 11, one pair of vectors."""
    angle = np.arccos(np.dot(first, second) / np.linalg.norm(first) / np.linalg.norm(second))
    return (np.sin((1 - share) * angle) * first + np.sin(share * angle) * second) / np.sin(angle)


def vectors(seed: int, count: int = 5, size: int = 7) -> Tensor:
    return functional.normalize(torch.randn(count, size, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
def test_slerp_is_the_slow_one(share):
    first, second = vectors(0), vectors(1)
    found = slerp(first, second, share)
    expected = [slow_slerp(a.double().numpy(), b.double().numpy(), share) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(5))


def test_the_published_slerp_takes_its_angles_over_the_batch():
    first, second = vectors(0), vectors(1)
    columns = [slow_slerp(a.double().numpy(), b.double().numpy(), 0.3) for a, b in zip(first.T, second.T, strict=True)]
    np.testing.assert_allclose(slerp(first, second, 0.3, "published"), np.stack(columns, 1), atol=1e-5)


def test_slerp_of_parallel_vectors_is_linear():
    first = vectors(0)
    torch.testing.assert_close(slerp(first, first, 0.3), first)
    torch.testing.assert_close(slerp(first, 3 * first, 0.5), 2 * first)
    torch.testing.assert_close(slerp(first, -first, 0.25), 0.5 * first)
    near = slerp(first, functional.normalize(first + 1e-6), 0.4)
    torch.testing.assert_close(near, first, atol=1e-5, rtol=0)


# --- networks


@pytest.mark.parametrize(("size", "side", "channels"), [(32, 8, 128), (96, 12, 512)])
def test_generators_have_the_shapes_and_parameters_of_fidelity(size, side, channels):
    with torch.device("meta"):
        generator = LatentGenerator(size, 1024)
        drawn = generator(torch.empty(2, LATENT), torch.empty(2, NOISE))
    assert drawn.shape == (2, 3, size, size)
    linear = 100 * 100 + 612 * 1024 + 1024 * channels * side**2
    doubled = {32: [(128, 64), (64, 3)], 96: [(512, 256), (256, 128), (128, 64)]}[size]
    convolved = sum(a * b * 16 + b for a, b in doubled) + {32: 0, 96: 2 * (256 + 128 + 64) + 64 * 3 * 9 + 3}[size]
    assert sum(parameter.numel() for parameter in generator.parameters()) == linear + convolved


@pytest.mark.parametrize("size", [16, 24, 64, 72, 96])
def test_any_multiple_of_eight_can_be_drawn_and_classified(size):
    torch.manual_seed(0)
    drawn = LatentGenerator(size, 4)(torch.randn(2, LATENT), torch.randn(2, NOISE))
    assert drawn.shape == (2, 3, size, size)
    assert 0 < drawn.abs().max() <= 1
    assert loop_classifier(size, 5, "published")(drawn).shape == (2, 5)


def test_the_loop_classifier_is_the_published_one():
    """Softmax before the cross-entropy, LeakyReLU(0.1) after the pooling; plain: neither."""
    torch.manual_seed(0)
    network = loop_classifier(32, 5, "published").eval()
    images = torch.randn(3, 3, 32, 32)
    assert network(images).sum(1).tolist() == pytest.approx([1, 1, 1])
    values, (*blocks, flatten, linear, _) = images, network
    for conv, norm, _, _ in zip(*[iter(blocks)] * 4, strict=True):
        pooled = functional.max_pool2d(norm(conv(values)), 2)
        values = torch.where(pooled > 0, pooled, 0.1 * pooled)
    torch.testing.assert_close(network(images), linear(flatten(values)).softmax(1))
    torch.manual_seed(0)
    plain = loop_classifier(32, 5, "plain").eval()
    assert [type(layer).__name__ for layer in plain][:4] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    assert isinstance(plain[-1], nn.Linear)


def test_softmax_before_the_cross_entropy_weakens_the_image_gradient():
    """At the start the published form's gradient is several times smaller."""
    gradients = []
    for form in ("published", "plain"):
        torch.manual_seed(1)
        network = loop_classifier(32, 10, form)
        images = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(2), requires_grad=True)
        functional.cross_entropy(network(images), torch.arange(64) % 10).backward()
        gradients.append(float(images.grad.norm()))
    assert gradients[1] > 3 * gradients[0]


def test_the_length_of_a_latent_does_not_matter():
    generator, latents, noise = LatentGenerator(32, 8), torch.randn(3, LATENT), torch.randn(3, NOISE)
    torch.testing.assert_close(generator(latents, noise), generator(5 * latents, noise))


def test_noise_has_the_published_deviation():
    noise = draw_noise(1000, torch.Generator().manual_seed(0))
    assert float(noise.std()) == pytest.approx(0.15, rel=0.01)


# --- the loss


def test_the_loss_is_that_of_fidelity():
    task, training = digits(), fitting(gamma=0.5)
    picked, noise = torch.tensor([3, 3, 11]), torch.randn(3, NOISE)
    losses = training.losses(picked, noise)
    drawn = training.generator(training.latents[picked], noise).detach()
    images = normalise(to_unit(task.images[picked]))
    torch.testing.assert_close(losses["reconstruction"], (drawn - images).abs().mean())
    torch.testing.assert_close(losses["perceptual"], laplacian_loss(drawn, images))
    cross_entropy = functional.cross_entropy(training.classifier(drawn), task.labels[picked])
    torch.testing.assert_close(losses["classification"], cross_entropy)
    expected = losses["reconstruction"] + losses["perceptual"] + 0.5 * cross_entropy
    torch.testing.assert_close(training.total(losses), expected)


def small_vgg() -> nn.Sequential:
    """As many layers as VGG16 has before its classifier, of few channels."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    before = 3
    for width, convolutions in ((4, 2), (5, 2), (6, 3), (7, 3), (8, 3)):
        for _ in range(convolutions):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def slow_levels(features: nn.Sequential, images: Tensor, levels: int) -> list[Tensor]:
    return [features[: tap + 1](images) for tap in (3, 8, 13, 22, 30)[:levels]]


@pytest.mark.parametrize(("size", "scales"), [(32, [(1, 3)]), (96, [(1, 5), (4, 4)])])
def test_vgg_compares_the_published_levels(size, scales):
    features = small_vgg().requires_grad_(False)
    one, other = (torch.rand(2, 3, size, size) * 2 - 1 for _ in range(2))
    expected = 0.0
    for scale, levels in scales:
        a, b = functional.avg_pool2d(one, scale), functional.avg_pool2d(other, scale)
        expected += float((a - b).abs().mean()) if scale > 1 else 0.0
        pairs = zip(slow_levels(features, a, levels), slow_levels(features, b, levels), strict=True)
        expected += sum(float((u - v).abs().mean()) for u, v in pairs)
    assert float(VggDistance(features)(one, other)) == pytest.approx(expected, rel=1e-5)


def test_vgg_weights_come_from_where_torchvision_keeps_them(tmp_path, monkeypatch):
    from torchvision import models

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(BadInput, match=r"vgg16-397923af\.pth; where there is a network, get it with: python -c"):
        fitting("glico(perceptual=vgg)")
    with torch.device("meta"):
        shapes = models.vgg16().features.state_dict()
    random = {f"features.{name}": 0.05 * torch.randn(value.shape) for name, value in shapes.items()}
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(random, tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth")
    before = torch.get_rng_state()
    distance = make_distance("vgg", torch.device("cpu"))
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(distance, VggDistance)
    torch.testing.assert_close(distance.features[0].weight, random["features.0.weight"])
    training = advanced(fitting("glico(perceptual=vgg)"), 2)
    assert np.isfinite(training.history.last()["perceptual"])


# --- learning


def test_latents_stay_on_the_unit_sphere():
    training = fitting()
    for _ in range(4):
        torch.testing.assert_close(training.latents.norm(dim=1), torch.ones(20))
        before = training.latents.detach().clone()
        training.advance()
        assert not torch.equal(before, training.latents)
    torch.testing.assert_close(training.latents.norm(dim=1), torch.ones(20))


def learnt(text: str) -> list[dict[str, float]]:
    """The history of fitting ten images in 150 steps."""
    training = fitting(text, digits(1), hidden=64, epochs=15, batch_size=10, images_per_class=10, learning_rate=3e-3)
    return advanced(training, training.steps).history.lines


def test_ten_images_are_learnt():
    first, *_, last = learnt("glico")
    assert first["reconstruction"] > 0.5
    assert last["reconstruction"] < 0.2
    assert last["perceptual"] < 0.2 < first["perceptual"]
    least = math.log(math.e + 9) - 1  # cross-entropy of a second softmax over a sure answer among 10 classes
    assert least < last["classification"] < least + 0.05


def test_optimisers_that_remember_learn_them_later():
    assert learnt("glico(reset_optimisers=false)")[-1]["reconstruction"] > 2 * learnt("glico")[-1]["reconstruction"]


def test_the_learning_rate_is_halved_after_70_and_140_of_202_epochs():
    training = fitting(epochs=202, batch_size=40)
    assert training.steps == 202
    rates = []
    for step in range(202):
        training.step = step
        rates.append(training.learning_rate())
    assert rates == [1e-3] * 70 + [5e-4] * 70 + [2.5e-4] * 62


def test_the_latents_rate_is_halved_with_the_generator_s_and_the_classifier_s_is_not():
    training = fitting(epochs=202, batch_size=40)
    for step, share in ((0, 1), (70, 0.5), (140, 0.25)):
        training.step = step
        training.advance()
        rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in training.optimisers.items()}
        assert rates == {"generator": 1e-3 * share, "latents": 1e-2 * share, "classifier": 0.1}


def test_optimisers_forget_after_every_epoch_only_if_asked():
    for reset, steps in ((False, 6), (True, 1)):
        training = advanced(fitting(f"glico(reset_optimisers={reset})", batch_size=8), 6)  # 5 steps are an epoch
        (moments,) = training.optimisers["latents"].state.values()
        assert int(moments["step"]) == steps


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("reset", [False, True])
def test_a_restored_fitting_goes_on_with_the_same_bits(reset, precision):
    text, task = f"glico(reset_optimisers={reset})", digits(precision=precision)
    whole = advanced(fitting(text, task), 8)
    part, resumed = advanced(fitting(text, task), 3), fitting(text, task)
    resumed.restore(part.state())
    advanced(resumed, 5)
    assert_same(whole.tensors(), resumed.tensors())
    assert whole.history.state()["lines"] == resumed.history.state()["lines"]


def test_a_fitting_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    advanced(fitting(), 1)
    assert torch.equal(before, torch.get_rng_state())


# --- the artifact


def test_what_is_kept_loads_frozen():
    made = recipe()
    tensors = advanced(fitting(), 1).tensors()
    assert all(value.is_contiguous() and value.device.type == "cpu" for value in tensors.values())
    before = torch.get_rng_state()
    latents, generator = made.load(tensors, torch.device("cpu"))
    assert torch.equal(before, torch.get_rng_state())
    assert latents.shape == (20, LATENT)
    assert not generator.training and not any(p.requires_grad for p in generator.parameters())
    with pytest.raises(RuntimeError):
        replace(made, hidden=8).load(tensors, torch.device("cpu"))
    with pytest.raises(KeyError):
        made.load({}, torch.device("cpu"))


def test_images_of_the_published_setting():
    published = recipe(hidden=1024, epochs=202, batch_size=128, images_per_class=500)
    assert published.images(5, 10) == 202 * 5000
    shown = 202 * 40 * 128  # the last batch of an epoch counts as a whole one
    # 9.0, 8.4, 0.8 and 14.2 million products
    assert published.work(5, 10).flops == pytest.approx(shown * 3 * 2 * 32.4e6, rel=0.01)


@pytest.mark.parametrize(
    ("name", "batch", "repeated_to"), [("cifair10", 128, 500), ("cifair100", 128, 500), ("stl10", 32, 30)]
)
def test_the_paper_preset_is_that_of_fidelity(name, batch, repeated_to):
    dataset = get_dataset(name)
    method = parse_method("glico").resolve(dataset, resolve_budgets("paper", dataset))
    assert (method.p_gen, method.slerp) == (0.5, "per_sample")
    assert method.recipe(dataset) == LatentRecipe(
        size=dataset.image_size,
        perceptual="lap",
        gamma=0.5,
        reset_optimisers=True,
        hidden=1024,
        epochs=202,
        batch_size=batch,
        images_per_class=repeated_to,
        learning_rate=0.7e-3,
        latent_rate=1e-3,
    )


def test_the_published_fitting_shows_an_image_once_per_epoch():
    dataset, fifty = get_dataset("cifair10"), replace(digits(5), labels=torch.arange(10).repeat_interleave(5))
    for text, steps in (("glico", 8080), ("glico(images_per_class=1)", 202)):
        made = parse_method(text).resolve(dataset, resolve_budgets("paper", dataset)).recipe(dataset)
        assert Fitting(replace(made, hidden=4), fifty).steps == steps


def test_pictures_lead_from_an_image_to_another_of_its_class():
    task, made = digits(), recipe()
    fitted = made.load(fitting().tensors(), torch.device("cpu"))
    rows = made.picture(fitted, task)
    assert len(rows) == 6
    assert [tile.caption for tile in rows[0]][1:-1] == ["drawn", *(f"at {share}" for share in SHARES)]
    assert all(row[0].caption == row[-1].caption and not np.array_equal(row[0].image, row[-1].image) for row in rows)
    again = made.picture(fitted, task)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(rows[5], again[5], strict=True))


# --- the method


def prepared(text: str, task: Task) -> Method:
    method = resolved(text)
    made = tuple(recipe(text).load(Fitting(recipe(text), task).tensors(), task.device) for _ in range(method.p_gen > 0))
    return method.prepare(task, made)


def batches(text: str, task: Task) -> Batches:
    protocol = resolve_protocol("demo", get_dataset("digits"), {"network": "wrn-10-1", "epochs": 1})
    method = prepared(text, task) if text.startswith("glico") else parse_method(text)
    return Batches(task, method, protocol, Streams(0))


def test_neighbours_are_others_of_the_class_uniformly():
    task = digits(4)
    draw = Neighbours(task).draw
    rng, picked = torch.Generator().manual_seed(0), torch.arange(40)
    drawn = torch.stack([draw(picked, rng) for _ in range(300)])
    assert torch.equal(task.labels[drawn], task.labels.expand(300, -1))
    assert not (drawn == picked).any()
    counts = torch.stack([(drawn == other).sum(0) for other in range(40)])
    assert ((counts == 0) | ((counts > 60) & (counts < 140))).all()
    assert ((counts > 0).sum(0) == 3).all()


def test_an_image_alone_in_its_class_is_drawn_by_itself():
    task, alone = digits(1), torch.arange(10)
    assert torch.equal(Neighbours(task).draw(alone, torch.Generator()), alone)
    assert prepared("glico", task).begin_drawing(alone, torch.Generator())()[0].isfinite().all()


def test_at_p_gen_0_it_is_the_baseline_and_needs_nothing():
    task = digits()
    assert resolved("glico(p_gen=0)").needs(get_dataset("digits"), 2, 0) == ()
    plain, same = batches("baseline", task), batches("glico(p_gen=0)", task)
    assert all(torch.equal(plain.next(1).images, same.next(1).images) for _ in range(5))


def test_at_p_gen_1_every_batch_is_drawn_from_the_latents_of_its_images():
    task = digits()
    plain, drawn = batches("baseline", task), batches("glico(p_gen=1)", task)
    for _ in range(5):
        real, generated = plain.next(1), drawn.next(1)
        assert torch.equal(real.targets, generated.targets)  # views and order are the baseline's
        assert torch.equal(task.labels[real.picked], real.targets.argmax(1))
        assert generated.images.shape == real.images.shape
        assert not torch.equal(real.images, generated.images)


def test_a_drawn_image_lies_between_its_own_and_a_neighbour_s_latent():
    task = digits(1)
    method = prepared("glico", task)
    latents = torch.eye(10, LATENT)
    seen = []
    method.fitted.generator.forward = lambda codes, noise: seen.append(codes) or torch.zeros(len(codes), 3, 32, 32)
    method = replace(method, fitted=method.fitted._replace(latents=latents), neighbours=Neighbours(digits(1)))  # type: ignore[call-arg]
    method.neighbours.draw = lambda picked, rng: (picked + 1) % 10
    rng = torch.Generator().manual_seed(0)
    for _ in range(40):
        method.begin_drawing(torch.arange(10), rng)()
    angles = {round(float(torch.acos(codes[0, 0])) / (np.pi / 2), 3) for codes in seen}
    assert angles == set(SHARES)
    for codes in seen:  # one share for the whole batch
        assert codes.diagonal().unique().numel() == 1


@pytest.mark.parametrize("axis", ["per_sample", "published"])
def test_images_are_drawn_along_the_arc_that_is_asked_for_and_each_with_a_noise(axis):
    task = digits(2)
    method, seen = prepared(f"glico(slerp={axis})", task), []
    method.fitted.generator.forward = lambda codes, noise: (
        seen.append((codes, noise)) or torch.zeros(len(codes), 3, 32, 32)
    )
    picked, rng, same = torch.arange(20), torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    method.begin_drawing(picked, rng)()
    neighbours = method.neighbours.draw(picked, same)
    share = SHARES[int(torch.randint(4, (), generator=same))]
    ((codes, noise),) = seen
    assert torch.equal(codes, slerp(method.fitted.latents, method.fitted.latents[neighbours], share, axis))
    assert torch.equal(noise, draw_noise(20, same)) and noise.std() > 0.1


def test_images_of_96_pixels_are_fitted_and_drawn():
    images = torch.from_numpy(get_dataset("digits").train_images(np.arange(20)))
    task = replace(digits(2), images=images.repeat_interleave(3, 1).repeat_interleave(3, 2))
    made = recipe(size=96)
    fitted = made.load(advanced(Fitting(made, task), 2).tensors(), task.device)
    method = Interpolating(resolved(), task, fitted, Neighbours(task))
    (drawn,) = method.begin_drawing(torch.arange(4), torch.Generator())()
    assert drawn.shape == (4, 3, 96, 96) and drawn.isfinite().all()


def test_images_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(type(get_dataset("digits")), "image_size", 28)
    with pytest.raises(BadInput, match="images of 28 pixels do not fit; multiples of 8 do"):
        resolved()
