"""Kinds that look at a set of images with a network that others trained."""

from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from benchmark.kinds.base import Measure, register_kind
from benchmark.protocol import Positive
from benchmark.reference import INCEPTION_FLOPS, RealFeatures
from benchmark.weights import CLIP, INCEPTION, get_weights
from benchmark.wordnet import EDITION, wordnet_missing
from datasets.base import Dataset
from methods.artifacts import Artifact
from methods.flops import Work
from methods.registry import parse_method

_CLIP_FLOPS = 3.5e10  # of an image through ViT-B/16 at 224 pixels


class SetMeasure(Measure):
    """Of a set of images that a method makes of the subset, seen by a network whose weights it names.

    batch_size: of one class, that a method mixes at a time; padding: of their crops; both as while a classifier is
    trained. precision: of the network too, so fp32 unless told.
    """

    weights: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()  # of the extra `analyses`, by the names that they are imported by
    image_flops: ClassVar[float]  # floating-point operations of an image through the network

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32"
    batch_size: Positive
    padding: Annotated[int, Field(ge=0)]

    @property
    def identity(self) -> dict[str, object]:
        return super().identity | {"weights": get_weights(self.weights).identity}

    @property
    def missing(self) -> str:
        weights = get_weights(self.weights)
        absent = [name for name in self.packages if find_spec(name) is None]
        lacking = f"no package {', '.join(absent)} here: pip install -e '.[analyses]'" if absent else ""
        return "; ".join(filter(None, ("" if weights.available() else weights.missing(), lacking)))

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        return Work(flops=self.image_flops * self.images(samples_per_class, num_classes))


class ClassSetMeasure(SetMeasure):
    """Of each class by itself. per_class: images of each."""

    per_class: Positive

    @property
    def conditions(self) -> str:
        return f"of {self.per_class:,} images per class"

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return num_classes * self.per_class

    def steps(self, samples_per_class: int, num_classes: int) -> int:
        return num_classes * -(-self.per_class // self.batch_size)


@register_kind
class SynsetEntropy(ClassSetMeasure):
    """CLIP Synset Entropy: over how many kinds of its class a set spreads (HydraMix, section 4.5).

    tau: the temperature of the softmax over a class's synsets.
    """

    kind: ClassVar[str] = "cse"
    metrics: ClassVar[tuple[str, ...]] = ("cse",)
    weights: ClassVar[str] = CLIP
    packages: ClassVar[tuple[str, ...]] = ("open_clip",)
    image_flops: ClassVar[float] = _CLIP_FLOPS

    tau: Annotated[float, Field(gt=0)] = 1 / 100

    @property
    def identity(self) -> dict[str, object]:
        return super().identity | {"wordnet": EDITION}

    @property
    def missing(self) -> str:
        return "; ".join(filter(None, (super().missing, wordnet_missing())))


@register_kind
class Embedding(ClassSetMeasure):
    """CLIP's features of one class in the plane, by PaCMAP: originals, the method's images and another's beside them
    (HydraMix, Figure 9).

    class_name: the class; beside: a method that trains nothing first.
    """

    kind: ClassVar[str] = "embedding"
    metrics: ClassVar[tuple[str, ...]] = ("nearest",)
    weights: ClassVar[str] = CLIP
    packages: ClassVar[tuple[str, ...]] = ("open_clip", "pacmap")
    image_flops: ClassVar[float] = _CLIP_FLOPS

    class_name: str = "airplane"
    beside: str = "mixup"

    @property
    def identity(self) -> dict[str, object]:
        return super().identity | {"beside": parse_method(self.beside).identity}

    @property
    def conditions(self) -> str:
        return f"of {self.per_class:,} images of class {self.class_name}"

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return samples_per_class + 2 * self.per_class

    def steps(self, samples_per_class: int, num_classes: int) -> int:
        return -(-samples_per_class // self.batch_size) + 2 * -(-self.per_class // self.batch_size)


class WholeSetMeasure(SetMeasure):
    """Of all classes at once, seen by Inception, beside real training images.

    total: images of the set, equally many of each class. reference: training images, likewise, one draw for all seeds;
    None for all that are here.
    """

    weights: ClassVar[str] = INCEPTION
    image_flops: ClassVar[float] = INCEPTION_FLOPS

    total: Annotated[int, Field(ge=2)]
    reference: Annotated[int, Field(ge=2)] | None = None

    @property
    def conditions(self) -> str:
        others = f"{self.reference:,} training images" if self.reference else "all training images that are here"
        return f"of {self.total:,} images beside {others}"

    def needs(self, dataset: Dataset, seed: int) -> tuple[Artifact, ...]:
        return (RealFeatures(dataset, "train", self.reference, self.precision).of(seed=0),)

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return self.total

    def steps(self, samples_per_class: int, num_classes: int) -> int:
        each, more = divmod(self.total, num_classes)
        return more * -(-(each + 1) // self.batch_size) + (num_classes - more) * -(-each // self.batch_size)


@register_kind
class InceptionDistance(WholeSetMeasure):
    """FID and KID × 1000 of a set from training images, and of as many test images, which nothing can be expected to
    be below (ChimeraMix, Figure 4). Both depend on the number of images, FID strongly."""

    kind: ClassVar[str] = "fid"
    metrics: ClassVar[tuple[str, ...]] = ("fid", "kid", "fid_real", "kid_real")

    @property
    def conditions(self) -> str:
        return super().conditions.replace("beside", "against")

    def needs(self, dataset: Dataset, seed: int) -> tuple[Artifact, ...]:
        """The reference, and test images that the seed draws."""
        return *super().needs(dataset, seed), RealFeatures(dataset, "test", self.total, self.precision).of(seed)


@register_kind
class InceptionEmbedding(WholeSetMeasure):
    """Inception's features of all classes in the plane, by PyMDE: training images, originals and the method's images
    (ChimeraMix, Figure 5)."""

    kind: ClassVar[str] = "mde"
    metrics: ClassVar[tuple[str, ...]] = ("nearest",)
    packages: ClassVar[tuple[str, ...]] = ("pymde",)

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return samples_per_class * num_classes + self.total

    def steps(self, samples_per_class: int, num_classes: int) -> int:
        originals = -(-samples_per_class * num_classes // self.batch_size)
        return originals + super().steps(samples_per_class, num_classes)
