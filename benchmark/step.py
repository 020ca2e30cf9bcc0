"""One update of the network: forward in mixed precision, backward, SGD."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmark.protocol import Protocol
from methods.base import Batch
from methods.precision import autocast

Criterion = Callable[[Tensor, Tensor], Tensor]


class Update:
    """Forward, backward and optimiser step of one batch; Nesterov SGD with weight decay on all parameters."""

    def __init__(
        self, network: nn.Module, criterion: Criterion, protocol: Protocol, precision: str, device: torch.device
    ):
        self.network, self.criterion, self.precision, self.device = network, criterion, precision, device
        self.optimiser = torch.optim.SGD(
            network.parameters(),
            lr=protocol.learning_rate,
            momentum=protocol.momentum,
            nesterov=protocol.momentum > 0,
            weight_decay=protocol.weight_decay,
            fused=True,
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def __call__(self, batch: Batch, learning_rate: float) -> Tensor:
        """Updates the network; returns the loss as a scalar on the device, without waiting for it."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.zero_grad(set_to_none=True)
        with autocast(self.precision, self.device):
            logits = self.network(batch.images)
        loss = self.criterion(logits.float(), batch.targets)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return loss.detach()

    def state(self) -> dict[str, object]:
        return {"optimiser": self.optimiser.state_dict(), "scaler": self.scaler.state_dict()}

    def restore(self, state: dict) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
