"""The losses of a training, thinned to a few lines, with a stop at the first that is not finite."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

_LINES = 200


class Diverged(RuntimeError):
    """A loss became NaN or infinite."""


class LossHistory:
    """Means of losses over equal stretches of a training of `steps` steps: at most 200 lines.

    lines: one mapping per stretch with `step` (its last), `learning_rate` and each loss by name.
    Losses stay on their device until a stretch ends.
    """

    def __init__(self, steps: int):
        self.steps = steps
        self.lines: list[dict[str, float]] = []
        self._restored = torch.empty(0)  # losses of steps before a stop, S×L, which stay on the CPU
        self._pending: list[Tensor] = []  # one vector of losses per step since then, on their device
        self._names: list[str] = []

    def add(self, step: int, learning_rate: float, losses: Mapping[str, Tensor]) -> None:
        """Takes the losses (scalars) of step 1, 2, ...; raises Diverged, naming the step, where one is not finite."""
        self._names = list(losses)
        self._pending.append(torch.stack([loss.detach() for loss in losses.values()]))
        if step % max(1, math.ceil(self.steps / _LINES)) == 0 or step == self.steps:
            self._end_line(step, learning_rate)

    def end(self, step: int, learning_rate: float) -> None:
        """Ends the last line at a training's end that comes before step `steps`."""
        if self._pending or len(self._restored):
            self._end_line(step, learning_rate)

    def last(self) -> dict[str, float]:
        """The losses of the latest step, by name; waits for the device. Empty before the first step."""
        if self._pending or len(self._restored):
            latest = self._pending[-1] if self._pending else self._restored[-1]
            return dict(zip(self._names, latest.cpu().tolist(), strict=True))
        return {name: self.lines[-1][name] for name in self._names} if self.lines else {}

    def state(self) -> dict[str, object]:
        return {"lines": [dict(line) for line in self.lines], "pending": self._losses(), "names": list(self._names)}

    def restore(self, state: dict) -> None:
        self.lines = [dict(line) for line in state["lines"]]
        self._restored, self._pending, self._names = state["pending"].cpu(), [], list(state["names"])

    def _losses(self) -> Tensor:
        """The losses of the steps since the last line, S×L on the CPU; waits for the device, once."""
        new = torch.stack(self._pending).cpu() if self._pending else torch.empty(0)
        return torch.cat([self._restored, new])

    def _end_line(self, step: int, learning_rate: float) -> None:
        losses = self._losses()
        broken = ~losses.isfinite()
        if broken.any():
            row, column = broken.nonzero()[0].tolist()
            what = "loss" if self._names[column] == "loss" else f"{self._names[column]} loss"
            raise Diverged(f"diverged at step {step - len(losses) + row + 1}: the {what} is {losses[row, column]}")
        means = losses.mean(0).tolist()
        self.lines.append({"step": step, "learning_rate": learning_rate, **dict(zip(self._names, means, strict=True))})
        self._restored = torch.empty(0)
        self._pending.clear()
