"""The training of a student and of its moving average, the teacher (FIDELITY section 14), which can stop and go on."""

import math
from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from methods.base import Method
from methods.distillation.loss import Distillation
from methods.distillation.networks import Distilled
from methods.distillation.views import ViewBatches
from methods.history import LossHistory
from methods.streams import derive
from methods.task import Task

if TYPE_CHECKING:
    from methods.distillation.recipe import DinoRecipe

_BATCH = 256  # at which a learning rate is named
_WARM_UP, _FROZEN = 0.1, 0.01  # shares of the training: 10 of 100 epochs, and the first one for the last layer
_LEAST_RATE = 1e-6
_WEIGHT_DECAY = 1e-4
_CLIP = 3.0  # the largest norm of a parameter's gradient


class DinoTraining:
    """A training in progress (a Building). mixing: prepared for the task, or None."""

    def __init__(self, recipe: "DinoRecipe", task: Task, mixing: Method | None):
        self.recipe, self.task = recipe, task
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(task.seed, "dino init"))
            student = recipe.network()
        self.student = student.to(task.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.teacher = deepcopy(self.student).requires_grad_(False)
        self.loss = Distillation(recipe.outputs, task.device)
        self.optimiser = SGD(_groups(self.student), momentum=0.9, fused=True)
        self._scaler = torch.amp.GradScaler(task.device.type, enabled=task.precision == "fp16")
        self.batches = ViewBatches(recipe, task, mixing)
        self.step, self.steps = 0, recipe.steps(task.samples_per_class, task.num_classes)
        self.images_seen = recipe.images(task.samples_per_class, task.num_classes)
        self.history = LossHistory(self.steps)

    def learning_rate(self) -> float:
        """Up to the recipe's, scaled by the batch, in a tenth of the steps, then down along half a cosine."""
        highest = self.recipe.learning_rate * self.recipe.batch_size / _BATCH
        warm = int(_WARM_UP * self.steps)
        if self.step < warm:
            return highest * self.step / max(warm - 1, 1)
        return _cosine(highest, min(_LEAST_RATE, highest), (self.step - warm) / (self.steps - warm))

    def teacher_momentum(self) -> float:
        """What the teacher keeps of itself in a step: up to 1 along half a cosine."""
        return _cosine(self.recipe.teacher_momentum, 1.0, self.step / self.steps)

    def advance(self) -> None:
        losses = self.losses(self.batches.next())
        self._update(losses["loss"])
        self._follow()
        self.step += 1
        self.history.add(self.step, self.learning_rate(), losses)

    def losses(self, views: list[Tensor]) -> dict[str, Tensor]:
        """Of a batch's views, global ones first; both networks use its own statistics, and the centre moves."""
        with self.task.autocast():
            student = self.student(views)
            with torch.no_grad():
                teacher = self.teacher(views[:1])
        return self.loss(student.float(), teacher.float())

    def state(self) -> dict[str, object]:
        return {
            "step": self.step,
            "centre": self.loss.centre.clone(),
            "parts": {name: part.state_dict() for name, part in self._parts().items()},
            "batches": self.batches.state(),
            "history": self.history.state(),
        }

    def restore(self, state: dict) -> None:
        self.step = state["step"]
        self.loss.centre.copy_(state["centre"])
        for name, part in self._parts().items():
            part.load_state_dict(state["parts"][name])
        self.batches.restore(state["batches"])
        self.history.restore(state["history"])

    def tensors(self) -> dict[str, Tensor]:
        """The teacher's backbone."""
        return {name: value.cpu().contiguous() for name, value in self.teacher.backbone.state_dict().items()}

    def _update(self, loss: Tensor) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self.optimiser)
        clip(self.student, _CLIP)
        if self.step < _FROZEN * self.steps:
            self.student.head.last.weight.grad = None
        self._scaler.step(self.optimiser)
        self._scaler.update()

    @torch.no_grad()
    def _follow(self) -> None:
        """The teacher's weights a step towards the student's; its batch norms count for themselves."""
        teacher, student = (list(network.parameters()) for network in (self.teacher, self.student))
        torch._foreach_lerp_(teacher, student, 1 - self.teacher_momentum())

    def _parts(self) -> "dict[str, nn.Module | Optimizer | torch.amp.GradScaler]":
        return {
            "student": self.student,
            "teacher": self.teacher,
            "optimiser": self.optimiser,
            "scaler": self._scaler,
        }


def clip(network: nn.Module, most: float) -> None:
    """Scales each parameter's gradient by itself to a norm of at most `most`."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    torch._foreach_mul_(gradients, list((most / (norms + 1e-6)).clamp(max=1).unbind()))


def _groups(network: Distilled) -> list[dict]:
    """All weights decay but biases and what norms learn. The last layer stands alone: at first it has no gradient."""
    last = network.head.last.weight
    rest = [parameter for parameter in network.parameters() if parameter is not last]
    decayed = [parameter for parameter in rest if parameter.dim() > 1]
    free = [parameter for parameter in rest if parameter.dim() <= 1]
    groups = ((decayed, _WEIGHT_DECAY), (free, 0.0), ([last], _WEIGHT_DECAY))
    return [{"params": parameters, "weight_decay": decay} for parameters, decay in groups]


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * share))
