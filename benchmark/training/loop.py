"""The one training loop."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol as Interface

import torch
from torch import Tensor, nn

from benchmark.protocol import Protocol
from benchmark.training.batches import Batches
from benchmark.training.nets import build_network
from benchmark.training.schedule import Rates, rates
from benchmark.training.seeding import Streams, global_state, restore_global_state
from benchmark.training.step import Descent, Update
from methods.base import Method
from methods.history import LossHistory
from methods.task import Task

_REPORT_SECONDS = 1.0


class Interrupted(Exception):
    """Training stopped at a checkpoint on request; the run can go on from there."""


@dataclass
class Hooks:
    """What the loop tells and asks its caller.

    should_stop: asked before every step. save: stores a checkpoint; called with `Training.state` when
    `checkpoint_seconds` have passed and when stopping. report: told (step, steps, losses by name) now and then.
    """

    should_stop: Callable[[], bool] = lambda: False
    save: Callable[[dict], None] = lambda state: None
    report: Callable[[int, int, dict[str, float]], None] = lambda step, steps, losses: None
    checkpoint_seconds: float = 180.0


class Trainable(Interface):
    """What `train` advances: a classifier's training or an artifact's."""

    step: int
    steps: int
    history: LossHistory

    def advance(self) -> None: ...
    def state(self) -> dict[str, object]: ...


class Drawing(Interface):
    """What draws batches, and can go on from its state."""

    def state(self) -> dict[str, object]: ...
    def restore(self, state: dict) -> None: ...


class Resumable:
    """A network's training, as far as it can stop and go on."""

    step: int
    network: nn.Module
    update: Descent
    batches: Drawing
    history: LossHistory

    def state(self) -> dict[str, object]:
        """Everything needed to go on with the same bits."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "update": self.update.state(),
            "random": global_state(),
            "batches": self.batches.state(),
            "history": self.history.state(),
        }

    def restore(self, state: dict) -> None:
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.update.restore(state["update"])
        restore_global_state(state["random"])
        self.batches.restore(state["batches"])
        self.history.restore(state["history"])


class Training(Resumable):
    """A classifier's training in progress: everything that a checkpoint must hold, and the step that advances it.

    method: resolved and prepared for `task`.
    """

    update: Update
    batches: Batches

    def __init__(self, task: Task, method: Method, protocol: Protocol):
        self.task, self.method, self.protocol = task, method, protocol
        streams = Streams(task.seed)
        streams.start_network()
        channels, _ = method.classifier_input(task.images.shape[1])
        classifier = build_network(protocol.network, task.num_classes, protocol.dropout, channels)
        network = method.network(classifier).to(task.device)
        self.network = network.to(memory_format=torch.channels_last)
        streams.start_training()
        self.update = Update(self.network, method.criterion, protocol, task.precision, task.device)
        self.batches = Batches(task, method, protocol, streams)
        self.step, self.steps = 0, protocol.steps(task.samples_per_class, task.num_classes)
        self.history = LossHistory(self.steps)

    @property
    def images_seen(self) -> int:
        """Training images of the whole training, each as often as it is shown."""
        return self.protocol.images(self.task.samples_per_class, self.task.num_classes)

    def rates(self) -> Rates:
        """The optimiser's rates of the next step."""
        return rates(self.protocol, self.step, self.steps)

    def advance(self) -> None:
        """One step of training; raises Diverged when the losses since the last line are not all finite."""
        self.network.train()
        loss = self.update(self.batches.next(self.steps - self.step), self.rates())
        self.step += 1
        self.history.add(self.step, self.rates().learning_rate, {"loss": loss})


class Teaching(Training):
    """A classifier's training whose weights are kept (a Building)."""

    def tensors(self) -> dict[str, Tensor]:
        """The network's weights and buffers by name."""
        return self.network.state_dict()


def train(training: Trainable, hooks: Hooks) -> None:
    """Runs `training` to its end; raises Interrupted (after saving) when asked to stop, Diverged on NaN."""
    saved = reported = time.monotonic()
    while training.step < training.steps:
        if hooks.should_stop():
            hooks.save(training.state())
            raise Interrupted(f"stopped at step {training.step} of {training.steps}")
        training.advance()
        if time.monotonic() - reported > _REPORT_SECONDS:
            hooks.report(training.step, training.steps, training.history.last())
            reported = time.monotonic()
        if time.monotonic() - saved > hooks.checkpoint_seconds:
            hooks.save(training.state())
            saved = time.monotonic()
