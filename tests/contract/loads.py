"""What a training step may ask of a device: as measured, to be lowered and never raised without a reason.

The pretend device counts (tests/contract/pretend.py) a step in which the method does what it is for (p_gen=1), with
torch 2.14. A wait stops the queue of a GPU; a copy is one from the host.
"""

from typing import NamedTuple


class Load(NamedTuple):
    """waits: of the host for the device; copies: from the host; operators: on the device."""

    waits: int
    copies: int
    operators: int


RUNS = {
    "baseline": Load(0, 4, 89),
    "glico": Load(3, 7, 132),
    "supermix": Load(0, 7, 101),
    "scattering": Load(0, 4, 337),
    "autoaugment": Load(2, 5, 89),
    "trivialaugment": Load(2, 5, 89),
    "chimeramix-grid": Load(1, 8, 143),
    "chimeramix-seg": Load(3, 9, 171),
    "cosine": Load(0, 4, 104),
    "cutout": Load(1, 5, 90),
    "gridmix": Load(1, 8, 102),
    "hydramix": Load(2, 12, 189),
    "mixup": Load(1, 5, 95),
    "mixupn": Load(3, 7, 103),
    "nmix": Load(2, 12, 128),
    "random-erasing": Load(2, 6, 90),
    "segmix": Load(3, 9, 130),
    "glico+autoaugment": Load(5, 8, 132),
    "supermix+autoaugment": Load(4, 9, 101),
    "scattering+autoaugment": Load(2, 5, 337),
    "chimeramix-grid+autoaugment": Load(5, 10, 143),
    "chimeramix-seg+autoaugment": Load(7, 11, 171),
    "cosine+autoaugment": Load(2, 5, 104),
    "cutout+autoaugment": Load(3, 6, 90),
    "gridmix+autoaugment": Load(5, 10, 102),
    "hydramix+autoaugment": Load(6, 14, 189),
    "mixup+autoaugment": Load(3, 6, 95),
    "mixupn+autoaugment": Load(5, 8, 103),
    "nmix+autoaugment": Load(6, 14, 128),
    "random-erasing+autoaugment": Load(4, 7, 90),
    "segmix+autoaugment": Load(7, 11, 130),
}
# by the method that has it trained, then by the kind of training
WHAT_IS_TRAINED_FIRST = {
    "glico": {"Fitting": Load(2, 3, 197)},
    "supermix": {"Teaching": Load(0, 4, 89), "MixedSetBuilding": Load(19, 6, 148)},
    "chimeramix-grid": {"GeneratorTraining": Load(2, 5, 275)},
    "chimeramix-seg": {"GeneratorTraining": Load(4, 6, 303)},
    "hydramix": {"GeneratorTraining": Load(3, 7, 341)},
}
