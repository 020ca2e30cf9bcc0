"""DINO's loss: the student's view of one crop against the teacher's view of another, centred and sharpened."""

import torch
from torch import Tensor
from torch.nn import functional

GLOBAL_VIEWS = 2  # what the teacher sees
_STUDENT, _TEACHER = 0.1, 0.04  # temperatures
_CENTRE_MOMENTUM = 0.9


class Distillation:
    """The loss, with the running mean of the teacher's outputs that it subtracts. centre: 1×outputs, on the device."""

    def __init__(self, outputs: int, device: torch.device):
        self.centre = torch.zeros(1, outputs, device=device)

    def __call__(self, student: Tensor, teacher: Tensor) -> dict[str, Tensor]:
        """The loss and the entropy of the teacher's opinions, scalars in nats; moves the centre.

        student: (2+k)·B×outputs, the views one after the other, global ones first; teacher: 2·B×outputs. The mean
        over all pairs of a teacher's view and another one of the student's.
        """
        opinions = functional.softmax((teacher - self.centre) / _TEACHER, 1)
        views = functional.log_softmax(student / _STUDENT, 1).unflatten(0, (-1, len(teacher) // GLOBAL_VIEWS))
        pairs = -torch.einsum("tbo,sbo->ts", opinions.unflatten(0, (GLOBAL_VIEWS, -1)), views) / views.shape[1]
        same = pairs.diagonal().sum()
        loss = (pairs.sum() - same) / (GLOBAL_VIEWS * (len(views) - 1))
        self.centre = self.centre.lerp(teacher.mean(0, keepdim=True), 1 - _CENTRE_MOMENTUM)
        return {"loss": loss, "entropy": torch.special.entr(opinions).sum(1).mean()}
