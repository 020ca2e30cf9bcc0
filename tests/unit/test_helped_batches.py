"""Batches whose automatic augmentation is done ahead: the same as where it is done at once, also after a restore."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from benchmark.training import batches
from benchmark.training.batches import Batches
from benchmark.training.seeding import Streams
from methods.helpers import LOOKAHEAD
from methods.policies import augment_all
from tasks import digits
from trainings import prepared, protocol

TEXTS = [
    "trivialaugment",
    "mixup+autoaugment",
    "cutout+autoaugment",
    "random-erasing+trivialaugment",
    "hydramix(p_gen=0.7)+autoaugment",
]
pytestmark = pytest.mark.usefixtures("one_thread")


def made(text: str) -> Batches:
    return Batches(digits(), prepared(text, digits()), protocol(), Streams(0))


def assert_alike(one: Batches, other: Batches, count: int, left: int = 100) -> None:
    for _ in range(count):
        first, second = one.next(left), other.next(left)
        assert torch.equal(first.images, second.images) and torch.equal(first.targets, second.targets)


@pytest.fixture
def ahead(monkeypatch):
    """Makes batches by helpers, of which there are none: this process does their work when it is asked for."""

    def make(text: str) -> Batches:
        with monkeypatch.context() as patch:
            patch.setattr(batches, "_helpers_pay", lambda task, method: True)
            return made(text)

    return make


@pytest.mark.parametrize("text", TEXTS)
def test_they_are_those_that_are_made_at_once(text, ahead):
    helped, plain = ahead(text), made(text)
    assert_alike(helped, plain, 5)
    assert len(helped._begun) == LOOKAHEAD and not plain._begun
    state = deepcopy(helped.state())
    resumed = ahead(text)
    resumed.restore(state)
    assert_alike(resumed, plain, 4)


def test_no_more_are_begun_than_are_left(ahead, monkeypatch):
    asked = []

    def counted(*of):
        asked.append(of)
        return augment_all(*of)

    monkeypatch.setattr("methods.automatic._Automatic.helped", staticmethod(counted))
    helped = ahead("autoaugment")
    for left in (3, 2, 1):
        helped.next(left)
    assert len(asked) == 3 and not helped._begun


@pytest.mark.parametrize(
    ("text", "workers", "device", "helped"),
    [
        ("mixup+autoaugment", 2, "cuda", True),
        ("mixup+autoaugment", 2, "cpu", False),
        ("mixup+autoaugment", 0, "cuda", False),
        ("chimeramix-seg+autoaugment", 2, "cuda", False),
    ],
)
def test_helpers_are_for_a_gpu_s_steps_and_for_what_does_not_look_ahead_itself(text, workers, device, helped):
    task = digits(workers=workers)
    assert batches._helpers_pay(replace(task, device=torch.device(device)), prepared(text, task)) is helped
