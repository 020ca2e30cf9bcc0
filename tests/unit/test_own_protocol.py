"""A method's own protocol: over the preset's, under --set, in the key, in `list`; the optimiser that follows it."""

import json

import pytest
import torch

from benchmark.cli.listing import listing
from benchmark.estimate import Costs
from benchmark.plan import make_plan
from benchmark.selection import Selection
from benchmark.study import load_grid
from benchmark.task import load_task
from benchmark.training.loop import Training
from datasets.subset import find_subset
from methods.registry import parse_method, registry
from methods.scattering import paper_epochs
from results.stores import Stores

PAPER = {
    "network": "scattering-wrn-8",
    "epochs": 3000,
    "batch_size": 128,
    "images_per_class": 1,
    "learning_rate": 0.1,
    "momentum": 0.95,
    "weight_decay": 5e-4,
    "nesterov": False,
    "schedule": "onecycle",
}


def runs(method="scattering", preset="paper", dataset="cifair10", size=5, settings=(), study="table1"):
    selection = Selection(preset, (dataset,), (method,), (size,), (0,), tuple(settings))
    (run,) = load_grid(study, selection).runs()
    return run


def training(run) -> Training:
    indices = find_subset(run.dataset, run.samples_per_class, run.seed)
    return Training(load_task(run, indices, torch.device("cpu"), "fp32"), run.method, run.protocol)


@pytest.mark.parametrize("method", ["scattering", "scattering+autoaugment"])
def test_the_papers_own_protocol_enters_the_key(method):
    run, baseline = runs(method), runs("baseline")
    found = run.protocol.model_dump()
    assert {name: found[name] for name in PAPER} == PAPER
    assert run.protocol.padding == baseline.protocol.padding == 4
    assert run.identity["protocol"] == run.protocol.identity | PAPER
    assert not {"nesterov", "schedule"} & set(baseline.identity["protocol"])


@pytest.mark.parametrize(
    ("images", "epochs", "steps"),
    [
        (50, 3000, 3000),
        (100, 3000, 3000),
        (200, 2000, 4000),
        (300, 2000, 6000),
        (500, 2000, 8000),
        (1000, 1000, 8000),
        (2000, 1000, 16_000),
        (10_000, 1000, 79_000),
    ],
)
def test_epochs_are_over_the_plain_subset(images, epochs, steps):
    assert paper_epochs(images) == epochs
    assert runs(size=images // 10).steps == steps


def test_set_wins_over_the_method_and_the_method_over_the_preset():
    changed = runs(settings=("protocol.epochs=7", "protocol.schedule=cosine", "protocol.network=wrn-16-2"))
    assert (changed.protocol.epochs, changed.protocol.schedule) == (7, "cosine")
    assert changed.protocol.network == "wrn-16-2"
    assert changed.protocol.learning_rate == 0.1
    assert len({runs().key, changed.key, runs("scattering(learnable=false)").key}) == 3


@pytest.mark.parametrize(("preset", "width"), [("quick", 2), ("demo", 1)])
def test_small_presets_shorten_and_narrow_it(preset, width):
    protocol = runs(preset=preset).protocol
    assert protocol.network == f"scattering-wrn-{width}"
    assert protocol.schedule == "onecycle"
    assert protocol.epochs < 100
    assert protocol.batch_size < 128


def test_list_shows_it():
    shown = {entry["name"]: entry["own protocol for 50 images"] for entry in listing("methods")}
    assert shown.pop("scattering") == PAPER
    assert shown.pop("dino")["network"] == "torchvision/resnet50"
    assert not any(shown.values())
    assert json.dumps(listing("methods"))


def test_estimates_need_no_data(store, empty_root):
    grid = load_grid("table1", Selection(datasets=("cifair10",), methods=("scattering",), seeds=(0,)))
    assert make_plan(grid, Stores(store, alone=True)).counts()["missing"] == 6
    (seconds, guessed), (short, _) = (Costs([], [], "cpu").seconds(runs(size=size)) for size in (100, 5))
    assert guessed
    shown = 1000 * 1000 / (50 * 3000)
    assert seconds / short == pytest.approx(shown, rel=0.05)  # smaller batches have as many operators
    wide = Costs([], [], "cpu", flops=1).seconds(runs(size=1))[0] / (10 * 3000)
    assert wide == pytest.approx(3 * 2 * 64 * 22.6e6, rel=0.02)  # every weight at every place of an 8×8 map


@pytest.mark.parametrize("learnable", [True, False])
def test_wavelets_learn_where_they_may_and_never_decay(make_run, learnable):
    run = make_run(f"scattering(learnable={learnable})", batch_size=10)
    in_progress = training(run)
    before = [number.clone() for number in in_progress.network[0].parameters()]
    groups = in_progress.update.optimiser.param_groups
    assert [group["weight_decay"] for group in groups] == [5e-4, 0.0]
    assert sum(number.numel() for number in groups[1]["params"]) == 64
    for _ in range(in_progress.steps):
        in_progress.advance()
    after = in_progress.network[0].parameters()
    assert all(torch.equal(*pair) != learnable for pair in zip(before, after, strict=True))


def test_the_optimiser_follows_the_schedule_without_nesterov(make_run):
    in_progress = training(make_run("scattering", batch_size=10, epochs=5))
    seen = []
    for _ in range(in_progress.steps):
        in_progress.advance()
        (group, filters) = in_progress.update.optimiser.param_groups
        assert not group["nesterov"]
        assert (group["lr"], group["momentum"]) == (filters["lr"], filters["momentum"])
        seen.append((group["lr"], group["momentum"]))
    assert seen[0][0] == pytest.approx(0.1 / 25, rel=0.2)
    assert max(seen)[0] == pytest.approx(0.1, rel=0.05)
    assert max(seen)[1] == pytest.approx(0.85, rel=0.01)
    assert seen[-1][0] < 1e-4


def test_other_methods_are_trained_as_before(make_run):
    (group,) = training(make_run()).update.optimiser.param_groups
    assert group["nesterov"]
    assert group["weight_decay"] == make_run().protocol.weight_decay


@pytest.mark.parametrize("name", ["baseline", "mixup", "hydramix"])
def test_no_other_method_brings_a_protocol(name):
    assert registry.get(name)().protocol(50) == parse_method(f"{name}+autoaugment").protocol(50) == {}
