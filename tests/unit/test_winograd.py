"""Winograd's convolutions against torch's."""

import pytest
import torch
from torch.nn.functional import conv2d

from benchmark.training.nets.winograd import WinogradConv2d, _transforms, winograd


def torchs(images, kernels):
    return conv2d(images, kernels, padding=1)


def outputs_and_gradients(convolve, images, kernels, layout=torch.contiguous_format):
    scores = convolve(images, kernels)
    weights = torch.linspace(-1, 1, scores.numel(), dtype=scores.dtype).view_as(scores)
    return scores, *torch.autograd.grad(scores, (images, kernels), weights.contiguous(memory_format=layout))


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 1, 4, 4), (3, 5, 12, 4), (2, 2, 4, 16)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_outputs_and_gradients_are_those_of_torch(shape, layout):
    torch.manual_seed(0)
    images = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    kernels = torch.randn(7, shape[1], 3, 3, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    expected = outputs_and_gradients(torchs, images, kernels)
    for found, theirs in zip(outputs_and_gradients(winograd, images, kernels, layout), expected, strict=True):
        torch.testing.assert_close(found, theirs, rtol=1e-10, atol=1e-10)


def test_fp32_is_rounded_to_about_a_hundred_thousandth_of_the_largest():
    torch.manual_seed(0)
    images, kernels = torch.randn(8, 256, 8, 8, requires_grad=True), torch.randn(64, 256, 3, 3, requires_grad=True)
    doubles = [tensor.detach().double().requires_grad_() for tensor in (images, kernels)]
    expected = outputs_and_gradients(torchs, *doubles)
    for found, exact in zip(outputs_and_gradients(winograd, images, kernels), expected, strict=True):
        assert (found - exact).abs().max() < 2e-5 * exact.abs().max()


def test_a_layer_takes_it_in_fp32_on_a_cpu_and_torchs_own_elsewhere(monkeypatch):
    taken = []
    monkeypatch.setattr("benchmark.training.nets.winograd.winograd", lambda *both: taken.append(1) or winograd(*both))
    layer, images = WinogradConv2d(64, 65), torch.randn(2, 64, 8, 8)
    torch.testing.assert_close(layer(images), torchs(images, layer.weight), rtol=1e-4, atol=1e-5)
    assert taken == [1]
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(images).dtype == torch.bfloat16
    assert layer(images[:, :, :6]).shape == (2, 65, 6, 8)
    assert layer(images[..., :6]).shape == (2, 65, 8, 6)
    assert layer.to("meta")(images.to("meta")).shape == (2, 65, 8, 8)
    assert WinogradConv2d(64, 65).double()(images.double()).dtype == torch.float64
    assert WinogradConv2d(64, 63)(images).shape == (2, 63, 8, 8)
    assert WinogradConv2d(63, 64)(images[:, :63]).shape == (2, 64, 8, 8)
    assert taken == [1]


def test_a_layer_trains_after_an_evaluation():
    _transforms.cache_clear()
    layer, images = WinogradConv2d(64, 64), torch.randn(2, 64, 8, 8)
    with torch.inference_mode():
        layer(images)
    (found,), (expected,) = (
        torch.autograd.grad(scores.square().sum(), layer.weight)
        for scores in (layer(images), torchs(images, layer.weight))
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_the_same_weights_begin_it():
    torch.manual_seed(0)
    ours = WinogradConv2d(3, 2)
    torch.manual_seed(0)
    theirs = torch.nn.Conv2d(3, 2, 3, padding=1, bias=False)
    assert torch.equal(ours.weight, theirs.weight)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
