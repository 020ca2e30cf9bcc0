"""The scattering transform against kymatio and slow direct sums, and the network on top (FIDELITY section 13)."""

import math

import numpy as np
import pytest
import torch
from kymatio import Scattering2D

from benchmark.task import load_task
from benchmark.training.loop import Training
from benchmark.training.nets import build_network
from datasets.base import get_dataset
from datasets.registry import BadInput
from datasets.subset import find_subset
from methods.registry import parse_method
from methods.scattering.filters import Wavelets, low_pass
from methods.scattering.transform import Scattering, padded_size

KYMATIO_PI = 3.1415  # in the norm of each of its filters: three of them make a coefficient of order 2


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def double() -> Scattering:
    return Scattering(Wavelets("random")).double()


@pytest.mark.parametrize("size", [32, 33, 64])
def test_the_tight_frame_is_kymatios(size):
    theirs = Scattering2D(J=2, shape=(size, size), L=8, frontend="torch")
    images = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    orders = torch.tensor([1] + [2] * 16 + [3] * 64)
    expected = theirs(images) * ((KYMATIO_PI / math.pi) ** orders)[:, None, None]
    found = Scattering(Wavelets())(images).unflatten(1, (3, 81))
    worst = (found - expected).abs().amax((0, 1, 3, 4)) / expected.abs().amax((0, 1, 3, 4))
    assert found.shape == (3, 3, 81, size // 4, size // 4)
    assert worst.max() < 1e-4


def test_learned_wavelets_are_those_that_kymatio_would_use():
    """Kymatio's transform with our filters in the place of its own, away from the tight frame."""
    torch.manual_seed(3)
    ours, theirs = Scattering(Wavelets("random")), Scattering2D(J=2, shape=(32, 32), L=8, frontend="torch")
    with torch.no_grad():
        filters = ours.wavelets(40)
        for number, filter_ in enumerate(filters):
            getattr(theirs, f"tensor{number + 2}").copy_(filter_[..., None])  # after the two of the low pass
        images = torch.randn(2, 3, 32, 32)
        expected, found = theirs(images).flatten(1, 2), ours(images)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    torch.testing.assert_close(found[:, 1:81], expected[:, 1:81], rtol=1e-3, atol=1e-4 * float(found[:, 1:81].max()))


def slow_wavelet(size: int, theta: float, xi: float, sigma: float, slant: float) -> np.ndarray:
    """A Morlet wavelet's Fourier transform, point by point and frequency by frequency."""
    envelope, wave = np.zeros((size, size)), np.zeros((size, size), complex)
    for i in range(size):
        for j in range(size):
            x, y = (k - size if k >= size / 2 else k for k in (i, j))
            along, across = x * math.cos(theta) + y * math.sin(theta), y * math.cos(theta) - x * math.sin(theta)
            envelope[i, j] = math.exp(-(along**2 + slant**2 * across**2) / (2 * sigma**2))
            wave[i, j] = envelope[i, j] * np.exp(1j * xi * along)
    psi = slant / (2 * math.pi * sigma**2) * (wave - wave.real.sum() / envelope.sum() * envelope)
    line = np.arange(size)
    waves = np.exp(-2j * math.pi * np.outer(line, line) / size)
    return (waves @ psi @ waves.T).real


def test_the_bank_is_the_papers_formula():
    torch.manual_seed(0)
    wavelets = Wavelets("random").double()
    found = wavelets(12).detach().numpy()
    numbers = (wavelets.orientations, wavelets.frequencies, wavelets.widths, wavelets.slants)
    for filter_, *values in zip(found, *(n.tolist() for n in numbers), strict=True):
        np.testing.assert_allclose(filter_, slow_wavelet(12, *values), atol=1e-12)


def test_the_tight_frame_to_the_digit():
    wavelets = Wavelets()
    numbers = [wavelets.orientations, wavelets.frequencies, wavelets.widths, wavelets.slants]
    rows = [[(3 - k) * math.pi / 8, 0.75 * math.pi / 2**j, 0.8 * 2**j, 0.5] for j in (0, 1) for k in range(8)]
    torch.testing.assert_close(torch.stack(numbers, 1), torch.tensor(rows))


def test_random_wavelets_are_drawn_in_their_ranges():
    torch.manual_seed(0)
    banks = [Wavelets("random") for _ in range(200)]
    ranges = {"orientations": (0, 2 * math.pi), "frequencies": (0.5, 1), "widths": (1, 5), "slants": (0.5, 1.5)}
    for name, (low, high) in ranges.items():
        values = torch.cat([getattr(bank, name) for bank in banks])
        assert low <= values.min() < low + 0.05 * (high - low) or name == "widths"  # whose small values are rare
        assert high - 0.05 * (high - low) < values.max() <= high


def slow_coefficient(image: np.ndarray, *wavelets: np.ndarray) -> np.ndarray:
    """Moduli of circular convolutions by their sums, then a Gaussian blur and every fourth pixel inside."""
    size = len(image)
    line = np.arange(size)
    waves = np.exp(2j * math.pi * np.outer(line, line) / size)
    for wavelet in wavelets:
        image = np.abs(waves @ ((waves.conj() @ image @ waves.conj()) * wavelet) @ waves) / size**2
    distance = np.minimum(line, size - line)
    blur = sum(np.exp(-((distance + period * size) ** 2) / (2 * 1.6**2)) for period in (-1, 0, 1))
    blur = blur / (math.sqrt(2 * math.pi) * 1.6)  # type: ignore[assignment]
    rows = np.array([[blur[(4 * m - u) % size] for u in range(size)] for m in range(1, size // 4 - 1)])
    return rows @ image @ rows.T


def test_fine_coefficients_are_the_slow_sums():
    """Those of orders 0 and 1 that nothing subsamples on the way."""
    torch.manual_seed(1)
    ours, image = double(), torch.rand(1, 1, 16, 16, dtype=torch.float64)
    filters, maps = ours.wavelets(24).detach().numpy(), ours(image)[0].detach().numpy()
    padded = np.pad(image[0, 0].numpy(), 4, mode="reflect")
    np.testing.assert_allclose(maps[0], slow_coefficient(padded), atol=1e-6)
    for number in range(8):
        np.testing.assert_allclose(maps[1 + number], slow_coefficient(padded, filters[number]), atol=1e-6)


def test_a_coarser_line_is_blurred_by_the_low_frequencies():
    fine, coarse = (low_pass(40, points, torch.float64, torch.device("cpu")) for points in (40, 20))
    assert fine.shape == (8, 40)
    assert coarse.shape == (8, 20)
    assert fine.sum(1).tolist() == pytest.approx([1] * 8, abs=1e-3)
    smooth = torch.cos(2 * math.pi * 3 * torch.arange(40, dtype=torch.float64) / 40)
    torch.testing.assert_close(fine @ smooth, coarse @ smooth[::2])


def test_gradients_of_filters_and_images():
    torch.manual_seed(0)
    ours, images = double(), torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    numbers = tuple(ours.wavelets.parameters())
    assert torch.autograd.gradcheck(lambda *_: ours(images)[:, ::7].square().sum((2, 3)), (images, *numbers))


def test_a_blank_image_has_finite_gradients():
    ours = Scattering(Wavelets())
    ours(torch.zeros(2, 3, 32, 32)).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in ours.parameters())


def test_neither_autocast_nor_layout_nor_batch_changes_a_coefficient():
    ours, images = Scattering(Wavelets()), torch.rand(7, 3, 32, 32)
    expected = ours(images)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ours(images.contiguous(memory_format=torch.channels_last)), expected)
    torch.testing.assert_close(torch.cat([ours(image[None]) for image in images]), expected)


@pytest.mark.parametrize(("size", "padded"), [(32, 40), (33, 40), (35, 40), (36, 44), (64, 72), (96, 104)])
def test_padding_is_kymatios(size, padded):
    assert padded_size(size) == padded


@pytest.mark.parametrize(("classes", "expected"), [(10, 22_597_232), (100, 22_781_642)])
def test_the_papers_network_has_22_6_million_parameters(classes, expected):
    network = build_network("scattering-wrn-8", classes, 0.0, 243)
    assert parameters(network) == expected
    whole = parse_method("scattering").network(network)
    assert parameters(whole) == expected + 64
    assert parameters(parse_method("scattering(learnable=false)").network(network)) == expected


def test_the_network_keeps_its_resolution_up_to_the_four_quarters():
    network = build_network("scattering-wrn-1", 7, 0.0, 243).eval()
    assert [block.first[0].in_channels for block in network.blocks] == [16, *[32] * 4, *[64] * 3]
    assert all(layer.stride == (1, 1) for layer in network.modules() if isinstance(layer, torch.nn.Conv2d))
    features = network.blocks(network.stem(network.norms(torch.rand(2, 243, 8, 8))))
    assert features.shape == (2, 64, 8, 8)
    assert network(torch.rand(2, 243, 16, 16)).shape == (2, 7)


def test_other_networks_take_coefficients_too_but_torchvisions():
    whole = parse_method("scattering").network(build_network("wrn-10-1", 5, 0.0, 243))
    assert whole(torch.rand(2, 3, 32, 32)).shape == (2, 5)
    with pytest.raises(BadInput, match="takes 3 channels, not 243"):
        build_network("torchvision/resnet18", 5, 0.0, 243)


def test_large_images_are_refused_unless_asked_for():
    stl = get_dataset("stl10")
    with pytest.raises(BadInput, match=r"96 pixels are not in the paper; scattering\(large=true\)"):
        parse_method("scattering").resolve(stl)
    with pytest.raises(BadInput, match="not in the paper"):
        parse_method("scattering+autoaugment").resolve(stl)
    assert parse_method("scattering(large=true)").resolve(stl).classifier_input(96) == (243, 24)


def test_large_images_go_through_forward_and_backward():
    network = parse_method("scattering(large=true)").network(build_network("wrn-10-1", 5, 0.0, 243))
    scores = network(torch.rand(2, 3, 96, 96))
    scores.sum().backward()
    assert scores.shape == (2, 5)
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("method", ["scattering", "scattering+autoaugment", "baseline"])
def test_wavelets_and_nothing_else_are_trained_without_weight_decay(method, make_run):
    run = make_run(method, size=1, batch_size=10)
    indices = find_subset(run.dataset, 1, 0)
    training = Training(load_task(run, indices, torch.device("cpu"), "fp32"), run.method, run.protocol)
    decays = {
        id(parameter): group["weight_decay"]
        for group in training.update.optimiser.param_groups
        for parameter in group["params"]
    }
    wavelets = {f"0.wavelets.{name}" for name in ("orientations", "frequencies", "widths", "slants")}
    for name, parameter in training.network.named_parameters():
        expected = 0 if method != "baseline" and name in wavelets else run.protocol.weight_decay
        assert decays.pop(id(parameter)) == expected, name
    assert not decays


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gives_the_same_coefficients_and_gradients():
    torch.manual_seed(0)
    scattering, images, gradients, outputs = Scattering(Wavelets("random")), torch.randn(2, 3, 32, 32), [], []
    for device in ("cpu", "cuda"):
        scattering.to(device).zero_grad()
        found = scattering(images.to(device))
        found.square().sum().backward()
        outputs.append(found.detach().cpu())
        gradients.append(torch.cat([parameter.grad.flatten().cpu() for parameter in scattering.parameters()]))
    torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(*gradients, rtol=1e-2, atol=1e-2)


def test_the_wavelets_of_any_seed_give_finite_coefficients():
    for seed in range(20):
        torch.manual_seed(seed)
        assert Scattering(Wavelets("random"))(torch.randn(2, 3, 32, 32)).isfinite().all()
