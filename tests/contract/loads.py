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
    "baseline": Load(0, 3, 89),
    "glico": Load(0, 6, 132),
    "supermix": Load(0, 6, 101),
    "diffusemix": Load(0, 7, 97),
    "scattering": Load(0, 3, 337),
    "autoaugment": Load(1, 4, 89),
    "trivialaugment": Load(1, 4, 89),
    "chimeramix-grid": Load(0, 7, 143),
    "chimeramix-seg": Load(1, 7, 144),
    "cosine": Load(0, 3, 104),
    "cutout": Load(0, 4, 90),
    "dino": Load(0, 3, 94),
    "gridmix": Load(0, 7, 102),
    "hydramix": Load(0, 7, 167),
    "mixup": Load(0, 4, 95),
    "mixupn": Load(0, 6, 103),
    "nmix": Load(0, 7, 106),
    "original": Load(0, 3, 89),
    "random-erasing": Load(0, 5, 90),
    "segmix": Load(1, 7, 103),
    "glico+autoaugment": Load(1, 7, 132),
    "supermix+autoaugment": Load(2, 8, 101),
    "diffusemix+autoaugment": Load(2, 9, 97),
    "scattering+autoaugment": Load(1, 4, 337),
    "chimeramix-grid+autoaugment": Load(2, 9, 143),
    "chimeramix-seg+autoaugment": Load(3, 9, 144),
    "cosine+autoaugment": Load(1, 4, 104),
    "cutout+autoaugment": Load(1, 5, 90),
    "dino+autoaugment": Load(1, 4, 94),
    "gridmix+autoaugment": Load(2, 9, 102),
    "hydramix+autoaugment": Load(2, 9, 167),
    "mixup+autoaugment": Load(1, 5, 95),
    "mixupn+autoaugment": Load(1, 7, 103),
    "nmix+autoaugment": Load(2, 9, 106),
    "original+autoaugment": Load(1, 4, 89),
    "random-erasing+autoaugment": Load(1, 6, 90),
    "segmix+autoaugment": Load(3, 9, 103),
}
# by the method that has it trained, then by the kind of training
WHAT_IS_TRAINED_FIRST = {
    "glico": {"Fitting": Load(0, 2, 197)},
    "diffusemix": {"DiffusedSetBuilding": Load(0, 0, 0)},
    "supermix": {"Teaching": Load(0, 3, 89), "MixedSetBuilding": Load(3, 5, 142)},
    "chimeramix-grid": {"GeneratorTraining": Load(0, 4, 275)},
    "chimeramix-seg": {"GeneratorTraining": Load(1, 4, 276)},
    "hydramix": {"GeneratorTraining": Load(0, 4, 323)},
    "dino": {"DinoTraining": Load(0, 5, 899)},
}
