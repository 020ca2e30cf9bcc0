"""Networks that are only used: their weights kept in a step's precision give the bits that autocast gives."""

from copy import deepcopy

import pytest
import torch

from methods.latents.networks import LATENT, NOISE, LatentGenerator
from methods.mixing.networks import Generator
from methods.precision import autocast, frozen

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def encoded_and_decoded(generator: Generator) -> torch.Tensor:
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return generator.decode(generator.encode(images))


def drawn(generator: LatentGenerator) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return generator(torch.randn(3, LATENT, generator=rng), torch.randn(3, NOISE, generator=rng))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("network", "use"),
    [
        (lambda: Generator(active=True, width=8), encoded_and_decoded),
        (lambda: LatentGenerator(32, 16), drawn),
        (lambda: LatentGenerator(96, 16), drawn),  # it has batch norms
    ],
)
def test_frozen_weights_give_the_same_bits(network, use, precision):
    plain = network().eval().requires_grad_(False)
    kept = frozen(deepcopy(plain), precision)
    dtypes = {layer.weight.dtype for layer in kept.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)}
    assert dtypes == {torch.bfloat16 if precision == "bf16" else torch.float32}
    with torch.no_grad(), autocast(precision, CPU):
        assert torch.equal(use(plain), use(kept))
