"""Points of an embedding: near ones stay near, and other draws stay as they were."""

import sys

import numpy as np
import pytest
import torch

from benchmark.measures.mde import preserve_neighbours
from datasets.registry import BadInput


def test_two_groups_of_features_are_two_groups_of_points():
    pytest.importorskip("pymde", reason="PyMDE is not installed (extra analyses)")
    features = torch.randn(80, 16, generator=torch.Generator().manual_seed(0))
    features[40:] += 10
    torch.manual_seed(3)
    np.random.seed(3)
    before, numbers = torch.get_rng_state(), np.random.get_state()[1]
    points = preserve_neighbours(features, seed=0)
    assert points.shape == (80, 2)
    centres = torch.stack([points[:40].mean(0), points[40:].mean(0)])
    nearest = torch.cdist(points, centres).argmin(1)
    assert nearest.bincount().tolist() == [40, 40] and len(nearest[:40].unique()) == 1
    assert torch.equal(before, torch.get_rng_state()) and np.array_equal(numbers, np.random.get_state()[1])


def test_without_pymde_a_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymde", None)
    with pytest.raises(BadInput, match="analyses"):
        preserve_neighbours(torch.zeros(3, 2), seed=0)
