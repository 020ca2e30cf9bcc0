"""What readies a process for training."""

import os
from collections.abc import Iterator

import pytest
import torch

from benchmark.training.device import has_tf32, in_short, take_device

CUDA = torch.device("cuda")


@pytest.fixture
def as_with_a_gpu(monkeypatch) -> Iterator[None]:
    """torch says that there is one; what is set for it is undone."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    yield
    take_device(torch.get_num_threads())


@pytest.mark.usefixtures("one_thread")
def test_the_process_works_with_the_threads_that_it_is_given() -> None:
    assert take_device(2).type in ("cpu", "cuda")
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("one_thread", "as_with_a_gpu")
def test_a_gpu_repeats_its_bits_only_when_asked() -> None:
    for asked in (True, False):
        assert take_device(1, asked) == CUDA
        assert torch.backends.cudnn.deterministic is asked
        assert torch.backends.cudnn.benchmark is False
        assert torch.are_deterministic_algorithms_enabled() is asked
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"  # harmless where it is not asked any more


@pytest.mark.usefixtures("one_thread", "as_with_a_gpu")
def test_fp32_on_a_gpu_is_fp32_and_the_record_says_so(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert has_tf32(CUDA) is True
    take_device(1)
    assert has_tf32(CUDA) is False
    assert has_tf32(torch.device("cpu")) is None


@pytest.mark.usefixtures("one_thread", "as_with_a_gpu")
def test_what_cannot_be_repeated_is_named_in_a_line() -> None:
    take_device(1, deterministic=True)
    with pytest.warns(UserWarning, match="deterministic") as caught:
        torch.ones(3).put_(torch.tensor([0]), torch.tensor([1.0]))  # one of which torch says so on a CPU too
    assert [in_short(str(warning.message)) for warning in caught] == [
        "not repeatable on a GPU, for all of --deterministic: put_"
    ]
    assert in_short("something else") == "something else"
