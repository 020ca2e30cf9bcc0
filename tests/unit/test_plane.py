"""Points of an embedding: near ones stay near, and other draws stay as they were."""

import sys

import numpy as np
import pytest
import torch

from benchmark.measures.plane import embed, preserve_neighbours
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


def test_an_embedding_repeats_its_bits_and_keeps_clusters_apart():
    pytest.importorskip("pacmap")
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.standard_normal((40, 32)) + 8 * np.eye(32)[[0, 1]].repeat(20, axis=0)).float()
    first, again, other = (embed(features, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(embed(8 * features, 3), first) and first.shape == (40, 2)
    gap = (first[:20].mean(dim=0) - first[20:].mean(dim=0)).norm()
    assert gap > 2 * first[:20].std(dim=0).max()
    with pytest.raises(BadInput, match="at least 36 images, not 35"):
        embed(features[:35], 0)
