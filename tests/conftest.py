"""Fixtures that all rings share."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.run import Run
from benchmark.selection import Selection
from benchmark.study import load_grid
from datasets.base import get_dataset
from datasets.bundle import export
from results.records import Record
from shortened import shorten

CHECKOUT = Path(__file__).resolve().parents[1]
READERS = ("plan", "run", "table", "tables", "verdict", "compare", "figure", "figures", "report", "export", "show")
TINY = ("protocol.epochs=1", "protocol.images_per_class=2", "protocol.network=wrn-10-1")


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of the test run's own, for processes too."""
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """So that trainings in tests side by side do not wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The digits of two sizes and two seeds, with their test images."""
    path = tmp_path / "bundle.npz"
    export([get_dataset("digits")], (2, 4), (0, 1), True, path)
    return path


@pytest.fixture
def draw_tree() -> Callable[..., Path]:
    """Fills a folder:PATH with noise of a seed: classes a and b, the same number of images in train and test."""

    def draw(root: Path, seed: int, per_class: int = 3) -> Path:
        rng = np.random.default_rng(seed)
        for split, label, number in product(("train", "test"), "ab", range(per_class)):
            (root / split / label).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / split / label / f"{number}.png")
        return root

    return draw


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """A run of the demo study by method, size and seed, with overrides; a few steps long unless told."""

    def make(
        method: str = "baseline", size: int = 2, seed: int = 0, dataset: str = "digits", **protocol: object
    ) -> Run:
        selection = Selection("demo", (dataset,), (method,), (size,), (seed,), TINY)
        (run,) = load_grid("demo", selection).runs()
        if "torchvision" in str(run.method.protocol(1).get("network")):  # which cannot be any other
            protocol = {"network": run.method.protocol(1)["network"], **protocol}
        return replace(run, protocol=run.protocol.model_copy(update=protocol), method=shorten(run.method))

    return make


@pytest.fixture
def hydrabench(store: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs `python -m benchmark ...` in a process of its own, on a store of the test's own."""

    def call(*arguments: str, cwd: Path = CHECKOUT, **more: Any) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "benchmark", *arguments]
        if arguments[0] in READERS:
            command += ["--results", str(store), "--ignore-measured"]
        if arguments[0] == "import":
            command += ["--results", str(store)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, **more)

    return call


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """A record of a run with a made-up accuracy."""

    def make(run: Run, top1: float) -> Record:
        return Record(
            schema=1,
            key=run.key,
            run=run.identity,
            row=run.row,
            preset=run.preset,
            metrics={"top1": top1, "top5": 100.0, "loss": 1.0, "test_images": 797},
            subset_sha256="0" * 64,
            weights_sha256="1" * 64,
            steps=run.steps,
            train_seconds=10.0,
            eval_seconds=1.0,
            images_per_second=100.0,
            resumed=0,
            finished="2026-01-01T00:00:00+00:00",
            environment={
                "host": "here",
                "device": "made up",
                "device_type": "cpu",
                "threads": 1,
                "precision": "fp32",
                "commit": None,
                "dirty": None,
                "versions": {},
                "peak_memory": 1.0,
            },
            warnings=[],
            artifacts=[],
        )

    return make
