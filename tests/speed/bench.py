"""`make bench`: how fast this machine trains, as ratios to its own matrix-multiply rate in the same run.

The published code's figures were measured on a machine of 2 cores that multiplies bf16 matrices at 798 GFLOP/s;
they are scaled by the ratio of matrix-multiply rates before they are compared.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import torch

from benchmark.protocol import resolve_budgets, run_protocol
from benchmark.task import load_task
from benchmark.teacher import artifacts_of
from benchmark.training.device import describe, resolve_precision, take_device
from benchmark.training.evaluate import evaluate
from benchmark.training.loop import Training
from benchmark.training.nets.winograd import WinogradConv2d
from datasets.base import DataMissing, Dataset, get_dataset
from datasets.subset import find_subset
from methods.artifacts import Artifact
from methods.base import Method
from methods.flops import flops_counted
from methods.mixtures.building import MixedSetBuilding
from methods.registry import parse_method
from methods.task import Task

PUBLISHED_MATMUL = 798e9  # FLOP/s of the machine on which the papers' code was measured
PUBLISHED_TRAIN, PUBLISHED_EVAL = 58.6, 247.0  # images/s there; it evaluates 200 times per run
PUBLISHED_METHODS = {"chimeramix-seg": (31.5, 1.5), "chimeramix-grid": (36.1, 1.3)}  # images/s there, target ratio
PUBLISHED_GENERATOR = 10.1  # pairs/s there, chimeramix-seg
_STEPS = 25
_MIXED_STEPS = 24
_SCATTERED = 128  # images: a batch of the paper
_FEW, _LARGEST = 50, (512, 8, 8)  # images: a batch at five per class; the scattering row's largest maps

FIRST_STEP = """
import sys, time
from pathlib import Path
from benchmark.training import loop
from benchmark.selection import Selection
from benchmark.study import load_grid
from benchmark.execute import execute
advance, marks = loop.Training.advance, []
def mark(self):
    advance(self)
    marks.append(time.monotonic())
loop.Training.advance = mark
settings = ("protocol.epochs=1", "protocol.images_per_class=1")
runs = list(load_grid("demo", Selection(methods=("baseline",), samples_per_class=(1,), settings=settings)).runs())
for number, run in enumerate(runs[:2]):
    if number:
        start, count = time.monotonic(), len(marks)
    assert execute(run, Path(sys.argv[1])).state == "done"
print(time.monotonic() - marks[0], marks[count] - start)
"""


class Subset(NamedTuple):
    """A training subset and the preset whose threads work on it."""

    dataset: Dataset
    samples_per_class: int
    seed: int
    preset: str


def matmul_rate(device: torch.device) -> float:
    """FLOP/s of a bf16 product of 4096×4096 matrices, the best of ten."""
    a, b = (torch.randn(4096, 4096, device=device).bfloat16() for _ in range(2))
    return 2 * 4096**3 / min(seconds(lambda: torch.mm(a, b), device) for _ in range(10))


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall time of one call, the device's queue included."""
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def real_dataset() -> Dataset:
    """CIFAR-10 where DATA_ROOT has it, else the embedded digits (the same shape of image)."""
    dataset = get_dataset("cifar10-dedup")
    try:
        dataset.check()
    except DataMissing:
        return get_dataset("digits")
    return dataset


def paper_task(dataset: Dataset, device: torch.device) -> Task:
    """5 images per class of seed 0, as a run of the paper preset has them."""
    subject = Subset(dataset, 5, 0, "paper")
    indices = find_subset(dataset, subject.samples_per_class, subject.seed)
    return load_task(subject, indices, device, resolve_precision("auto", device))


def paper_method(dataset: Dataset, name: str) -> Method:
    return parse_method(name).resolve(dataset, resolve_budgets("paper", dataset))


def paper_training(dataset: Dataset, name: str, device: torch.device) -> Training:
    """A training at the paper preset, 5 images per class, ready for its first step; generators are untrained."""
    task, method = paper_task(dataset, device), paper_method(dataset, name)
    made = tuple(_begun(artifact, task) for artifact in paper_artifacts(dataset, name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mixed set that is hardly begun is small
        prepared = method.prepare(task, made)
    return Training(task, prepared, run_protocol(method, "paper", dataset, 5))


def paper_artifacts(dataset: Dataset, name: str) -> tuple[Artifact, ...]:
    method = paper_method(dataset, name)
    return artifacts_of(method, dataset, 5, 0, run_protocol(method, "paper", dataset, 5))


def _begun(artifact: Artifact, task: Task) -> object:
    """What an artifact loads as before any training; a mixed set, which would be empty, with its first images."""
    building = artifact.recipe.start(task, tuple(_begun(need, task) for need in artifact.needs()))
    while isinstance(building, MixedSetBuilding) and building.step == 0:
        building.advance()
    return artifact.recipe.load(building.tensors(), task.device)


def bench_training(device: torch.device) -> None:
    """Prints the training step of the paper preset against the matmul rate."""
    dataset = real_dataset()
    training = paper_training(dataset, "baseline", device)
    with flops_counted() as counter:
        training.advance()
    before = matmul_rate(device)
    step = statistics.median(seconds(training.advance, device) for _ in range(_STEPS))
    data = statistics.median(seconds(lambda: training.batches.next(1), device) for _ in range(_STEPS))
    test = seconds(lambda: evaluate(training.network, dataset.test(), training.task.precision, device), device)
    rate = (before + matmul_rate(device)) / 2
    batch = training.protocol.batch_size
    say("matmul rate, bf16 4096³", f"{rate / 1e9:.0f} GFLOP/s")
    say(f"training step, {training.protocol.network}, batch {batch}, {dataset.name}", f"{1000 * step:.1f} ms")
    say("  images/s", f"{batch / step:.1f}")
    say("  share of the matmul rate (target 70%)", f"{counter.get_total_flops() / step / rate:.0%}")
    say("  data and augmentation, share of the step (target at most 5%)", f"{data / step:.1%}")
    _compare_run(step, test * 10_000 / len(dataset.test().labels), training.steps, batch, rate)


def _compare_run(step: float, test: float, steps: int, batch: int, rate: float) -> None:
    theirs = steps * batch / PUBLISHED_TRAIN + 200 * 10_000 / PUBLISHED_EVAL
    theirs *= PUBLISHED_MATMUL / rate
    ours = steps * step + test
    say("whole baseline run (10,000 test images), estimated from the step", f"{ours / 3600:.2f} h")
    say("  the papers' code, scaled to this matmul rate", f"{theirs / 3600:.2f} h")
    say("  ratio (target at least 1.5)", f"{theirs / ours:.2f}")


def bench_methods(device: torch.device) -> None:
    """Prints images/s of paper-preset training steps for every method, and of the published code where known.

    A method that mixes does so in some batches, so that the mean over many steps counts.
    """
    from methods.registry import registry

    for name, cls in registry.entries().items():
        if cls().available:
            training = paper_training(real_dataset(), name, device)
            training.advance()
            steps = _MIXED_STEPS if name in PUBLISHED_METHODS else 8
            images = steps * training.images_seen / training.steps
            rate = images / seconds(partial(_advance, training, steps), device)
            say(f"  {name}", f"{rate:.1f} images/s")
            if name in PUBLISHED_METHODS:
                theirs, target = PUBLISHED_METHODS[name]
                _compare_rate(rate, theirs, target, device)


def bench_generators(device: torch.device) -> None:
    """Prints pairs/s of generator training at the paper preset (64 pixels, batch 64) and its share of matmul."""
    dataset = real_dataset()
    for name in ("chimeramix-seg", "chimeramix-grid", "hydramix"):
        (artifact,) = paper_artifacts(dataset, name)
        building = artifact.recipe.start(paper_task(dataset, device), ())
        with flops_counted() as counter:
            building.advance()
        step = min(seconds(building.advance, device) for _ in range(4))
        rate, batch = matmul_rate(device), artifact.recipe.batch_size
        say(f"generator of {name}, batch {batch}", f"{batch / step:.1f} samples/s")
        say("  share of the matmul rate", f"{counter.get_total_flops() / step / rate:.0%}")
        if name == "chimeramix-seg":
            _compare_rate(batch / step, PUBLISHED_GENERATOR, 3.0, device)


def bench_segmentation(device: torch.device) -> None:
    """Prints what segmenting real images costs, in one process: at the generator's and at a classifier's size."""
    from methods.mixing.segments import default_scale, segment_batch
    from methods.mixing.sources import resize

    dataset = real_dataset()
    images, scale = paper_task(dataset, device).images, default_scale(dataset)
    for size in (64, 32):
        scaled = resize(images, size)
        segment_batch(scaled, scale)
        taken = min(seconds(partial(segment_batch, scaled, scale), device) for _ in range(3)) / len(images)
        say(f"segmentation of an image of {size} pixels", f"{1000 * taken:.2f} ms")


def bench_glico(device: torch.device) -> None:
    """Prints steps/s of fitting GLICO's latents and generator at the paper preset (32 pixels, batch 128)."""
    dataset = real_dataset()
    (artifact,) = paper_artifacts(dataset, "glico")
    building = artifact.recipe.start(paper_task(dataset, device), ())
    building.advance()
    step = statistics.median(seconds(building.advance, device) for _ in range(8))
    say(f"fitting of glico, batch {artifact.recipe.batch_size}", f"{1 / step:.2f} steps/s")


def bench_scattering(device: torch.device) -> None:
    """Prints images/s of the scattering transform and its gradients, and of kymatio's on the same images.

    Ours has gradients of images and filters, kymatio's of images alone.
    """
    from methods.scattering.filters import Wavelets
    from methods.scattering.transform import Scattering

    images = torch.randn(_SCATTERED, 3, 32, 32, device=device, requires_grad=True)
    ours = partial(_differentiate, Scattering(Wavelets()).to(device), images)
    try:
        from kymatio import Scattering2D
    except ImportError as error:
        say("scattering transform against kymatio's", f"skipped: {error}")
        return
    theirs = partial(_differentiate, Scattering2D(J=2, shape=(32, 32), L=8, frontend="torch").to(device), images)
    best, reference = _side_by_side(ours, theirs, device)
    say("scattering transform of 32×32 images, forward and backward", f"{_SCATTERED / best:.0f} images/s")
    say(f"  kymatio's: {_SCATTERED / reference:.0f}; ratio (target at least 1)", f"{reference / best:.2f}")


def bench_winograd() -> None:
    """Prints how long the largest convolution of the scattering row takes on a CPU in fp32, and torch's own."""
    images = torch.randn(_FEW, *_LARGEST).to(memory_format=torch.channels_last).requires_grad_()
    width = _LARGEST[0]
    layers = [WinogradConv2d(width, width), torch.nn.Conv2d(width, width, 3, padding=1, bias=False)]
    ours, theirs = (partial(_differentiate, layer.to(memory_format=torch.channels_last), images) for layer in layers)
    best, reference = _side_by_side(ours, theirs, torch.device("cpu"))
    say(f"scattering's largest convolution in fp32, batch {_FEW}, forward and backward", f"{1000 * best:.0f} ms")
    say(f"  torch's: {1000 * reference:.0f} ms; ratio (target at least 1)", f"{reference / best:.2f}")


def _side_by_side(ours: Callable[[], object], theirs: Callable[[], object], device: torch.device) -> list[float]:
    """The least seconds of five of each, in turn: other work slows both."""
    times = [(seconds(ours, device), seconds(theirs, device)) for _ in range(5)]
    return [min(each) for each in zip(*times, strict=True)]


def _differentiate(transform: torch.nn.Module, images: torch.Tensor) -> None:
    transform(images).square().sum().backward()  # a plain sum's gradient is one number: no training sees it


def bench_supermix(device: torch.device) -> None:
    """Prints how many masks/s are updated with the paper preset's classifier for a teacher."""
    dataset, task = real_dataset(), paper_task(real_dataset(), device)
    (artifact,) = paper_artifacts(dataset, "supermix")
    (teacher,) = (_begun(need, task) for need in artifact.needs())
    building = artifact.recipe.start(task, (teacher,))

    def update_a_fresh_batch() -> None:
        building.search = None
        building.advance()

    step = min(seconds(update_a_fresh_batch, device) for _ in range(4))
    masks = building.search.logits.shape[:2].numel()
    say("masks of supermix, with the paper preset's teacher", f"{masks / step:.1f} updates/s")


def _advance(training: Training, steps: int) -> None:
    for _ in range(steps):
        training.advance()


def _compare_rate(ours: float, theirs: float, target: float, device: torch.device) -> None:
    """Prints how much faster than the published code, both relative to the matmul rate of their machines."""
    scaled = theirs * matmul_rate(device) / PUBLISHED_MATMUL
    say(
        f"    the papers' code, scaled to this matmul rate: {scaled:.1f}; ratio (target {target})",
        f"{ours / scaled:.2f}",
    )


def bench_start() -> None:
    """Prints the time from process start to the first step, and of a second run in the same process."""
    with tempfile.TemporaryDirectory() as store:
        start = time.monotonic()
        command = [sys.executable, "-c", FIRST_STEP, store]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        whole = time.monotonic() - start
    after_first, second = map(float, answer)
    say("process start to first step, digits (target at most 5 s)", f"{whole - after_first:.2f} s")
    say("second run in the same process to its first step (target at most 0.3 s)", f"{second:.3f} s")


def say(what: str, value: str) -> None:
    click.echo(f"{what:<78}{value:>16}")


def main() -> None:
    device = take_device(torch.get_num_threads())
    say("device", f"{describe(device)}, {torch.get_num_threads()} threads")
    bench_training(device)
    say("training steps of the paper preset, by method", "")
    bench_methods(device)
    bench_generators(device)
    bench_segmentation(device)
    bench_glico(device)
    bench_scattering(device)
    bench_winograd()
    bench_supermix(device)
    bench_start()
    for part in ("bench_measures.py", "bench_records.py"):
        subprocess.run([sys.executable, Path(__file__).with_name(part)], check=True)


if __name__ == "__main__":
    main()
