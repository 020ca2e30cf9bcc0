"""One update of a network: forward in mixed precision, backward, SGD."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmark.protocol import Protocol
from benchmark.training.schedule import Rates
from methods.precision import autocast
from methods.task import Batch

Criterion = Callable[[Tensor, Tensor], Tensor]


class Descent:
    """Backward and optimiser step of a loss in mixed precision.

    largest_gradient: the norm that those of all weights together are cut to; None for any.
    """

    def __init__(
        self,
        optimiser: torch.optim.Optimizer,
        precision: str,
        device: torch.device,
        largest_gradient: float | None = None,
    ):
        self.optimiser, self._largest = optimiser, largest_gradient
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def descend(self, loss: Tensor, **rates: float) -> None:
        """rates: of the optimiser's, by its names."""
        for group in self.optimiser.param_groups:
            group.update(rates)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self._largest is not None:
            self.scaler.unscale_(self.optimiser)
            learning = [weight for group in self.optimiser.param_groups for weight in group["params"]]
            nn.utils.clip_grad_norm_(learning, self._largest)
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def state(self) -> dict[str, object]:
        return {"optimiser": self.optimiser.state_dict(), "scaler": self.scaler.state_dict()}

    def restore(self, state: dict) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])


class Update(Descent):
    """Forward, backward and optimiser step of one batch, by SGD."""

    def __init__(
        self,
        network: nn.Module,
        criterion: Criterion,
        protocol: Protocol,
        precision: str,
        device: torch.device,
    ):
        self.network, self.criterion, self.precision, self.device = network, criterion, precision, device
        optimiser = torch.optim.SGD(
            _groups(network),
            lr=protocol.learning_rate,
            momentum=protocol.momentum,
            nesterov=protocol.nesterov and protocol.momentum > 0,
            weight_decay=protocol.weight_decay,
            fused=True,
        )
        super().__init__(optimiser, precision, device)

    def __call__(self, batch: Batch, rates: Rates) -> Tensor:
        """Updates the network; returns the loss as a scalar on the device, without waiting for it."""
        with autocast(self.precision, self.device):
            logits = self.network(batch.images)
        loss = self.criterion(logits.float(), batch.targets)
        self.descend(loss, lr=rates.learning_rate, momentum=rates.momentum)
        return loss.detach()


def _groups(network: nn.Module) -> list[dict]:
    """The network's parameters as the optimiser takes them, those of its `no_weight_decay` apart."""
    free = network.no_weight_decay() if hasattr(network, "no_weight_decay") else set()  # type: ignore[operator]
    decayed = [parameter for name, parameter in network.named_parameters() if name not in free]
    rest = [parameter for name, parameter in network.named_parameters() if name in free]
    return [{"params": decayed}, *([{"params": rest, "weight_decay": 0.0}] if rest else [])]
