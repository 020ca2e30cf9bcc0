"""Methods around a method pass on whatever they do not define themselves, also hooks that are added later."""

from dataclasses import dataclass, replace
from inspect import get_annotations

import pytest
import torch

from datasets.base import get_dataset
from methods.base import Method
from methods.compose import Composition, Prepared
from methods.registry import parse_method
from methods.task import Batch

PUBLIC = sorted(name for name in {*dir(Method), *get_annotations(Method)} if not name.startswith("_"))
REBUILT = {"resolve", "fill", "prepare"}  # give a method around what the inner one gives
DIFFERENT = {
    Prepared: REBUILT | {"begin"},
    Composition: REBUILT | {"name", "label", "source", "available", "transform", "helped", "ask", "identity"},
}


def around(cls: type, method: Method) -> Method:
    return cls(method, parse_method("autoaugment")) if cls is Composition else cls(method)


@pytest.mark.parametrize(
    ("cls", "name"), [(cls, name) for cls, own in DIFFERENT.items() for name in PUBLIC if name not in own]
)
def test_every_public_name_is_the_inner_method_s(cls, name):
    told = object()
    inner = type("Inner", (Method,), {"name": "inner", "label": "Inner", "source": "a test", name: told})()
    assert getattr(around(cls, inner), name) is told


def test_a_composition_resolves_fills_and_prepares_around_its_parts():
    method = parse_method("cutout+autoaugment")
    resolved = method.resolve(get_dataset("cifair10"))
    assert resolved == Composition(parse_method("cutout(length=16)"), parse_method("autoaugment(policy=cifar10)"))
    assert method.fill({"length": 3}) == parse_method("cutout(length=3)+autoaugment")
    task = object()
    assert Composition(Brightening(), method.augmentation).prepare(task, ()) == Composition(
        Bright(Brightening()), method.augmentation
    )


@dataclass(frozen=True)
class Brightening(Method):
    """Doubles the batch, in training by way of a prepared method; its `begin` alone adds 100."""

    name = "brightening"

    def prepare(self, task, made):
        return Bright(self)

    def begin(self, batch, rng):
        return lambda: Batch(batch.images + 100, batch.targets)


@dataclass(frozen=True)
class Bright(Prepared):
    def mix(self, batch, rng):
        return Batch(2 * batch.images, batch.targets)


@dataclass(frozen=True)
class Dull(Prepared):
    """Mixes nothing itself."""


@pytest.mark.parametrize(("prepared", "pixel"), [(Bright, 2.0), (Dull, 101.0)])
def test_a_prepared_method_begins_by_its_own_mix_if_it_has_one(prepared, pixel):
    batch = Batch(torch.ones(1, 3, 2, 2), torch.ones(1, 1))
    method = prepared(Brightening())
    for each in (method, Composition(method, parse_method("trivialaugment"))):
        mixed = each.begin(batch, torch.Generator())()
        assert mixed.images.unique().tolist() == [pixel]


def test_a_prepared_method_has_its_method_s_identity():
    method = parse_method("supermix(images=3)")
    assert Dull(method).identity == method.identity
    assert Dull(replace(method, images=4)).identity != method.identity  # type: ignore[call-arg]
