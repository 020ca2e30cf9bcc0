"""Named random streams derived from (seed, purpose)."""

import torch
from torch import Tensor

from methods.streams import derive, stream

_STREAMS = ("order", "views", "augmentation", "mixing")


class Streams:
    """One generator per purpose, so that a method which draws more from one leaves the others untouched.

    order: which images make a batch; views: crop and flip; augmentation and mixing: a method's hooks.
    Dropout draws from torch's global stream, which `start_training` seeds.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self.order, self.views, self.augmentation, self.mixing = (stream(seed, name) for name in _STREAMS)

    def start_network(self) -> None:
        """Call before a network is built: its initial weights depend on the seed alone."""
        torch.manual_seed(derive(self.seed, "init"))

    def start_training(self) -> None:
        torch.manual_seed(derive(self.seed, "dropout"))

    def state(self) -> dict[str, Tensor]:
        return {name: getattr(self, name).get_state() for name in _STREAMS}

    def restore(self, states: dict[str, Tensor]) -> None:
        for name in _STREAMS:
            getattr(self, name).set_state(states[name])


def global_state() -> dict[str, Tensor]:
    """torch's own random states, which dropout draws from."""
    cuda = {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_initialized() else {}
    return {"cpu": torch.get_rng_state()} | cuda


def restore_global_state(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_initialized():
        torch.cuda.set_rng_state(states["cuda"])
