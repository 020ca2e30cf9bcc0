"""What a CUDA graph of a step would need of a training: inputs and a loss that stay where they are."""

import pytest
import torch

from benchmark.training.loop import Training
from benchmark.training.step import Update
from methods.task import Batch
from tasks import digits
from trainings import advanced, assert_same, prepared, protocol

pytestmark = pytest.mark.usefixtures("one_thread")


class StaticUpdate(Update):
    """Works on copies of a batch at fixed places, and returns its loss at one; a smaller batch goes as it comes."""

    kept: Batch | None = None

    def __call__(self, batch, rates):
        if self.kept is None:
            self.kept = Batch(batch.images.clone(), batch.targets.clone())
            self.loss = torch.zeros(())
        if batch.images.shape != self.kept.images.shape:
            return super().__call__(batch, rates)
        self.kept.images.copy_(batch.images)
        self.kept.targets.copy_(batch.targets)
        return self.loss.copy_(super().__call__(self.kept, rates))


def test_a_step_on_fixed_buffers_gives_the_same_bits_and_losses():
    short = protocol().model_copy(update={"epochs": 2, "images_per_class": 2, "batch_size": 7})
    plain, static = (Training(digits(), prepared("mixup", digits()), short) for _ in range(2))
    assert plain.steps == 6  # of 7, 7 and 6 images
    static.update = StaticUpdate(static.network, static.method.criterion, short, "fp32", static.task.device)
    for each in (plain, static):
        advanced(each, 6)
    assert len(static.update.kept.images) == 7
    assert_same(plain.network.state_dict(), static.network.state_dict())
    assert plain.history.lines == static.history.lines and len(plain.history.lines) == 6
