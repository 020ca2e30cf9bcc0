"""The kind `detection`: few-shot detection by Faster R-CNN, with boxes that HydraMix mixes (HydraMix Table 8)."""

from benchmark.kinds.detection import Detection
from benchmark.measures.detection.batches import BoxSubset
from benchmark.measures.detection.network import load_backbone
from benchmark.measures.detection.training import DetectionTraining
from benchmark.run import Run
from datasets.boxes import BoxDataset
from datasets.subset import find_subset
from methods.mixing.composer import Composer
from methods.task import Task


def start(run: Run, task: Task, made: tuple[object, ...]) -> DetectionTraining:
    """A detector's fresh training on a run's subset, with compositions where the method makes any."""
    assert isinstance(run.dataset, BoxDataset) and isinstance(run.protocol, Detection)
    indices = find_subset(run.dataset, run.samples_per_class, run.seed)
    subset = BoxSubset.of(run.dataset, indices, task.device, run.seed, task.precision)
    prepared = run.method.prepare(task, made)
    composer = prepared if isinstance(prepared, Composer) else None
    return DetectionTraining(subset, composer, run.protocol, load_backbone(run.protocol.backbone))
