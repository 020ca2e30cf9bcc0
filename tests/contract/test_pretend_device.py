"""Every registered method, plain and behind AutoAugment, and every artifact on a device other than the CPU."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from loads import DETECTION, RUNS, WHAT_IS_TRAINED_FIRST, Load
from pretend import COUNTS, Constants, Mismatch, Unavailable, pretend_device

from benchmark import attempt, build, execute
from benchmark.checkout import code_state
from benchmark.run import Run
from benchmark.selection import Selection
from benchmark.study import load_grid
from benchmark.training import device as devices
from benchmark.training import loop
from benchmark.training.loop import Hooks, Trainable, train
from boxed import Drawn
from datasets.base import Images
from datasets.base import registry as datasets
from datasets.batches import send, to_unit
from hydrabench.augmenter import class_of, fit
from methods import history, precision
from methods.base import Method
from methods.compose import Composition
from methods.registry import parse_method, registry
from results.records import Record, read_record
from shortened import shorten

PLAIN = [name for name, cls in registry.entries().items() if cls().available or cls.by_files]
COMPOSED = [f"{name}+autoaugment" for name in PLAIN if not registry.get(name).automatic and name != "baseline"]
VARIANTS = ["chimeramix-seg(d_fakes=fresh)"]  # of what is trained first
AUGMENTERS = ["mixup", "mixupn", "cutout", "random-erasing", "autoaugment", "gridmix(p_gen=1)", "nmix(p_gen=1)"]
STOPS = 2  # of each training, after a step each
TEST_IMAGES = 50


class Measured(NamedTuple):
    load: Load
    places: str


@dataclass
class Trainer:
    """Trains with STOPS stops inside the one line of a history; steps: what each asked, by the kind of training."""

    steps: dict[str, list[Measured]] = field(default_factory=dict)

    def __call__(self, training: Trainable, hooks: Hooks) -> None:
        began, advance = training.step, training.advance

        def counted() -> None:
            COUNTS.clear()
            advance()
            places = "\n".join(f"{count} × {place}" for place, count in COUNTS.places.items())
            measured = Measured(Load(COUNTS.waits, COUNTS.copies, COUNTS.operators), places)
            self.steps.setdefault(type(training).__name__, []).append(measured)

        training.advance = counted  # type: ignore[method-assign]
        if began < STOPS:
            hooks = replace(hooks, should_stop=lambda: training.step > began)
        train(training, hooks)

    def require(self, ceilings: dict[str, Load]) -> None:
        """Of the last step but one: what is made once is there, and the history's line does not end yet."""
        for kind, steps in self.steps.items():
            load, places = steps[-2]
            assert kind in ceilings, f"{kind} needs a row in tests/contract/loads.py: {load}"
            assert all(found <= most for found, most in zip(load, ceilings[kind], strict=True)), (
                f"a step of {kind} asks {load} of the device, at most {ceilings[kind]} are wanted\n{places}"
            )


@pytest.fixture
def device() -> Iterator[torch.device]:
    try:
        with pretend_device() as device:
            yield device
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU takes the ways of other devices where its own round otherwise, and runs see a few test images."""
    monkeypatch.setattr(precision, "on_cpu", lambda values: False)
    monkeypatch.setattr(devices, "_cpu_has_bf16", lambda: False)  # the pretend device knows no autocast
    monkeypatch.setattr(history, "_LINES", 1)
    monkeypatch.setattr(loop, "_REPORT_SECONDS", -1)  # after every step, however fast
    evaluate = execute.evaluate

    def briefly(network, test, *where):
        return evaluate(network, Images(test.images[:TEST_IMAGES], test.labels[:TEST_IMAGES]), *where)

    monkeypatch.setattr(execute, "evaluate", briefly)


def lengthen(method: Method) -> Method:
    """The method with six steps of what it trains first, which is always used."""
    if isinstance(method, Composition):
        return replace(method, method=lengthen(method.method))
    longer = {"p_gen": 1.0, "epochs": 3, "per_image": 3}
    return replace(method, **{name: value for name, value in longer.items() if name in method.parameters()})


def trained(run: Run, store: Path, where: torch.device, monkeypatch) -> Record:
    """The record of a run on a device, taken up as often as it stops."""
    for module in (execute, build):
        monkeypatch.setattr(module, "take_device", lambda threads, deterministic: where)
    for _ in range(20):
        outcome = execute.execute(run, store)
        if outcome.state != "unfinished":
            break
    assert outcome.state == "done", outcome.message
    return read_record(store / run.path / "record.json")


@pytest.mark.usefixtures("one_thread", "alike")
@pytest.mark.parametrize("text", PLAIN + COMPOSED + VARIANTS)
def test_a_run_stopped_twice_has_the_bits_of_the_cpu_and_no_step_asks_more(
    text, tmp_path, make_run, monkeypatch, device
):
    run = make_run(text, size=1, batch_size=10, epochs=3)
    run = replace(run, method=lengthen(run.method))
    expected = trained(run, tmp_path / "cpu", torch.device("cpu"), monkeypatch)
    trainer = Trainer()
    monkeypatch.setattr(attempt, "train", trainer)
    found = trained(run, tmp_path / "pretend", device, monkeypatch)
    assert found.resumed == STOPS
    assert found.warnings == code_state().warnings()
    assert found.weights_sha256 == expected.weights_sha256
    assert found.metrics == expected.metrics
    name = text.partition("+")[0]
    if registry.get(name.partition("(")[0]).__module__.startswith(
        "methods."
    ):  # an installed one's is not ours to limit
        trainer.require(WHAT_IS_TRAINED_FIRST.get(name, {}) | ({"Training": RUNS[text]} if text in RUNS else {}))


@pytest.mark.usefixtures("one_thread", "alike")
def test_a_detector_s_batch_waits_for_nothing_and_gives_the_bits_of_the_cpu(tmp_path, monkeypatch, device):
    datasets.entries()
    monkeypatch.setitem(datasets._entries, "drawn", Drawn)
    settings = ("protocol.training_steps=4",)
    (run,) = load_grid("table8", Selection("demo", ("drawn",), ("hydramix(p_gen=1.0)",), (1,), (0,), settings)).runs()
    run = replace(run, method=lengthen(shorten(run.method)))
    expected = trained(run, tmp_path / "cpu", torch.device("cpu"), monkeypatch)
    trainer = Trainer()
    monkeypatch.setattr(attempt, "train", trainer)
    with Constants():
        found = trained(run, tmp_path / "pretend", device, monkeypatch)
    assert (found.weights_sha256, found.metrics) == (expected.weights_sha256, expected.metrics)
    trainer.require(WHAT_IS_TRAINED_FIRST["hydramix"] | {"DetectionTraining": DETECTION})
    places = trainer.steps["DetectionTraining"][-2].places.splitlines()
    ours = [place for place in places if "detection/training.py" not in place]  # torchvision's are in its forward pass
    assert len(ours) == 2 and all(place.startswith("1 × copy") for place in ours)  # for compositions, and of the batch


@pytest.mark.parametrize("text", AUGMENTERS)
def test_an_augmenter_gives_images_where_it_is_given_them(text, device):
    images = torch.randint(256, (20, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.arange(20) % 2
    found = []
    for where in (torch.device("cpu"), device):
        if "mix(" in text:
            augmenter = fit(text, images, labels, device=where, progress=False)
        else:
            augmenter = class_of(parse_method(text))(num_classes=2)
        changed, targets = augmenter(images.to(where), labels.to(where))
        assert (changed.device, targets.device) == (where, where)
        found.append((changed.cpu(), targets.cpu()))
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
    assert not torch.equal(found[0][0], images)


def test_every_row_is_of_a_registered_method():
    assert set(RUNS) <= set(PLAIN + COMPOSED + VARIANTS)
    assert set(WHAT_IS_TRAINED_FIRST) <= set(PLAIN + VARIANTS)


def test_tensors_of_two_devices_are_minded(device):
    here, there = torch.ones(2, 3), torch.ones(2, 3, device=device)
    for mixed in (lambda: here + there, lambda: torch.cat([there, here]), lambda: here[there[:, 0].long()]):
        with pytest.raises(Mismatch):
            mixed()
    assert (there + torch.tensor(2.0)).device == device  # a scalar of the CPU is a number


def test_a_wait_and_a_copy_are_counted_where_they_are(device):
    COUNTS.clear()
    images = torch.zeros(1, 2, 2, 3, dtype=torch.uint8).to(device, non_blocking=True)
    assert (COUNTS.copies, COUNTS.waits, COUNTS.operators) == (1, 0, 0)
    assert float(to_unit(images).sum()) == 0
    assert COUNTS.waits >= 1
    assert any("_local_scalar_dense" in place for place in COUNTS.places)


def test_tensors_of_every_kind_go_in_one_copy_and_keep_their_order_in_memory(device):
    images = torch.arange(5 * 7 * 7 * 3).byte().view(5, 7, 7, 3)
    there = torch.ones(2, device=device)
    kinds = [images.permute(0, 3, 1, 2).float(), images[:, 1:], images > 3, torch.tensor(2), torch.empty(0, 3), there]
    COUNTS.clear()
    sent = send(device, *kinds)
    assert (COUNTS.copies, COUNTS.waits, COUNTS.operators) == (1, 0, 0)
    assert sent[-1] is there
    assert sent[0].is_contiguous(memory_format=torch.channels_last)
    for one, other in zip(kinds, sent, strict=True):
        assert other.device == device and torch.equal(one.cpu(), other.cpu()) and one.dtype == other.dtype
    assert send(torch.device("cpu"), *kinds[:2])[0] is kinds[0]


def test_a_pixel_is_looked_up_where_a_division_might_round_otherwise(device):
    every = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1)
    to_unit(every.to(device))
    COUNTS.clear()
    found = to_unit(every.to(device))
    assert COUNTS.operators == 2  # integers, and the table's values at them
    assert torch.equal(found.cpu(), to_unit(every))
