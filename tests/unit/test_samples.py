"""`samples` says that it wrote a file only where it did."""

from types import SimpleNamespace

import pytest

from benchmark.cli import augment
from benchmark.cli.augment import Subject, make_samples
from benchmark.sweep import Screen
from benchmark.teacher import TeacherRecipe
from datasets.base import get_dataset
from datasets.registry import BadInput
from methods.registry import parse_method

SCREEN = Screen(lambda text: None, lambda text: None, lambda total: pytest.fail("trains"), lambda question: None)


@pytest.fixture
def subject():
    return Subject(parse_method("supermix"), get_dataset("digits"), 2, 0, "demo")


def test_a_recipe_without_a_picture_is_refused_before_anything_trains(subject, tmp_path, monkeypatch):
    (mixed,) = subject.builds
    (teacher,) = mixed.artifact.needs()
    assert isinstance(teacher.recipe, TeacherRecipe)
    monkeypatch.setattr(Subject, "builds", (SimpleNamespace(artifact=teacher),))
    with pytest.raises(BadInput, match=r"method 'supermix': there is no picture of a teacher wrn"):
        make_samples(subject, tmp_path, tmp_path / "x.png", SCREEN)


def test_a_picture_that_turns_out_empty_is_refused(subject, tmp_path, monkeypatch):
    monkeypatch.setattr(augment, "ensure_built", lambda *arguments: subject.builds)
    monkeypatch.setattr(augment, "task_of", lambda *arguments: SimpleNamespace(device="cpu"))
    monkeypatch.setattr("benchmark.build.load_artifact", lambda *arguments: None)
    recipe = type(subject.builds[0].artifact.recipe)
    monkeypatch.setattr(recipe, "picture", lambda self, made, task: [])
    with pytest.raises(BadInput, match="there is no picture of a supermix mixed set"):
        make_samples(subject, tmp_path, tmp_path / "x.png", SCREEN)
    assert not (tmp_path / "x.png").exists()
