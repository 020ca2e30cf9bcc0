"""`make gpu-check`: what only a GPU can show.

That no step waits for it, that --deterministic repeats bits after a kill, and how many runs side by side fill it.
Without a GPU it says so and runs what the pretend device shows.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import torch
from bench import matmul_rate, paper_training, real_dataset, seconds

from benchmark.execute import execute
from benchmark.job import Options
from benchmark.run import Run
from benchmark.selection import Selection
from benchmark.study import load_grid
from benchmark.training.device import describe, take_device
from benchmark.training.loop import Training
from benchmark.training.nets import step_work
from methods.registry import registry
from results.files import RECORD
from results.records import read_record

CONTRACT = Path(__file__).parents[1] / "contract" / "test_pretend_device.py"
WARM, STEPS = 5, 20
SIDE_BY_SIDE = (1, 2, 4, 6, 8)
REPEATED = ("baseline", "cutout", "random-erasing", "mixup", "mixupn", "cosine")  # no generator


class StopAfter:
    """Asks a training to stop before a step."""

    def __init__(self, steps: int):
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def waits_of(training: Training) -> str:
    """What of a step waits for the GPU; "" where nothing does. The first steps may: kernels are loaded there."""
    for _ in range(WARM):
        training.advance()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(WARM):
            training.advance()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return ""


def check_waits(device: torch.device) -> bool:
    """Whether no method's step waits, each told on a line."""
    free = True
    for name, cls in registry.entries().items():
        if cls().available:
            found = waits_of(paper_training(real_dataset(), name, device))
            free &= not found
            click.echo(f"  {name}: {found or 'no wait'}")
    return free


def short_run(method: str) -> Run:
    """A run of the demo study, 64 steps long, with the papers' kind of network."""
    settings = ("protocol.epochs=2", "protocol.network=wrn-16-2")
    (run,) = load_grid("demo", Selection("demo", ("digits",), (method,), (5,), (0,), settings)).runs()
    return replace(run, row=method)


def repeats(run: Run, folder: Path) -> bool:
    """Whether a run that is stopped twice leaves the weights of one that is not."""
    whole, stopped = folder / "whole", folder / "stopped"
    options = Options(deterministic=True)
    execute(run, whole, options)
    for _ in range(2):
        execute(run, stopped, options, StopAfter(7))
    execute(run, stopped, options)
    return len({read_record(store / run.path / RECORD).weights_sha256 for store in (whole, stopped)}) == 1


def check_bits() -> bool:
    """Whether every method without a generator repeats its bits, each told on a line."""
    same = True
    with tempfile.TemporaryDirectory() as folder:
        for method in REPEATED:
            found = repeats(short_run(method), Path(folder, method))
            same &= found
            click.echo(f"  {method}: {'the same bits' if found else 'OTHER BITS'}")
    return same


def train_alone() -> None:
    """Images per second of one process's training at the papers' preset, on standard output: one of several."""
    device = take_device(1)
    training = paper_training(real_dataset(), "baseline", device)
    for _ in range(WARM):
        training.advance()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    took = seconds(lambda: [training.advance() for _ in range(STEPS * 10)], device)
    sys.stdout.write(f"{STEPS * 10 * training.protocol.batch_size / took}\n")


def images_per_second(count: int) -> float:
    """Of so many processes that train at the same time, together."""
    command = [sys.executable, __file__, "--alone"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(count)]  # type: ignore[call-overload]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    return sum(float(process.communicate()[0]) for process in running)


@contextmanager
def mps() -> Iterator[None]:
    """NVIDIA's Multi-Process Service while the context lasts, of this process's own."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/pipe", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/log"}
        for place in places.values():
            os.mkdir(place)
        os.environ.update(places)
        subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True)
        try:
            yield
        finally:
            subprocess.run(["nvidia-cuda-mps-control"], input="quit\n", text=True, check=False)
            for name in places:
                del os.environ[name]


def measure_sharing(device: torch.device) -> None:
    """Prints images per second of several trainings side by side, and their share of what the card multiplies."""
    rate, protocol = matmul_rate(device), paper_training(real_dataset(), "baseline", device).protocol
    per_image = step_work(protocol.network, 10, 32, protocol.batch_size).flops / protocol.batch_size
    click.echo(f"  bf16 products: {rate / 1e12:.1f} TFLOP/s; {protocol.network}: {per_image / 1e9:.2f} GFLOP an image")
    for count in SIDE_BY_SIDE:
        found = images_per_second(count)
        click.echo(f"  {count} side by side: {found:.0f} images/s, {100 * found * per_image / rate:.1f}% of the rate")


def check(device: torch.device) -> bool:
    """All of it on a GPU; whether all is as promised."""
    click.echo(f"{describe(device)}\nwaits inside a step, paper preset, 5 per class:")
    free = check_waits(device)
    click.echo("--deterministic, stopped twice and taken up:")
    same = check_bits()
    click.echo("runs side by side, WRN-16-8, 5 per class, without MPS:")
    measure_sharing(device)
    if shutil.which("nvidia-cuda-mps-control"):
        click.echo("with MPS:")
        with mps():
            measure_sharing(device)
    else:
        click.echo("no nvidia-cuda-mps-control here: not measured with MPS")
    return free and same


@click.command()
@click.option("--alone", is_flag=True, hidden=True)
def main(alone: bool) -> None:
    """See the module."""
    if alone:
        return train_alone()
    if not torch.cuda.is_available():
        click.echo("no GPU that torch can use here; the pretend device's part:")
        sys.exit(subprocess.run([sys.executable, "-m", "pytest", "-q", str(CONTRACT)], check=False).returncode)
    sys.exit(0 if check(take_device(1)) else 1)


if __name__ == "__main__":
    main()
