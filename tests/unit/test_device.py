"""What readies a process for training."""

import pytest
import torch

from benchmark.training.device import take_device


@pytest.mark.usefixtures("one_thread")
def test_the_process_works_with_the_threads_that_it_is_given() -> None:
    assert take_device(2).type in ("cpu", "cuda")
    assert torch.get_num_threads() == 2
