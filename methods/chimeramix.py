from dataclasses import dataclass
from typing import Literal

from methods.mixing.family import Generated, GridMixing, SegmentMixing
from methods.registry import register


@register("chimeramix-grid", label="ChimeraMix+Grid", source="Reinders et al., 2022")
@dataclass(frozen=True)
class ChimeraMixGrid(Generated, GridMixing):
    """A generator mixes the features of two images of a class by a grid (ChimeraMix section 3; FIDELITY section 8).

    The defaults are the published code's, which makes the paper's tables, where it differs from the paper:
    decoder blocks bypassed, discriminator strides of 2 (1 in the supplement), no weight decay, a shifted grid.
    Only d_fakes differs from the code, to save an encoding per batch.
    """

    decoder_blocks: Literal["active", "bypassed"] = "bypassed"


@register("chimeramix-seg", label="ChimeraMix+Seg", source="Reinders et al., 2022")
@dataclass(frozen=True)
class ChimeraMixSeg(Generated, SegmentMixing):
    """A generator mixes the features of two images of a class by segments (ChimeraMix section 3; FIDELITY section 8).

    Features of the batch's image lie inside the chosen segments of its partner. The defaults are the published
    code's, as in chimeramix-grid: a range of segment ids of the partner, segmented after augmentation.
    """

    decoder_blocks: Literal["active", "bypassed"] = "bypassed"
