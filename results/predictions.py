"""What a classifier said of each test image, in one file beside its record, and what follows from it."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_core import from_json

from datasets.registry import BadInput
from results.files import PREDICTIONS
from results.metrics import find_metric
from results.reader import Absent, RecordError, json_object, read_content
from results.records import CLASSIFY, Metrics, Record

if TYPE_CHECKING:
    import numpy as np

    from results.index import Entry, Records
    from results.outline import Outline

LARGEST_PROBABILITIES = 2**25  # bytes; ciFAIR-100's take 2,000,000. Of more, the classes alone are kept
LARGEST_PREDICTIONS = 2**27
_CLASSES = "classes"
_ROUNDING = 0.01  # of the sum of a row in float16
_BINS = 15  # of the calibration error, as Guo et al. (2017)
DERIVED = ("balanced", "ece")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Of N test images in their order. labels, predicted: N int32; probabilities: N×C float16, None where too large.

    classes: names of the classes; none in older files.
    """

    labels: "np.ndarray"
    predicted: "np.ndarray"
    probabilities: "np.ndarray | None"
    classes: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        from safetensors.numpy import save

        arrays = {"labels": self.labels, "predicted": self.predicted}
        if self.probabilities is not None and self.probabilities.nbytes <= LARGEST_PROBABILITIES:
            arrays["probabilities"] = self.probabilities
        return save(arrays, {_CLASSES: json.dumps(self.classes)} if self.classes else None)

    @cached_property
    def correct(self) -> "np.ndarray":
        """N booleans."""
        return self.labels == self.predicted

    def confusion(self) -> "np.ndarray":
        """C×C counts: rows are true classes, columns predicted ones."""
        import numpy as np

        size = self.class_count
        places = self.labels.astype(np.int64) * size + self.predicted
        return np.bincount(places, minlength=size**2).reshape(size, size)

    @property
    def class_count(self) -> int:
        """C, of the classes that there are test images of or that were predicted."""
        return 1 + int(max(self.labels.max(), self.predicted.max()))

    def name_of(self, label: int) -> str:
        """A class as people know it, else its number."""
        return self.classes[label] if label < len(self.classes) else str(label)

    def per_class(self) -> "np.ndarray":
        """Accuracy of each class in percent; NaN for one without test images."""
        import numpy as np

        right = np.bincount(self.labels[self.correct], minlength=self.class_count)
        with np.errstate(invalid="ignore"):
            return 100 * right / np.bincount(self.labels, minlength=self.class_count)

    def balanced(self) -> float:
        """The mean of the classes' accuracies in percent."""
        import numpy as np

        return float(np.nanmean(self.per_class()))

    def ece(self) -> float | None:
        """Expected calibration error in percent over 15 equal bins (Guo et al. 2017); None without probabilities."""
        import numpy as np

        if self.probabilities is None:
            return None
        sure = self.probabilities.max(1).astype(np.float64)
        bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
        gaps = np.bincount(bins, weights=self.correct - sure, minlength=_BINS)
        return float(100 * np.abs(gaps).sum() / len(sure))


def read_predictions(folder: Path, record: Record) -> Predictions:
    """The predictions beside a record; raises Absent where there are none, RecordError for another record's."""
    return parse_predictions(read_content(folder / PREDICTIONS, LARGEST_PREDICTIONS), record)


def parse_predictions(content: bytes, record: Record) -> Predictions:
    """The predictions that a file's content holds; raises RecordError where they are not the record's."""
    if record.predictions_sha256 not in ("", hashlib.sha256(content).hexdigest()):
        raise RecordError("not the file that the record is of")
    found = _parsed(content)
    if not isinstance(record.metrics, Metrics) or len(found.labels) != record.metrics.test_images:
        raise RecordError("not of this record's test images")
    if abs(100 * found.correct.mean() - record.metrics.top1) > 1e-6:
        raise RecordError("not of this record's accuracy")
    return found


def _parsed(content: bytes) -> Predictions:
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        labels, predicted = arrays["labels"], arrays["predicted"]
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise RecordError(f"not a file of predictions: {error}") from error
    probabilities = arrays.get("probabilities")
    whole = labels.ndim == 1 and len(labels) > 0 and labels.shape == predicted.shape
    if not whole or labels.dtype != np.int32 or predicted.dtype != np.int32 or min(labels.min(), predicted.min()) < 0:
        raise RecordError("not a file of predictions: labels and predicted classes do not fit")
    found = Predictions(labels, predicted, probabilities, _class_names(content))
    if probabilities is not None and not _are_probabilities(probabilities, found):
        raise RecordError("not a file of predictions: the probabilities do not fit")
    if probabilities is None and found.class_count > (len(found.classes) or len(labels)):
        raise RecordError(f"not a file of predictions: there is no class {found.class_count - 1}")
    return found


def _class_names(content: bytes) -> tuple[str, ...]:
    """Those in the header of a safetensors file that can be read: its length in 8 bytes, then JSON."""
    try:
        header = json_object(content[8 : 8 + int.from_bytes(content[:8], "little")])
        names = from_json(header["__metadata__"][_CLASSES])
    except (KeyError, TypeError, ValueError):
        return ()
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _are_probabilities(values: "np.ndarray", said: Predictions) -> bool:
    """Whether each row is one distribution, of which the predicted class has the most."""
    import numpy as np

    shaped = values.dtype == np.float16 and values.ndim == 2 and len(values) == len(said.labels)
    if not shaped or said.class_count > values.shape[1] or not ((values >= 0) & (values <= 1)).all():
        return False
    sums, best = values.astype(np.float32).sum(1), values[np.arange(len(values)), said.predicted]
    return bool((np.abs(sums - 1) < _ROUNDING).all() and (best >= values.max(1)).all())


def predictions_of(entry: "Entry", problems: list[str], record: Record | None = None) -> Predictions | None:
    """The predictions beside an entry's record; None where there are none. What cannot be trusted gets a problem.

    record: the entry's, where it has been read already.
    """
    path = entry.path.parent / PREDICTIONS
    try:
        return read_predictions(path.parent, record or entry.record())
    except Absent:
        return None
    except RecordError as error:
        problems.append(f"{path}: {error}")
        return None


def of_metric(name: str, outline: "Outline", records: "Records") -> "tuple[Outline, list[str]]":
    """An outline of another metric than its study's, and what there is to say of records that have none."""
    metric = metric_for(name, outline)
    without = add_derived(metric, outline, records) if metric in DERIVED else []
    return outline.with_metric(metric), without


def add_derived(metric: str, outline: "Outline", records: "Records") -> list[str]:
    """Puts a metric that follows from predictions into the entries of an outline; returns what there is to say of
    those that have none."""
    found = [records.by_key[key] for key in outline.keys if key in records.by_key]
    without = 0
    for entry in found:
        made = predictions_of(entry, records.problems)
        value = getattr(made, metric)() if made else None
        without += value is None
        entry.metrics.update({} if value is None else {metric: value})
    return [f"{without} of {len(found)} records have no predictions beside them, and no {metric}"] if without else []


def metric_for(name: str, outline: "Outline") -> str:
    """The metric `name`, if it can be shown of an outline's runs; raises BadInput otherwise. nll is the loss."""
    found = find_metric({"nll": "loss"}.get(name, name)).name
    known: Iterable[str] = ("top1", "top5", "loss", *DERIVED) if outline.kind == CLASSIFY else outline.metrics
    if found not in known:
        raise BadInput(f"--metric {name}: {outline.name} has {', '.join(known)}")
    return found
