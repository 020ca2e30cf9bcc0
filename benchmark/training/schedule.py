"""What the optimiser's rates are at each step."""

import math
from typing import NamedTuple

from benchmark.protocol import Protocol

# of the one-cycle schedule, torch's defaults but for the start, which the scattering paper sets (FIDELITY section 13)
_RISE = 0.3  # share of the steps
_START, _END = 1 / 25, 1 / 25e4  # of the highest learning rate
_MOMENTUM_DIP = 0.1


class Rates(NamedTuple):
    """What changes from step to step."""

    learning_rate: float
    momentum: float


def rates(protocol: Protocol, step: int, steps: int) -> Rates:
    """Those of step 0, 1, ... of a training of `steps` steps."""
    return (_one_cycle if protocol.schedule == "onecycle" else _cosine)(protocol, step, steps)


def _cosine(protocol: Protocol, step: int, steps: int) -> Rates:
    """From the protocol's learning rate to 0 over all steps, without warm-up."""
    return Rates(protocol.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps)), protocol.momentum)


def _one_cycle(protocol: Protocol, step: int, steps: int) -> Rates:
    """Up to the protocol's learning rate and down again, while momentum dips below the protocol's (Smith, 2018)."""
    peak, last = _RISE * steps - 1, steps - 1
    if step <= peak:
        height, lowest = _swing(step / peak), _START
    else:
        height, lowest = _swing((last - min(step, last)) / (last - peak)), _END
    dip = min(_MOMENTUM_DIP, protocol.momentum)
    return Rates(protocol.learning_rate * (lowest + (1 - lowest) * height), protocol.momentum - dip * height)


def _swing(share: float) -> float:
    """From 0 to 1 along half a cosine."""
    return 0.5 * (1 - math.cos(math.pi * share))
