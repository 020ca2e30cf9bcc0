"""The losses against slow implementations in numpy, written from FIDELITY section 8."""

import numpy as np
import pytest
import torch
from torch import Tensor

from methods.mixing.losses import (
    adversarial_loss,
    discriminator_loss,
    laplacian_loss,
    laplacian_pyramid,
    reconstruction_loss,
)

KERNEL = [
    [1, 4, 6, 4, 1],
    [4, 16, 24, 16, 4],
    [6, 24, 36, 24, 6],
    [4, 16, 24, 16, 4],
    [1, 4, 6, 4, 1],
]


def slow_blur(image: np.ndarray, gain: float = 1) -> np.ndarray:
    padded, blurred = np.pad(image, 2, mode="reflect"), np.zeros_like(image)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            blurred[y, x] = gain * (padded[y : y + 5, x : x + 5] * KERNEL).sum() / 256
    return blurred


def slow_pyramid(image: np.ndarray, levels: int) -> list[np.ndarray]:
    pyramid = []
    for _ in range(levels):
        halved = slow_blur(image)[::2, ::2]
        spread = np.zeros_like(image)
        for (y, x), value in np.ndenumerate(halved):
            spread[2 * y, 2 * x] = value
        pyramid.append(image - slow_blur(spread, gain=4))
        image = halved
    return pyramid


def slow_loss(generated: np.ndarray, images: np.ndarray, levels: int) -> float:
    differences: list[list[np.ndarray]] = [[] for _ in range(levels)]
    for one, other in zip(generated.reshape(-1, *images.shape[2:]), images.reshape(-1, *images.shape[2:]), strict=True):
        for level, (u, v) in enumerate(zip(slow_pyramid(one, levels), slow_pyramid(other, levels), strict=True)):
            differences[level].append(np.abs(u - v))
    return sum(float(np.mean(level)) for level in differences)


def random_images(seed: int, height: int = 16, width: int = 24, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, generator=generator, dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize(("levels", "height", "width"), [(1, 8, 4), (2, 8, 12), (3, 16, 24)])
def test_laplacian_pyramid_is_the_slow_one(levels: int, height: int, width: int) -> None:
    images = random_images(0, height, width)
    pyramid = laplacian_pyramid(images, levels)
    assert len(pyramid) == levels
    for sample in range(2):
        for channel in range(3):
            expected = slow_pyramid(images[sample, channel].numpy(), levels)
            for level, reference in zip(pyramid, expected, strict=True):
                np.testing.assert_allclose(level[sample, channel].numpy(), reference, atol=1e-12)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_laplacian_loss_is_the_slow_one_of_three_levels(layout: torch.memory_format) -> None:
    generated, images = random_images(0), random_images(1)
    loss = laplacian_loss(generated.float().to(memory_format=layout), images.float())
    assert loss.item() == pytest.approx(slow_loss(generated.numpy(), images.numpy(), 3), rel=1e-5)


def test_laplacian_loss_ignores_what_the_pyramid_leaves_over() -> None:
    images = random_images(0).float()
    assert laplacian_loss(images + 0.3, images).item() < 1e-6
    assert reconstruction_loss(images + 0.3, images).item() == pytest.approx(0.09, rel=1e-4)


def test_laplacian_loss_is_not_rounded_under_autocast() -> None:
    generated, images = random_images(0).bfloat16(), random_images(1).float()
    with torch.autocast("cpu", torch.bfloat16):
        loss = laplacian_loss(generated, images)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(slow_loss(generated.double().numpy(), images.double().numpy(), 3), rel=1e-5)


def test_laplacian_loss_has_the_gradient_of_finite_differences() -> None:
    images, generated = random_images(0, 8, 8, 1), random_images(1, 8, 8, 1).requires_grad_()

    def loss(candidate: Tensor) -> Tensor:
        return sum(level.abs().mean() for level in laplacian_pyramid(candidate - images, 2))  # type: ignore[return-value]

    assert torch.autograd.gradcheck(loss, generated, eps=1e-7)
    single = generated.detach().float().requires_grad_()
    laplacian_loss(single, images.float(), 2).backward()
    (expected,) = torch.autograd.grad(loss(generated), generated)
    torch.testing.assert_close(single.grad, expected.float(), atol=1e-5, rtol=1e-4)


def test_reconstruction_loss_is_the_mean_square() -> None:
    generated, images = random_images(0).bfloat16(), random_images(1).float()
    expected = np.square(generated.double().numpy() - images.numpy()).mean()
    loss = reconstruction_loss(generated, images)
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(expected, rel=1e-5)


def test_adversarial_losses_are_least_squares_and_not_halved() -> None:
    real = torch.tensor([[0.9, 0.5], [1.0, 0.2]]).view(2, 1, 1, 2)
    generated = torch.tensor([[0.1, 0.5], [0.0, 1.0]]).view(2, 1, 1, 2)
    assert adversarial_loss(generated).item() == pytest.approx((0.81 + 0.25 + 1 + 0) / 4)
    expected = (0.01 + 0.25 + 0 + 0.64) / 4 + (0.01 + 0.25 + 0 + 1) / 4
    assert discriminator_loss(real, generated).item() == pytest.approx(expected)
