"""The rules by which ChimeraMix and HydraMix draw mixing masks, with their parameters, as values."""

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.mixing.masks import MASK_RULES, box_mask, grid_mask, hydra_mask

RangeRule = Literal["range", "one_region", "bernoulli"]


@dataclass(frozen=True)
class Rule:
    """Draws masks B×size×size with values 0..sources-1.

    sources: images that are mixed; segmented: those of them whose segmentations `draw` is given, B×k×H×W.
    """

    kind: ClassVar[str]

    @property
    def sources(self) -> int:
        return 2

    @property
    def segmented(self) -> tuple[int, ...]:
        return ()

    def draw(self, count: int, size: int, segmentations: Tensor | None, rng: torch.Generator) -> Tensor:
        raise NotImplementedError

    @property
    def identity(self) -> dict[str, object]:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class GridRule(Rule):
    """Two images, a coin per cell of a grid; see masks.grid_mask."""

    kind = "grid"
    mask_size: int
    shifted: bool

    def draw(self, count: int, size: int, segmentations: Tensor | None, rng: torch.Generator) -> Tensor:
        return grid_mask(count, size, rng, mask_size=self.mask_size, shifted=self.shifted)


@dataclass(frozen=True)
class PairRule(Rule):
    """Two images, segments of one of them chosen by a rule; see masks.MASK_RULES."""

    kind = "pair"
    rule: RangeRule
    of: int

    @property
    def segmented(self) -> tuple[int, ...]:
        return (self.of,)

    def draw(self, count: int, size: int, segmentations: Tensor | None, rng: torch.Generator) -> Tensor:
        assert segmentations is not None
        return MASK_RULES[self.rule](segmentations, size, rng, of=0)


@dataclass(frozen=True)
class ManyRule(Rule):
    """Several images, each of which is segmented."""

    images: int

    @property
    def sources(self) -> int:
        return self.images

    @property
    def segmented(self) -> tuple[int, ...]:
        return tuple(range(self.images))


@dataclass(frozen=True)
class HydraRule(ManyRule):
    """Several images that overwrite each other segment by segment; see masks.hydra_mask."""

    kind = "hydra"

    @property
    def identity(self) -> dict[str, object]:
        """With a version where there is more than one partner: since 2 they are drawn without replacement."""
        return super().identity | ({"version": 2} if self.images > 2 else {})

    def draw(self, count: int, size: int, segmentations: Tensor | None, rng: torch.Generator) -> Tensor:
        assert segmentations is not None
        return hydra_mask(segmentations, size, rng)


@dataclass(frozen=True)
class BoxRule(ManyRule):
    """An image on which several others put some of their boxes; see masks.box_mask."""

    kind = "boxes"

    def draw(self, count: int, size: int, segmentations: Tensor | None, rng: torch.Generator) -> Tensor:
        assert segmentations is not None
        return box_mask(segmentations, size, rng)
