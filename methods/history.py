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
        self._pending: list[Tensor] = []  # one vector of losses per step
        self._names: list[str] = []

    def add(self, step: int, learning_rate: float, losses: Mapping[str, Tensor]) -> None:
        """Takes the losses (scalars) of step 1, 2, ...; raises Diverged, naming the step, where one is not finite."""
        self._names = list(losses)
        self._pending.append(torch.stack([loss.detach() for loss in losses.values()]))
        if step % max(1, math.ceil(self.steps / _LINES)) == 0 or step == self.steps:
            self._end_line(step, learning_rate)

    def end(self, step: int, learning_rate: float) -> None:
        """Ends the last line at a training's end that comes before step `steps`."""
        if self._pending:
            self._end_line(step, learning_rate)

    def last(self) -> dict[str, float]:
        """The losses of the latest step, by name; waits for the device. Empty before the first step."""
        if self._pending:
            return dict(zip(self._names, self._pending[-1].tolist(), strict=True))
        return {name: self.lines[-1][name] for name in self._names} if self.lines else {}

    def state(self) -> dict[str, object]:
        pending = torch.stack(self._pending).cpu() if self._pending else torch.empty(0)
        return {"lines": [dict(line) for line in self.lines], "pending": pending, "names": list(self._names)}

    def restore(self, state: dict) -> None:
        self.lines = [dict(line) for line in state["lines"]]
        self._pending, self._names = list(state["pending"]), list(state["names"])

    def _end_line(self, step: int, learning_rate: float) -> None:
        losses = torch.stack([row.cpu() for row in self._pending])
        broken = ~losses.isfinite()
        if broken.any():
            row, column = broken.nonzero()[0].tolist()
            what = "loss" if self._names[column] == "loss" else f"{self._names[column]} loss"
            raise Diverged(f"diverged at step {step - len(losses) + row + 1}: the {what} is {losses[row, column]}")
        means = losses.mean(0).tolist()
        self.lines.append({"step": step, "learning_rate": learning_rate, **dict(zip(self._names, means, strict=True))})
        self._pending.clear()
