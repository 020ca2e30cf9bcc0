"""Rates at each step: the cosine of the papers, and torch's own one-cycle schedule."""

import math

import pytest
import torch

from benchmark.protocol import resolve_protocol
from benchmark.training.schedule import rates
from datasets.base import get_dataset


def protocol(**changes):
    return resolve_protocol("paper", get_dataset("cifair10"), changes)


def test_cosine_falls_from_the_highest_rate_to_zero_at_a_constant_momentum():
    found = [rates(protocol(), step, 100) for step in range(101)]
    assert [each.learning_rate for each in found] == [
        4.6e-3 * 0.5 * (1 + math.cos(math.pi * step / 100)) for step in range(101)
    ]
    assert {each.momentum for each in found} == {0.9}


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10, 997])
def test_one_cycle_is_torchs(steps):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.1, total_steps=steps, div_factor=25)
    own = protocol(learning_rate=0.1, momentum=0.95, schedule="onecycle")
    for step in range(steps):
        (group,) = optimiser.param_groups
        assert rates(own, step, steps) == pytest.approx((group["lr"], group["momentum"]), rel=1e-12)
        optimiser.step()
        if step + 1 < steps:
            cycle.step()
    assert rates(own, steps, steps) == rates(own, steps - 1, steps)  # what the history's last line says


def test_a_momentum_of_zero_stays_zero():
    own = protocol(momentum=0.0, schedule="onecycle")
    assert {rates(own, step, 10).momentum for step in range(11)} == {0.0}
