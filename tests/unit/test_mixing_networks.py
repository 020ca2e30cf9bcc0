"""The networks have the sizes and parameter counts of FIDELITY section 8, and compute what it describes."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.mixing.layers import ReflectingConv
from methods.mixing.networks import Decoder, Discriminator, Encoder, Generator, ResidualBlock

CODE, HYDRAMIX, SUPPLEMENT = (2, 2, 2, 2), (1, 2, 2, 2), (1, 1, 1, 1)


def millions(module: nn.Module) -> float:
    return round(sum(parameter.numel() for parameter in module.parameters()) / 1e6, 2)


def images(size: int, count: int = 1) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def norm(x: Tensor) -> Tensor:
    mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, unbiased=False)
    return (x - mean) / (var + 1e-5).sqrt()


def reflected(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    side = convolution.kernel_size[0] // 2
    padded = functional.pad(x, (side,) * 4, mode="reflect")
    return functional.conv2d(padded, convolution.weight, convolution.bias)


def residual(x: Tensor, block: ResidualBlock) -> Tensor:
    first, second = convolutions(block)
    return x + norm(reflected(norm(reflected(x, first)).relu(), second))


def convolutions(module: nn.Module) -> list[nn.Module]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]


@pytest.mark.parametrize("active", [False, True])
def test_parameter_counts_are_those_of_fidelity(active: bool) -> None:
    generator = Generator(active=active)
    assert millions(generator.encoder) == 2.74
    assert millions(generator.decoder) == 2.53
    assert millions(generator.decoder.blocks) == 2.36
    assert millions(Discriminator(strides=CODE)) == millions(Discriminator(strides=HYDRAMIX)) == 2.76


@pytest.mark.parametrize("size", [64, 96])
def test_generator_halves_twice_and_gives_the_size_back(size: int) -> None:
    generator = Generator(active=True)
    with torch.no_grad():
        features = generator.encode(images(size))
        generated = generator.decode(features)
    assert features.shape == (1, 256, size // 4, size // 4)
    assert generated.shape == (1, 3, size, size)
    assert generated.abs().max() < 1


@pytest.mark.parametrize(
    ("strides", "size", "side"), [(CODE, 64, 4), (CODE, 96, 6), (HYDRAMIX, 64, 7), (HYDRAMIX, 96, 11)]
)
def test_discriminator_judges_patches(strides: tuple[int, int, int, int], size: int, side: int) -> None:
    judged = Discriminator(4, strides=strides)(images(size, 2))
    assert judged.shape == (2, 1, side, side)
    assert judged.min() > 0 and judged.max() < 1


def test_only_convolutions_have_parameters() -> None:
    for network in (Generator(active=True, width=4), Discriminator(4, strides=CODE)):
        owned = {id(p) for part in convolutions(network) for p in part.parameters()}
        assert {id(p) for p in network.parameters()} == owned
        assert not list(network.buffers())


def test_every_convolution_has_a_bias_but_the_decoder_s_before_the_last() -> None:
    biases = [part.bias is not None for part in convolutions(Decoder(4, 2, active=True))]
    assert biases == [False] * 6 + [True]
    for network in (Encoder(4, 2), Discriminator(4, strides=CODE)):
        assert all(part.bias is not None for part in convolutions(network))


def test_encoder_computes_what_fidelity_describes() -> None:
    encoder, x = Encoder(4, 2), images(16, 2)
    first, second, third = convolutions(encoder)[:3]
    expected = norm(reflected(x, first)).relu()
    for half in (second, third):
        expected = norm(functional.conv2d(expected, half.weight, half.bias, stride=2, padding=1)).relu()
    for block in [part for part in encoder if isinstance(part, ResidualBlock)]:
        expected = residual(expected, block)
    torch.testing.assert_close(encoder(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("active", [False, True])
def test_decoder_computes_what_fidelity_describes(active: bool) -> None:
    decoder = Decoder(4, 2, active=active)
    expected = features = torch.randn(2, 16, 6, 6, generator=torch.Generator().manual_seed(1))
    for block in decoder.blocks if active else []:
        expected = residual(expected, block)
    *doubling, last = convolutions(decoder.upsampling)
    for double in doubling:
        expected = norm(functional.conv_transpose2d(expected, double.weight, stride=2)).relu()
    torch.testing.assert_close(decoder(features), reflected(expected, last).tanh(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("strides", [CODE, HYDRAMIX, SUPPLEMENT])
def test_discriminator_computes_what_fidelity_describes(strides: tuple[int, int, int, int]) -> None:
    network, x = Discriminator(4, strides=strides), images(32, 2)
    *blocks, last = convolutions(network)
    expected = x
    for index, (block, stride) in enumerate(zip(blocks, strides, strict=True)):
        expected = functional.conv2d(expected, block.weight, block.bias, stride=stride, padding=1)
        expected = functional.leaky_relu(norm(expected) if index else expected, 0.2)
    expected = functional.conv2d(functional.pad(expected, (2, 1, 2, 1)), last.weight, last.bias).sigmoid()
    torch.testing.assert_close(network(x), expected, atol=1e-4, rtol=1e-4)


def test_bypassed_blocks_get_no_gradient_and_active_ones_do() -> None:
    for active in (False, True):
        generator = Generator(active=active, width=4)
        generator.decode(generator.encode(images(16))).square().mean().backward()
        got = [parameter.grad is not None for parameter in generator.decoder.blocks.parameters()]
        assert got == [active] * 4
        assert all(p.grad is not None for p in generator.decoder.upsampling.parameters())
        assert all(p.grad is not None for p in generator.encoder.parameters())


def test_bypassed_blocks_are_not_evaluated() -> None:
    decoder = Decoder(4, 2, active=False)
    evaluated = []
    for block in decoder.blocks:
        block.register_forward_hook(lambda *_: evaluated.append(1))
    decoder(torch.zeros(1, 16, 4, 4))
    assert not evaluated
    decoder.active = True
    decoder(torch.zeros(1, 16, 4, 4))
    assert len(evaluated) == 2


@pytest.mark.parametrize("mix_after", [0, 1, 6])
def test_mixing_point_divides_the_blocks(mix_after: int) -> None:
    generator = Generator(active=True, blocks=6, mix_after=mix_after, width=4)
    blocks = [sum(isinstance(p, ResidualBlock) for p in n.modules()) for n in (generator.encoder, generator.decoder)]
    assert blocks == [mix_after, 6 - mix_after]
    assert generator.decode(generator.encode(images(16))).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("mix_after", [-1, 5])
def test_mixing_point_outside_the_blocks_is_refused(mix_after: int) -> None:
    with pytest.raises(ValueError, match="mix_after"):
        Generator(active=True, blocks=4, mix_after=mix_after, width=4)


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 8), (8, 3), (8, 8)])
def test_reflecting_convolutions_round_as_bfloat16_does(inputs: int, outputs: int) -> None:
    convolution, x = ReflectingConv(inputs, outputs, 7, bias=True), torch.randn(2, inputs, 12, 12)
    direct, coarse = x.clone().requires_grad_(), x.clone().requires_grad_()
    expected = reflected(direct, convolution)
    with torch.autocast("cpu", torch.bfloat16):
        computed = convolution(coarse)
    expected.square().sum().backward()
    computed.float().square().sum().backward()
    assert computed.dtype == torch.bfloat16
    torch.testing.assert_close(computed.float(), expected, atol=0.02, rtol=0.02)
    assert (coarse.grad - direct.grad).norm() < 0.02 * direct.grad.norm()


def test_networks_train_under_bfloat16_autocast() -> None:
    generator, discriminator = Generator(active=True, width=4), Discriminator(4, strides=CODE)
    with torch.autocast("cpu", torch.bfloat16):
        generated = generator.decode(generator.encode(images(32, 2).to(memory_format=torch.channels_last)))
        discriminator(generated).float().mean().backward()
    assert generated.dtype == torch.bfloat16
    assert all(p.grad.isfinite().all() for p in [*generator.parameters(), *discriminator.parameters()])
