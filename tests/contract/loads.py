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
    "baseline": Load(0, 1, 77),
    "glico": Load(0, 1, 120),
    "supermix": Load(0, 1, 77),
    "diffusemix": Load(0, 1, 77),
    "scattering": Load(0, 1, 325),
    "autoaugment": Load(0, 1, 77),
    "trivialaugment": Load(0, 1, 77),
    "chimeramix-grid": Load(0, 1, 123),
    "chimeramix-seg": Load(0, 1, 123),
    "cosine": Load(0, 1, 92),
    "cutout": Load(0, 1, 77),
    "dino": Load(0, 1, 82),
    "gridmix": Load(0, 1, 82),
    "hydramix": Load(0, 1, 147),
    "mixup": Load(0, 1, 77),
    "mixupn": Load(0, 1, 77),
    "nmix": Load(0, 1, 86),
    "original": Load(0, 1, 77),
    "random-erasing": Load(0, 1, 77),
    "segmix": Load(0, 1, 82),
    "glico+autoaugment": Load(0, 1, 120),
    "supermix+autoaugment": Load(0, 1, 77),
    "diffusemix+autoaugment": Load(0, 1, 77),
    "scattering+autoaugment": Load(0, 1, 325),
    "chimeramix-grid+autoaugment": Load(0, 1, 123),
    "chimeramix-seg+autoaugment": Load(0, 1, 123),
    "cosine+autoaugment": Load(0, 1, 92),
    "cutout+autoaugment": Load(0, 1, 77),
    "dino+autoaugment": Load(0, 1, 82),
    "gridmix+autoaugment": Load(0, 1, 82),
    "hydramix+autoaugment": Load(0, 1, 147),
    "mixup+autoaugment": Load(0, 1, 77),
    "mixupn+autoaugment": Load(0, 1, 77),
    "nmix+autoaugment": Load(0, 1, 86),
    "original+autoaugment": Load(0, 1, 77),
    "random-erasing+autoaugment": Load(0, 1, 77),
    "segmix+autoaugment": Load(0, 1, 82),
    "chimeramix-seg(d_fakes=fresh)": Load(0, 1, 123),
}
# a detector's step: but for two copies, of compositions and of the batch, it is torchvision's, and depends on how many
# boxes it proposes
DETECTION = Load(60, 30, 1100)
# by the method that has it trained, then by the kind of training
WHAT_IS_TRAINED_FIRST = {
    "glico": {"Fitting": Load(0, 1, 197)},
    "diffusemix": {"DiffusedSetBuilding": Load(0, 0, 0)},
    "supermix": {"Teaching": Load(0, 1, 77), "MixedSetBuilding": Load(1, 1, 133)},
    "chimeramix-grid": {"GeneratorTraining": Load(0, 1, 275)},
    "chimeramix-seg": {"GeneratorTraining": Load(0, 1, 275)},
    "hydramix": {"GeneratorTraining": Load(0, 1, 323)},
    "dino": {"DinoTraining": Load(0, 1, 896)},
    "chimeramix-seg(d_fakes=fresh)": {"GeneratorTraining": Load(0, 1, 321)},
}
