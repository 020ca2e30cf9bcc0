"""The kind `detection`: boxes of objects, by a detector that is trained on a few images."""

from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from benchmark.kinds.base import Measure, register_kind
from benchmark.protocol import Positive, Share
from benchmark.weights import get_weights
from datasets.base import Dataset
from datasets.boxes import BoxDataset
from datasets.registry import BadInput
from methods.base import Method
from methods.baseline import Baseline
from methods.flops import Work
from methods.mixing.family import HydraMixing

SCRATCH = "scratch"  # in the place of a backbone's weights
_PYRAMID_FLOPS = {"resnet18": 2.73e5, "resnet50": 3.75e5}  # forward, per pixel of an image
_PROPOSAL_FLOPS = 2.86e7
_TRAINED = 3  # forward passes that a training step costs


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

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        image = _PYRAMID_FLOPS[self.body] * self.short_side * self.long_side + _PROPOSAL_FLOPS * self.proposals
        return Work(flops=_TRAINED * image * self.images(samples_per_class, num_classes))
