"""What methods need that does not come with the code, and what they may not draw from."""

import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.teacher import TeacherRecipe
from benchmark.training.batches import Batches
from diffusion import make_ready
from methods.artifacts import Recipe
from methods.base import Method
from methods.registry import registry
from tasks import digits


@pytest.fixture(scope="package", autouse=True)
def ready_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For DiffuseMix, images for the smallest subsets of the digits."""
    folder = make_ready(tmp_path_factory.mktemp("ready"), digits())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFUSEMIX_IMAGES", str(folder))
        yield folder


@contextmanager
def own_draws(what: str) -> Iterator[None]:
    """Fails where something was drawn meanwhile from a stream that is everybody's."""
    before = _everybodys_streams()
    yield
    touched = [name for name, state in _everybodys_streams().items() if state != before[name]]
    assert not touched, f"{what} draws from the stream of {', '.join(touched)}: it has an rng of its own"


def _everybodys_streams() -> dict[str, bytes]:
    states = {"torch": torch.get_rng_state().numpy(), "numpy": np.random.get_state(), "random": random.getstate()}
    return {name: pickle.dumps(state) for name, state in states.items()}


@pytest.fixture
def draws_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method's hooks and the trainings of artifacts draw from what they are given alone.

    Not minded: initial weights, dropout and a teacher, which is a run. They have torch's stream, whose state is in the
    checkpoint.
    """

    def watch(owner: Any, name: str) -> None:
        monkeypatch.setattr(owner, name, _watched(getattr(owner, name), f"{owner.__name__}.{name}"))

    watch(Batches, "next")
    for cls in {cls for method in registry.entries().values() for cls in method.__mro__ if issubclass(cls, Method)}:
        for name in {"prepare", "criterion"} & vars(cls).keys():
            watch(cls, name)
    for recipe in set(_below(Recipe)) - {TeacherRecipe}:
        if "start" in vars(recipe):
            monkeypatch.setattr(recipe, "start", _watched_training(recipe.start))


def _watched(work: Callable, what: str) -> Callable:
    @wraps(work)
    def minded(*arguments: Any) -> Any:
        with own_draws(what):
            return work(*arguments)

    return minded


def _watched_training(start: Callable) -> Callable:
    @wraps(start)
    def minded(*arguments: Any) -> Any:
        with own_draws(f"{type(arguments[0]).__name__}.start"):
            building = start(*arguments)
        building.advance = _watched(building.advance, f"{type(building).__name__}.advance")
        return building

    return minded


def _below(cls: type) -> Iterator[type]:
    subclasses: list[type] = cls.__subclasses__()
    for subclass in subclasses:
        yield from (subclass, *_below(subclass))
