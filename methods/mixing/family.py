"""The parameters that ChimeraMix, HydraMix and their twins in pixel space share, and what follows from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field

from datasets.base import Dataset, get_dataset
from datasets.boxes import BoxDataset
from datasets.registry import BadInput
from methods.artifacts import Artifact
from methods.base import NO_BUDGETS, Budgets
from methods.flops import Work
from methods.identity import AsBefore
from methods.mixing.composer import Composer, Mixing, default_size
from methods.mixing.networks import Generator
from methods.mixing.recipe import GeneratorRecipe, Strides
from methods.mixing.rules import BoxRule, GridRule, HydraRule, PairRule, RangeRule, Rule
from methods.mixing.segments import Segmentation, Timing, default_scale
from methods.ranges import Amount, Positive, Share

__all__ = ["Composer", "Generated", "GridMixing", "HydraMixing", "Mixing", "SegmentMixing"]

T = TypeVar("T")


@dataclass(frozen=True)
class GridMixing(Mixing):
    """Two images, mixed by a grid of coins.

    mask_size: cells along a side. shifted: ChimeraMix's code stretches the grid by a quarter and crops it at a
    random offset; its paper does not.
    """

    mask_size: Positive = 4
    shifted: bool = True

    @property
    def rule(self) -> GridRule:
        return GridRule(self.mask_size, self.shifted)

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        resolved = super().resolve(dataset, budgets)
        places = _known(resolved.generator_size) // (4 if isinstance(self, Generated) else 1)
        if self.mask_size > places:
            raise BadInput(
                f"method '{self.name}': mask_size={self.mask_size} is more than the {places} places of a side"
            )
        return resolved


@dataclass(frozen=True)
class _Segmenting(Mixing):
    """segmentation: of every augmented image, as ChimeraMix's code does, or precomputed once of each image, as
    HydraMix section 4.1 says; then it is cropped and flipped along, but does not follow what a +augmentation does to
    the image before: it no longer fits where that shears, moves or turns it, which AutoAugment does to about 17% of
    all images and TrivialAugment to 36%. segment_scale: by default 60, and 400 for images of more than 64 pixels.
    segment_size: by stage, a generator's training segments images at generator_size and
    a classifier's at the dataset's size, as in ChimeraMix's code (FIDELITY fact 3): on ciFAIR the classifier's masks
    are coarser. native: both at the dataset's size, for precomputed segmentations."""

    segmentation: Timing = "augmented"
    segment_scale: Positive | None = None
    segment_size: Annotated[Literal["stage", "native"], AsBefore("stage")] = "stage"

    @property
    def segments(self) -> Segmentation:
        native = self.segment_size == "native"
        return Segmentation(self.segmentation, _known(self.segment_scale), self._noise, native)

    @property
    def _noise(self) -> float:
        return 0.0

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        if self.segmentation == "boxes" and not isinstance(dataset, BoxDataset):
            raise BadInput(f"method '{self.name}': segmentation=boxes, and {dataset.text} has no boxes")
        if self.segment_size == "native" and self.segmentation == "augmented":
            raise BadInput(f"method '{self.name}': segment_size=native needs segmentation=precomputed")
        return super().resolve(dataset, budgets).fill({"segment_scale": default_scale(dataset)})


@dataclass(frozen=True)
class SegmentMixing(_Segmenting):
    """Two images, mixed by segments of one of them.

    mask_rule: `range` takes the segments of a random range of ids, as the code does, `one_region` a single one
    (the paper's section 3.2), `bernoulli` a coin each (its figure 3). mask_of: whose segments, the partner's
    (1) in the code, the batch image's (0) in the paper.
    """

    mask_rule: RangeRule = "range"
    mask_of: Literal[0, 1] = 1

    @property
    def rule(self) -> PairRule:
        return PairRule(self.mask_rule, self.mask_of)


@dataclass(frozen=True)
class HydraMixing(_Segmenting):
    """Several images that overwrite each other segment by segment (HydraMix section 3.2).

    images: how many, the batch's own first. The others come from its class without replacement, itself allowed, as
    ChimeraMix's code samples them: with 5 images in a class, 4 are 3.4 different ones on average. The paper does not
    say.
    noise: the share of images whose segmentation is replaced by that of another, random image of the subset
    (section 4.8.4). The paper speaks of the masks of the method, not of a stage: here each image's precomputed
    segmentation is replaced once, with this probability, for the generator's training and the classifier's alike.
    On a dataset with boxes these are the segments (segmentation=boxes): the first image is the ground, and the others,
    of the whole subset, put some of their boxes on it (section 4.7).
    """

    images: Annotated[int, Field(ge=2)] = 4
    segmentation: Timing = "precomputed"
    noise: Share = 0.0

    @property
    def rule(self) -> Rule:
        return BoxRule(self.images) if self.segmentation == "boxes" else HydraRule(self.images)

    @property
    def _noise(self) -> float:
        return self.noise

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        of_boxes = isinstance(dataset, BoxDataset)
        if self.noise and (of_boxes or self.segmentation == "augmented"):
            raise BadInput(f"method '{self.name}': noise={self.noise} needs segmentation=precomputed")
        method = replace(self, segmentation="boxes") if of_boxes else self
        return super(HydraMixing, method).resolve(dataset, budgets)


@dataclass(frozen=True)
class Generated(Mixing):
    """Mixes features of a trained generator.

    generator: the dataset whose generator of the same size and seed is used, by default the own one (HydraMix
    table 9). What the preset spends on a generator (None here: width of its first layer, epochs, batch_size,
    images_per_class, learning_rate) is then what it spends on that dataset, and where generator_size and
    segment_scale have the classifier's dataset's defaults, the generator is trained at its own dataset's. On images
    of more than 64 pixels, images_per_class is 30 at the paper's preset as in ChimeraMix's code; its paper has 120,
    HydraMix's no number.
    blocks: residual blocks, of which the share mixing_point lies before the mixing. decoder_blocks: ChimeraMix's
    code evaluates the decoder's blocks and drops the result (bypassed); both papers describe them as active.
    strides: of the discriminator. weight_decay: Adam's; 0 in ChimeraMix's code, 0.0005 in both papers.
    d_fakes: the discriminator learns from the fakes of the generator's step (reuse) or, as in the code, from
    new ones (fresh). reconstruction: summed over the images (ChimeraMix) or averaged (HydraMix equation 3).
    """

    generator: str | None = None
    width: Positive | None = None
    epochs: Positive | None = None
    batch_size: Positive | None = None
    images_per_class: Positive | None = None
    learning_rate: Amount | None = None
    blocks: Annotated[int, Field(ge=0)] = 4
    mixing_point: Share = 0.5
    decoder_blocks: Literal["active", "bypassed"] = "active"
    strides: Strides = (2, 2, 2, 2)
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    d_fakes: Literal["reuse", "fresh"] = "reuse"
    reconstruction: Literal["sum", "mean"] = "sum"

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        home, spent = self._home(dataset), budgets.get("generator", {})
        resolved = super().resolve(dataset, budgets)
        if home.training_source == dataset.training_source:
            return replace(resolved, generator=None).fill(spent)
        return resolved.fill(budgets.get(f"generator@{home.text}", spent))

    def needs(self, dataset: Dataset, samples_per_class: int, seed: int) -> tuple[Artifact, ...]:
        if self.p_gen == 0:
            return ()
        home = self._home(dataset)
        return (Artifact(self.recipe(dataset, home), home, samples_per_class, seed),)

    def recipe(self, dataset: Dataset, home: Dataset) -> GeneratorRecipe:
        """The recipe of the generator of `home` that a classifier on `dataset` uses."""
        encoder = int(self.mixing_point * self.blocks + 0.5)
        segments = self.segments
        if segments:
            segments = replace(segments, scale=_moved(segments.scale, default_scale, dataset, home))
        return GeneratorRecipe(
            size=_moved(_known(self.generator_size), default_size, dataset, home),
            width=_known(self.width),
            encoder_blocks=encoder,
            decoder_blocks=self.blocks - encoder,
            active=self.decoder_blocks == "active",
            strides=self.strides,
            epochs=_known(self.epochs),
            batch_size=_known(self.batch_size),
            images_per_class=_known(self.images_per_class),
            learning_rate=_known(self.learning_rate),
            weight_decay=self.weight_decay,
            d_fakes=self.d_fakes,
            reconstruction=self.reconstruction,
            mask=self.rule,
            segments=segments,
            title=self._title(dataset),
        )

    def _mixing(self, dataset: Dataset, images: int) -> Work:
        return self.recipe(dataset, self._home(dataset)).mixing_work(_known(self.generator_size), images)

    def _title(self, dataset: Dataset) -> str:
        """Of the generator: the method's name, with the parameters that are not as usual on `dataset`.

        What a preset spends and which dataset's it is are said elsewhere.
        """
        usual = type(self)().resolve(dataset).parameters()
        told = [
            f"{name}={value}"
            for name, value in sorted(self.parameters().items())
            if usual[name] not in (None, value) and name != "p_gen"
        ]
        return f"{self.name} generator" + (f" ({', '.join(told)})" if told else "")

    def _home(self, dataset: Dataset) -> Dataset:
        return dataset if self.generator is None else get_dataset(self.generator)

    def _generator(self, made: tuple[object, ...]) -> Generator | None:
        generator = made[0] if made else None  # none where p_gen is 0
        assert generator is None or isinstance(generator, Generator)
        return generator


def _known(value: T | None) -> T:
    if value is None:
        raise ValueError("a parameter has no value: resolve() with a preset's budgets comes first")
    return value


def _moved(value: T, default: Callable[[Dataset], T], dataset: Dataset, home: Dataset) -> T:
    """A value that is the default of `dataset` as the default of `home`."""
    return default(home) if value == default(dataset) else value
