"""The benchmarks start: what they share with the suite is where they look for it."""

import bench
import bench_batches
import bench_measures
import bench_records  # noqa: F401
import bench_slurm  # noqa: F401
import gpu_check
import pytest
import torch

from datasets.base import get_dataset
from methods.registry import registry


def test_a_training_of_the_paper_preset_stands_ready():
    training = bench.paper_training(get_dataset("digits"), "baseline", torch.device("cpu"))
    assert (training.protocol.network, training.step) == ("wrn-16-8", 0) and training.steps > 1000


def test_a_detector_s_training_of_the_quick_preset_stands_ready():
    training = bench_measures.detector_training(torch.device("cpu"))
    assert (training.protocol.body, training.step) == ("resnet18", 0) and training.steps == 300


def test_what_a_batch_costs_is_measured_without_its_generator(monkeypatch):
    monkeypatch.setattr(bench_batches, "_BATCHES", 3)
    assert bench_batches.microseconds("mixup") > 0
    training = bench.paper_training(get_dataset("digits"), "glico(p_gen=1)", torch.device("cpu"))
    with bench_batches.idle_generators(training):
        assert not training.batches.next(1).images.any()


@pytest.mark.parametrize("name", gpu_check.REPEATED)
def test_what_the_gpu_check_repeats_is_there(name):
    assert name in registry.entries()
    run = gpu_check.short_run(name)
    assert run.steps > 3 * 7
