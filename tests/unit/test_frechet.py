"""FID and KID: against clean-fid, and where the answer is known."""

import numpy as np
import pytest
import torch

from benchmark.measures.frechet import frechet_distance, kernel_distance, moments


def features(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    """Like Inception's: not negative, correlated; fewer than their 64 dimensions or more."""
    rng = torch.Generator().manual_seed(seed)
    mixed = torch.randn(count, 64, generator=rng) @ torch.randn(64, 64, generator=torch.Generator().manual_seed(9))
    return (mixed + shift).relu()


@pytest.fixture
def clean_fid(monkeypatch):
    """clean-fid's own distances; it passes scipy an argument that scipy from 1.18 on refuses."""
    fid = pytest.importorskip("cleanfid.fid", reason="clean-fid is not installed (extra dev)")
    root = fid.linalg.sqrtm
    monkeypatch.setattr(
        fid.linalg, "sqrtm", lambda matrix, disp=True: (root(matrix), 0.0) if not disp else root(matrix)
    )
    return fid


@pytest.mark.parametrize(("first", "second"), [(300, 200), (40, 200), (40, 30)])
def test_the_frechet_distance_is_clean_fids(clean_fid, first, second):
    sets = features(first, 0), features(second, 1, shift=2.0)
    arrays = [np.asarray(one, dtype=np.float64) for one in sets]
    statistics = [value for array in arrays for value in (array.mean(0), np.cov(array, rowvar=False))]
    expected = clean_fid.frechet_distance(*statistics)
    assert frechet_distance(*(moments(one) for one in sets)) == pytest.approx(expected, rel=1e-5)


def test_the_kernel_distance_is_clean_fids_where_its_subsets_are_whole(clean_fid):
    first, second = features(60, 0).double(), features(60, 1, shift=1.0).double()
    expected = clean_fid.kernel_distance(first.numpy(), second.numpy(), num_subsets=1)
    assert kernel_distance(first, second) == pytest.approx(expected, rel=1e-9)


def test_the_distance_of_two_known_gaussians():
    axis = torch.tensor([[-1.0], [1.0]]) * torch.tensor([3.0, 4.0])
    wider = axis * 2 + torch.tensor([1.0, 0.0])
    # covariances 2 a aᵀ and 8 a aᵀ with |a|² = 25: 1 + 50 + 200 - 2 * 100
    assert frechet_distance(moments(axis), moments(wider)) == pytest.approx(51.0, abs=1e-5)


def test_a_set_is_at_no_distance_from_itself():
    one = moments(features(40, 0))
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-6 * float(one.covariance.trace()))


def test_moments_are_those_of_numpy_also_in_several_parts():
    many = features(2500, 3)
    found = moments(many)
    assert np.allclose(found.mean, many.double().mean(0))
    assert np.allclose(found.covariance, np.cov(many.double().numpy(), rowvar=False))


def test_the_kernel_distance_has_no_bias_where_the_frechet_distance_has():
    pairs = [(features(50, 2 * seed), features(50, 2 * seed + 1)) for seed in range(20)]
    kernel = torch.tensor([kernel_distance(*pair) for pair in pairs])
    assert float(kernel.mean().abs()) < 3 * float(kernel.std()) / len(pairs) ** 0.5
    assert min(frechet_distance(*map(moments, pair)) for pair in pairs) > 0


def test_a_kernel_distance_of_more_than_most_takes_some_at_even_distances():
    first, second = features(100, 0), features(30, 1)
    assert kernel_distance(first, second, most=50) == kernel_distance(first[::2], second)
