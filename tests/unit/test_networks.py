"""Networks against the facts of FIDELITY section 1."""

import pytest
import torch

from benchmark.training.nets import build_network, step_work
from benchmark.training.nets.wide_resnet import Dropout
from datasets.registry import BadInput


def millions(network: torch.nn.Module) -> float:
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


@pytest.mark.parametrize(
    ("name", "classes", "expected"),
    [
        ("wrn-16-8", 10, 10.96),
        ("wrn-16-8", 100, 11.01),
        ("torchvision/resnet50", 10, 23.5),
        ("timm/resnet18", 10, 11.18),
    ],
)
def test_parameter_counts(name, classes, expected):
    with torch.device("meta"):
        assert millions(build_network(name, classes, 0.3)) == pytest.approx(expected, abs=0.03)


def test_wide_resnet_shapes_and_initial_values():
    network = build_network("wrn-16-2", 7, 0.3).eval()
    assert network(torch.randn(3, 3, 32, 32)).shape == (3, 7)
    assert network(torch.randn(2, 3, 96, 96)).shape == (2, 7)
    weight = network.blocks[1].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.05)  # He-normal over fan-out
    assert all((m.weight == 1).all() and (m.bias == 0).all() for m in network.modules() if hasattr(m, "running_mean"))


def test_wide_resnet_has_two_blocks_per_stage_and_a_shortcut_where_shapes_change():
    blocks = build_network("wrn-16-8", 10, 0.3).blocks
    assert [block.conv1.out_channels for block in blocks] == [128, 128, 256, 256, 512, 512]
    assert [block.conv1.stride[0] for block in blocks] == [1, 1, 2, 1, 2, 1]
    assert [block.shortcut is not None for block in blocks] == [True, False, True, False, True, False]


@pytest.mark.parametrize("name", ["wrn-15-8", "resnet50", "timm/resnet1888", "torchvision/resnet51", "fasterrcnn/x"])
def test_unknown_networks_are_named(name):
    with pytest.raises(BadInput, match=name):
        build_network(name, 10, 0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_the_stated_share_and_keeps_the_mean(dtype):
    torch.manual_seed(0)
    x = torch.ones(10, 64, 33, 31, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = Dropout(0.3)(x)
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert y[y != 0].float().unique().tolist() == pytest.approx([1 / 0.7], rel=0.01)
    assert y.is_contiguous(memory_format=torch.channels_last)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert torch.equal(Dropout(0.3).eval()(x), x)
    torch.manual_seed(0)
    assert torch.equal(Dropout(0.3)(x), y)


def test_dropout_neighbours_are_independent():
    """Four elements share one 64-bit draw: their masks must not be correlated."""
    torch.manual_seed(1)
    mask = (Dropout(0.3)(torch.ones(1, 1, 400, 1000)).flatten().view(-1, 4) == 0).double()
    assert torch.corrcoef(mask.T).fill_diagonal_(0).abs().max() < 0.01


def test_a_step_is_counted_without_computing():
    step = step_work("wrn-16-8", 10, 32, 10)
    assert step.flops == pytest.approx(10 * 3 * 3.1e9, rel=0.02)
    assert 100 < step.operators < 200
    assert step.written == pytest.approx(10 * step_work("wrn-16-8", 10, 32, 1).written, rel=0.6)  # weights once
