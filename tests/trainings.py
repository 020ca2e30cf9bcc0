"""Short trainings with methods that mix, of their generators, and whether two ended with the same bits."""

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from benchmark.protocol import Protocol, resolve_protocol
from benchmark.stop import StopRequest
from benchmark.training.loop import Training
from datasets.base import get_dataset
from methods.base import Method
from methods.mixing.family import Generated
from methods.mixing.networks import Generator
from methods.mixing.recipe import GeneratorRecipe
from methods.registry import parse_method
from methods.task import Task

T = TypeVar("T")
TINY = {"generator": {"width": 4, "epochs": 2, "batch_size": 8, "images_per_class": 4, "learning_rate": 1e-3}}


def resolved(text: str) -> Method:
    return parse_method(text).resolve(get_dataset("digits"), TINY)


def prepared(text: str, task: Task) -> Method:
    """The method with an untrained generator."""
    method = resolved(text)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        needs = method.needs(get_dataset("digits"), 2, 0)
        made = tuple(Generator(active=need.recipe.active, width=4).eval().requires_grad_(False) for need in needs)
    return method.prepare(task, made)


def protocol() -> Protocol:
    return resolve_protocol("demo", get_dataset("digits"), {"network": "wrn-10-1", "epochs": 1})


def training(text: str, task: Task) -> Training:
    return Training(task, prepared(text, task), protocol())


def weights(text: str, task: Task, steps: int = 3) -> dict[str, Tensor]:
    return advanced(training(text, task), steps).network.state_dict()


def recipe(method: str = "hydramix(generator_size=32)", **changes: object) -> GeneratorRecipe:
    dataset = get_dataset("digits")
    resolved = parse_method(method).resolve(dataset, TINY)
    assert isinstance(resolved, Generated)
    return replace(resolved.recipe(dataset, dataset), **changes)


def advanced(training: T, steps: int) -> T:
    for _ in range(steps):
        training.advance()
    return training


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def stop_after(steps: int) -> StopRequest:
    """A request that comes true after some steps."""
    request, asked = StopRequest(), iter([False] * steps)
    request.__class__ = type("After", (StopRequest,), {"__call__": lambda self: next(asked, True)})
    return request
