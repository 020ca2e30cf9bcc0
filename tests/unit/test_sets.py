"""Sets of images of any method: balanced, of one class per batch, the same ones for a seed."""

import numpy as np
import pytest
import torch

from benchmark.measures.extraction import Extraction
from benchmark.measures.sets import ImageSet, RealImages, always_mixing, balanced, draw_real
from datasets.base import get_dataset
from datasets.registry import BadInput
from methods.registry import parse_method
from tests.tasks import digits
from tests.trainings import advanced, assert_same, prepared, protocol, resolved

METHODS = (
    "baseline",
    "mixup",
    "cutout",
    "chimeramix-grid(generator_size=32)",
    "hydramix(generator_size=32)+trivialaugment",
)


def image_set(text: str, images: int = 23, samples_per_class: int = 2) -> ImageSet:
    return ImageSet(digits(samples_per_class), prepared(text, digits(samples_per_class)), protocol(), images)


def drawn(images: ImageSet | RealImages) -> torch.Tensor:
    return torch.cat([images.next() for _ in range(images.steps - images.step)])


@pytest.mark.parametrize("text", METHODS)
@pytest.mark.usefixtures("one_thread")
def test_a_set_has_as_many_uint8_images_as_asked_for_and_depends_on_the_seed_alone(text):
    images = image_set(text)
    made = drawn(images)
    assert made.dtype == torch.uint8 and made.shape == (23, 32, 32, 3)
    assert images.labels.bincount().tolist() == balanced(23, 10) == [3, 3, 3, *[2] * 7]
    assert torch.equal(made, drawn(image_set(text)))


@pytest.mark.usefixtures("one_thread")
def test_a_set_goes_on_where_it_was_stopped():
    whole = drawn(image_set("mixup", 100))
    stopped = image_set("mixup", 100)
    first = [stopped.next() for _ in range(3)]
    gone_on = image_set("mixup", 100)
    gone_on.restore(stopped.state())
    assert torch.equal(whole, torch.cat([*first, drawn(gone_on)]))


def test_every_image_begins_equally_many():
    images = image_set("baseline", 100, samples_per_class=5)
    assert set(torch.cat(images._picked).bincount().tolist()) == {2}


def test_the_original_set_is_the_subset_itself():
    images = image_set("original", 20)
    assert torch.equal(drawn(images), digits(2).images[torch.cat(images._picked)])


def test_a_set_of_one_class_has_no_other_image():
    images = ImageSet(digits(2), prepared("mixup", digits(2)), protocol(), 7, label=3)
    assert images.labels.tolist() == [3] * 7 and len(drawn(images)) == 7


def test_mixing_stays_within_a_class():
    images = image_set("mixup", 40)
    labels = images._batches._labels
    assert all(len(labels[picked].unique()) == 1 for picked in images._picked)
    assert torch.equal(torch.cat([labels[picked] for picked in images._picked]), images.labels)


def test_copies_are_the_subsets_images_where_nothing_is_cropped():
    task = digits()
    plain = protocol().model_copy(update={"padding": 0})
    made = drawn(ImageSet(task, prepared("baseline", task), plain, 20))
    both = torch.cat([task.images, task.images.flip(2)])
    assert all((both == image).flatten(1).all(1).any() for image in made)


@pytest.mark.parametrize(("text", "share"), [("glico", 1.0), ("glico(p_gen=0)", 0.0), ("hydramix+autoaugment", 1.0)])
def test_what_is_generated_takes_the_place_of_every_batch(text, share):
    assert always_mixing(resolved(text)).parameters()["p_gen"] == share


def test_a_method_without_a_share_stays_as_it_is():
    mixup = parse_method("mixup")
    assert always_mixing(mixup) is mixup


def test_always_mixing_needs_the_generator_that_the_method_has():
    method = resolved("chimeramix-seg(generator_size=32)")
    dataset = get_dataset("digits")
    assert always_mixing(method).needs(dataset, 2, 0) == method.needs(dataset, 2, 0)


def test_real_images_are_balanced_and_different_ones():
    labels = torch.tensor([0, 1, 0, 1, 0, 1, 1])
    positions = draw_real(labels, 5, 2, seed=0)
    assert labels[positions].tolist() == [0, 0, 0, 1, 1]
    assert len(positions.unique()) == 5
    assert torch.equal(positions, draw_real(labels, 5, 2, seed=0))
    with pytest.raises(BadInput, match="class 0, of which there are 3"):
        draw_real(labels, 8, 2, seed=0)


def test_real_images_come_at_their_positions_with_their_labels():
    dataset = get_dataset("digits")
    positions = draw_real(torch.from_numpy(dataset.train_labels()), 30, 10, seed=0)
    real = RealImages(dataset, "train", positions, batch_size=7)
    assert np.array_equal(drawn(real), dataset.train_images(positions.numpy()))
    assert real.labels.tolist() == dataset.train_labels()[positions].tolist()
    test = RealImages(dataset, "test", torch.arange(5), batch_size=2)
    assert np.array_equal(drawn(test), dataset.test().images[:5]) and test.steps == 3


def brightness(images: torch.Tensor) -> torch.Tensor:
    return images.float().mean((1, 2))


@pytest.mark.usefixtures("one_thread")
def test_features_of_a_stopped_extraction_are_those_of_one_that_was_not():
    whole = advanced(Extraction(image_set("mixup", 60), brightness), 10)
    stopped = advanced(Extraction(image_set("mixup", 60), brightness), 4)
    gone_on = Extraction(image_set("mixup", 60), brightness)
    gone_on.restore(stopped.state())
    gone_on = advanced(gone_on, gone_on.steps - gone_on.step)
    assert whole.step == whole.steps == 10 and gone_on.images_seen == 60
    assert_same(gone_on.tensors(), whole.tensors())
    assert torch.equal(whole.features, brightness(drawn(image_set("mixup", 60))))
