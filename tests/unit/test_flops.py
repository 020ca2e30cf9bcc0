import signal

import pytest
import torch

from methods.flops import _interruption_held_back, flops_counted


def test_a_product_of_matrices():
    with torch.device("meta"), flops_counted() as counter:
        torch.empty(3, 4) @ torch.empty(4, 5)
    assert counter.get_total_flops() == 2 * 3 * 4 * 5


@pytest.fixture
def interruptible():
    """Python's own answer to SIGINT, which a process started in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_comes_at_the_end():
    reached = []

    def import_slowly():
        with _interruption_held_back():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end")
        reached.append("too far")

    with pytest.raises(KeyboardInterrupt):
        import_slowly()
    assert reached == ["the end"]
