"""Kinds of protocol: what a run does with its subset. `classify` trains a classifier (benchmark/protocol.py); the
others measure something else, each by a module of benchmark/measures of the kind's name."""

from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field

from benchmark.config import Config
from benchmark.protocol import Positive, Protocol, Share, layered, load_preset, make_protocol, require_labels
from benchmark.reference import INCEPTION_FLOPS, RealFeatures
from benchmark.weights import CLIP, INCEPTION, get_weights
from benchmark.wordnet import EDITION, wordnet_missing
from datasets.base import Dataset
from datasets.boxes import BoxDataset
from datasets.registry import BadInput, unknown
from methods.artifacts import Artifact
from methods.base import Method
from methods.baseline import Baseline
from methods.identity import hashed_fields
from methods.mixing.family import HydraMixing
from methods.registry import parse_method
from results.records import CLASSIFY

M = TypeVar("M", bound="Measure")

SCRATCH = "scratch"  # in the place of a backbone's weights
_CLIP_FLOPS = 3.5e10  # of an image through ViT-B/16 at 224 pixels
_PYRAMID_FLOPS = {"resnet18": 2.73e5, "resnet50": 3.75e5}  # forward, per pixel of an image
_PROPOSAL_FLOPS = 2.86e7
_TRAINED = 3  # forward passes that a training step costs


class Measure(Config):
    """The protocol of a run that measures something other than a classifier's accuracy; all of it enters its key.

    A kind derives from it and says its metrics, of which the first is what figures and comparisons show.
    """

    kind: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"

    @property
    def identity(self) -> dict[str, object]:
        """What enters a run's key."""
        return {"kind": self.kind, **hashed_fields(type(self), self.model_dump())}

    @property
    def network(self) -> str:
        """What runs of like cost have in common."""
        return self.kind

    @property
    def missing(self) -> str:
        """What keeps it from running here and how to get it; "" where nothing does. Asked without torch."""
        return ""

    @property
    def conditions(self) -> str:
        """What a caption must say of the numbers, the count of images first of all."""
        raise NotImplementedError

    @classmethod
    def require(cls, method: Method, dataset: Dataset) -> None:
        """Raises BadInput for a resolved method or a dataset that it cannot be of."""
        require_labels(dataset)

    def needs(self, dataset: Dataset, seed: int) -> tuple[Artifact, ...]:
        """The artifacts that it uses besides the method's, behind which they are loaded."""
        return ()

    def images(self, samples_per_class: int, num_classes: int) -> int:
        """Images that it looks at."""
        raise NotImplementedError

    def steps(self, samples_per_class: int, num_classes: int) -> int:
        """Steps between which it can be stopped."""
        raise NotImplementedError

    def flops(self) -> float:
        """Floating-point operations per image."""
        raise NotImplementedError


_KINDS: dict[str, type[Measure]] = {}


def register_kind(cls: type[M]) -> type[M]:
    """Adds a kind under its name."""
    _KINDS[cls.kind] = cls
    return cls


class SetMeasure(Measure):
    """Of a set of images that a method makes of the subset, seen by a network whose weights it names.

    batch_size: of one class, that a method mixes at a time; padding: of their crops; both as while a classifier is
    trained. precision: of the network too, so fp32 unless told.
    """

    weights: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()  # of the extra `analyses`, by the names that they are imported by

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

    tau: Annotated[float, Field(gt=0)] = 1 / 100

    @property
    def identity(self) -> dict[str, object]:
        return super().identity | {"wordnet": EDITION}

    @property
    def missing(self) -> str:
        return "; ".join(filter(None, (super().missing, wordnet_missing())))

    def flops(self) -> float:
        return _CLIP_FLOPS


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

    def flops(self) -> float:
        return _CLIP_FLOPS


class WholeSetMeasure(SetMeasure):
    """Of all classes at once, seen by Inception, beside real training images.

    total: images of the set, equally many of each class. reference: training images, one draw for all seeds; None for
    all that are there.
    """

    weights: ClassVar[str] = INCEPTION

    total: Annotated[int, Field(ge=2)]
    reference: Annotated[int, Field(ge=2)] | None = None

    @property
    def conditions(self) -> str:
        return f"of {self.total:,} images beside {f'{self.reference:,}' if self.reference else 'all'} training images"

    def needs(self, dataset: Dataset, seed: int) -> tuple[Artifact, ...]:
        return (RealFeatures(dataset, "train", self.reference, self.precision).of(seed=0),)

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return self.total

    def steps(self, samples_per_class: int, num_classes: int) -> int:
        each, more = divmod(self.total, num_classes)
        return more * -(-(each + 1) // self.batch_size) + (num_classes - more) * -(-each // self.batch_size)

    def flops(self) -> float:
        return INCEPTION_FLOPS


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


@register_kind
class Detection(Measure):
    """A Faster R-CNN trained on the subset's boxes and its average precision (HydraMix Table 8).

    The paper gives none of these (FIDELITY section 14 in docs/fidelity.md). body: the ResNet under the detector's
    feature pyramid. backbone: the name of its ImageNet weights (benchmark/weights.py), or `scratch`. batch_size: images
    of a step. warmup: steps in which the learning rate rises to its height, from where it falls to 0 along a cosine.
    short_side, long_side: pixels to which images are brought, at most; smallest_scale: of short_side, the least that a
    training image is brought to. proposals: boxes per image that the second stage learns from. box_score_thresh:
    detections below it do not count, which matters where AP is about 1%.
    """

    kind: ClassVar[str] = "detection"
    metrics: ClassVar[tuple[str, ...]] = ("ap", "ap50", "ap75")

    body: Literal["resnet50", "resnet18"]
    backbone: str
    training_steps: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    momentum: Share
    weight_decay: Annotated[float, Field(ge=0)]
    warmup: Annotated[int, Field(ge=0)]
    short_side: Annotated[int, Field(ge=32)]
    long_side: Annotated[int, Field(ge=32)]
    smallest_scale: Annotated[float, Field(gt=0, le=1)]
    proposals: Positive
    box_score_thresh: Share

    @property
    def identity(self) -> dict[str, object]:
        weights = {} if self.backbone == SCRATCH else {"weights": get_weights(self.backbone).identity}
        return super().identity | weights

    @property
    def network(self) -> str:
        return f"{self.kind} {self.body}"

    @property
    def missing(self) -> str:
        weights = None if self.backbone == SCRATCH else get_weights(self.backbone)
        lacking = weights.missing() if weights and not weights.available() else ""
        tool = "" if find_spec("pycocotools") else "AP needs pycocotools: pip install -e '.[detection]'"
        return "; ".join(filter(None, (lacking, tool)))

    @property
    def conditions(self) -> str:
        start = "trained from scratch" if self.backbone == SCRATCH else f"with weights {self.backbone}"
        return f"of a Faster R-CNN on {self.body} {start}, {self.training_steps:,} steps of {self.batch_size} images"

    @classmethod
    def require(cls, method: Method, dataset: Dataset) -> None:
        if not isinstance(dataset, BoxDataset):
            raise BadInput(f"{cls.kind}: dataset '{dataset.text}' has no boxes; coco has")
        if not isinstance(method, (Baseline, HydraMixing)):
            raise BadInput(f"{cls.kind}: {method.name} does not know boxes; baseline, hydramix and nmix do")

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return self.training_steps * self.batch_size

    def steps(self, samples_per_class: int, num_classes: int) -> int:
        return self.training_steps

    def flops(self) -> float:
        pixels = self.short_side * self.long_side
        return _TRAINED * (_PYRAMID_FLOPS[self.body] * pixels + _PROPOSAL_FLOPS * self.proposals)


def kinds() -> list[str]:
    """The names of all kinds, `classify` first."""
    return [CLASSIFY, *sorted(_KINDS)]


def protocol_of(kind: str) -> type[Protocol] | type[Measure]:
    """The protocol class of a kind; raises BadInput for an unknown one."""
    if kind == CLASSIFY:
        return Protocol
    if kind not in _KINDS:
        raise unknown("measure", kind, kinds())
    return _KINDS[kind]


def metrics_of(kind: str) -> tuple[str, ...]:
    """The metrics that records of a kind have."""
    known = protocol_of(kind)
    return known.metrics if issubclass(known, Measure) else ("top1", "top5", "loss")


def measure_protocol(kind: str, preset: str, dataset: Dataset, changes: dict[str, object]) -> Measure:
    """The protocol of a measure: what the preset spends on it, by size of images and dataset, and over it `changes`."""
    own = {"padding": dataset.image_size // 8} if "padding" in _KINDS[kind].model_fields else {}
    values = own | layered(load_preset(preset).measures.get(kind, {}), dataset) | changes
    return make_protocol(values, f"preset {preset}", _KINDS[kind])
