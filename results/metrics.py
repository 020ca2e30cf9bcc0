"""What a record's numbers are called, and which way is better."""

from dataclasses import dataclass
from typing import Literal

from datasets.registry import unknown


@dataclass(frozen=True)
class Metric:
    """A number of a record.

    title: in captions; word: in lines and over columns; axis: beside a figure's; points: what differences are in.
    better: neither, where a number says how things are and not how good; none is bold then and no method ranks first.
    control: the metric of as many real images, where there is one. bars: printed figures show it as bars from zero.
    margins: differences within which two means count as equal, up to 20 samples per class and above; None where
    nobody has said what counts as equal.
    """

    name: str
    title: str
    word: str
    axis: str
    points: str
    better: Literal["higher", "lower", "neither"] = "higher"
    margins: tuple[float, float] | None = None
    control: str = ""
    bars: bool = False

    @property
    def sign(self) -> int:
        """-1 where lower is better, else 1."""
        return -1 if self.better == "lower" else 1

    @property
    def heading(self) -> str:
        """A column's name, with an arrow where lower is better."""
        return f"{self.word[0].upper()}{self.word[1:]}{' ↓' * (self.better == 'lower')}"


_PERCENT = "percentage points"
_ACCURACY = (2.0, 1.0)
METRICS = {
    metric.name: metric
    for metric in (
        Metric("top1", "top-1 accuracy in %", "top-1", "test accuracy (%)", _PERCENT, margins=_ACCURACY),
        Metric("top5", "top-5 accuracy in %", "top-5", "top-5 test accuracy (%)", _PERCENT, margins=_ACCURACY),
        Metric("loss", "mean cross-entropy", "loss", "mean cross-entropy ↓", "nats", "lower"),
        Metric("balanced", "balanced top-1 accuracy in %", "balanced top-1", "balanced test accuracy (%)", _PERCENT),
        Metric("ece", "calibration error in %", "ECE", "expected calibration error (%) ↓", _PERCENT, "lower"),
        Metric("fid", "Fréchet Inception distance", "FID", "FID ↓", "points of FID", "lower", control="fid_real"),
        Metric(
            "kid",
            "kernel Inception distance × 1000",
            "KID × 1000",
            "KID × 1000 ↓",
            "thousandths",
            "lower",
            control="kid_real",
        ),
        Metric(
            "fid_real", "FID of as many test images", "FID of real", "FID of test images", "points of FID", "neither"
        ),
        Metric(
            "kid_real",
            "KID × 1000 of as many test images",
            "KID of real",
            "KID × 1000 of test images",
            "thousandths",
            "neither",
        ),
        Metric("cse", "CLIP synset entropy", "CSE", "CLIP synset entropy (nats)", "nats", bars=True),
        Metric(
            "nearest",
            "mean distance to the nearest original (1 - cosine of features)",
            "distance",
            "distance to the nearest original (1 - cosine)",
            "units of 1 - cosine",
            "neither",
        ),
        Metric("ap", "AP in %", "AP", "AP (%)", _PERCENT),
        Metric("ap50", "AP at IoU 0.5 in %", "AP50", "AP50 (%)", _PERCENT),
        Metric("ap75", "AP at IoU 0.75 in %", "AP75", "AP75 (%)", _PERCENT),
    )
}


def find_metric(name: str) -> Metric:
    """The metric `name`; raises BadInput for an unknown one."""
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]
