"""Losses of a training that stops inside a line of its history, as often as it likes."""

import pytest
import torch

from methods.history import Diverged, LossHistory

STEPS = 1000  # five to a line


def loss(step: int) -> dict[str, torch.Tensor]:
    return {"first": torch.tensor(1 / step), "second": torch.tensor(float(step))}


def after(steps: int, stops: tuple[int, ...] = ()) -> LossHistory:
    """The history of a training's first `steps` steps, put away and taken up after each of `stops`."""
    history = LossHistory(STEPS)
    for step in range(1, steps + 1):
        history.add(step, 0.1, loss(step))
        if step in stops:
            state = history.state()
            history = LossHistory(STEPS)
            history.restore(state)
    return history


@pytest.mark.parametrize("stops", [(3,), (5,), (2, 4), (1, 2, 3, 4, 5, 6)])
def test_stops_inside_a_line_leave_its_means_and_what_is_pending_as_they_were(stops):
    whole, stopped = after(9), after(9, stops)
    assert stopped.lines == whole.lines
    assert len(stopped.lines) == 1
    assert stopped.last() == whole.last()
    assert torch.equal(stopped.state()["pending"], whole.state()["pending"])
    assert stopped.state()["pending"].shape == (4, 2)


def test_what_was_restored_is_known_before_the_next_step():
    history = after(3, (3,))
    assert history.last() == {"first": pytest.approx(1 / 3), "second": 3.0}
    history.end(3, 0.1)
    assert history.lines == [{"step": 3, "learning_rate": 0.1, "first": pytest.approx(11 / 18), "second": 2.0}]


def test_a_loss_that_broke_before_a_stop_is_named_with_its_step():
    history = LossHistory(STEPS)
    for step, value in enumerate((1.0, float("nan"), 1.0), start=1):
        history.add(step, 0.1, {"loss": torch.tensor(value)})
    taken_up = LossHistory(STEPS)
    taken_up.restore(history.state())
    taken_up.add(4, 0.1, {"loss": torch.tensor(1.0)})
    with pytest.raises(Diverged, match="diverged at step 2: the loss is nan"):
        taken_up.add(5, 0.1, {"loss": torch.tensor(1.0)})
