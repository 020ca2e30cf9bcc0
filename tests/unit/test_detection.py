"""Detection: AP on boxes whose AP is known, compositions and their boxes, a training that stops and goes on."""

import io

import numpy as np
import pytest
import torch

from benchmark.kinds.detection import Detection
from benchmark.measures.detection.ap import Found, average_precision
from benchmark.measures.detection.batches import BoxBatches, BoxSubset
from benchmark.measures.detection.compose import Targets, composed_targets
from benchmark.measures.detection.evaluate import evaluate_detector
from benchmark.measures.detection.network import build_detector
from benchmark.measures.detection.training import DetectionTraining
from benchmark.training.seeding import Streams
from boxed import Drawn
from datasets.boxes import BoxDataset
from datasets.instances import BoxedImage, Boxes
from datasets.registry import BadInput
from methods.mixing.composer import Composer
from methods.mixing.masks import box_mask
from methods.registry import parse_method
from methods.task import Task
from trainings import TINY, advanced, assert_same

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
PROTOCOL = Detection(
    body="resnet18",
    backbone="scratch",
    training_steps=2,
    batch_size=2,
    learning_rate=0.01,
    momentum=0.9,
    weight_decay=1e-4,
    warmup=1,
    short_side=64,
    long_side=96,
    smallest_scale=0.8,
    proposals=8,
    box_score_thresh=0.05,
    precision="fp32",
)


def boxed(number, corners, labels, crowd=False):
    corners = np.array(corners, np.float32).reshape(-1, 4)
    areas = (corners[:, 2:] - corners[:, :2]).prod(1).astype(float)
    boxes = Boxes(corners, np.array(labels, int), np.full(len(corners), crowd), areas)
    return BoxedImage(number, f"{number}.jpg", 200, 200, boxes)


IMAGES = [boxed(5, [[10, 10, 110, 60], [100, 100, 150, 200]], [0, 1]), boxed(9, [[0, 0, 80, 80]], [0])]


def found_of(images, shift=0.0):
    """What the boxes say themselves, moved to the right by a share of their width."""
    moved = []
    for image in images:
        corners = image.boxes.corners.copy()
        corners[:, [0, 2]] += shift * (corners[:, [2]] - corners[:, [0]])
        moved.append(Found(corners, image.boxes.labels, np.full(len(corners), 0.9)))
    return moved


NOTHING = Found(np.empty((0, 4), np.float32), np.empty(0, int), np.empty(0))


def test_perfect_boxes_have_100_and_boxes_moved_by_15_percent_50_100_0():
    """Moved by 15%, a box overlaps itself by 0.85 / 1.15 = 0.739: right at five of the ten overlaps."""
    assert average_precision(IMAGES, found_of(IMAGES), 80) == pytest.approx((100, 100, 100))
    assert average_precision(IMAGES, found_of(IMAGES, 0.15), 80) == pytest.approx((50, 100, 0))


def test_nothing_found_is_0_and_does_not_crash():
    assert average_precision(IMAGES, [NOTHING, NOTHING], 80) == (0, 0, 0)


def test_another_label_is_another_object():
    wrong = [found._replace(labels=1 - found.labels) for found in found_of(IMAGES)]
    assert average_precision(IMAGES, wrong, 80) == (0, 0, 0)


def test_what_is_found_in_a_crowd_counts_neither_way():
    crowd = boxed(11, [[0, 0, 100, 100]], [0], crowd=True)
    inside = Found(np.array([[10, 10, 50, 50]], np.float32), np.array([0]), np.array([0.99]))
    assert average_precision([*IMAGES, crowd], [*found_of(IMAGES), inside], 80) == pytest.approx((100, 100, 100))
    alone = boxed(11, [], [])
    assert average_precision([*IMAGES, alone], [*found_of(IMAGES), inside], 80).ap50 < 100


def test_no_box_at_all_is_refused():
    with pytest.raises(BadInput, match="needs a box"):
        average_precision([boxed(1, [], [])], [NOTHING], 80)


def test_boxes_alone_are_put_on_the_first_image():
    regions = torch.zeros(200, 3, 8, 8, dtype=torch.int16)
    regions[:, 0, 6:] = 1  # the ground's own box makes no difference
    regions[:, 1, :4, :4] = 1
    regions[:, 2, 2:6, 2:6] = 1
    masks = box_mask(regions, 8, torch.Generator().manual_seed(0))
    assert set(masks.unique().tolist()) == {0, 1, 2}
    assert (masks[:, :2, 4:] == 0).all() and (masks[:, 6:, :2] == 0).all()
    assert 60 < int((masks[:, 0, 0] == 1).sum()) < 140
    assert 60 < int((masks[:, 3, 3] == 2).sum()) < 140
    own = masks[:, 2:6, 2:6].flatten(1) == 2
    assert (own.all(1) | ~own.any(1)).all()  # a box is put as a whole


def test_a_composed_image_has_the_boxes_of_which_half_is_seen_as_far_as_they_are_seen():
    mask = torch.zeros(8, 8, dtype=torch.long)
    mask[:, 5:] = 1
    ground = Targets(np.array([[0.0, 0, 0.25, 0.25], [0.5, 0, 1, 1], [0.25, 0, 0.75, 0.5]], np.float32), np.arange(3))
    other = Targets(np.array([[0.6, 0.1, 1, 0.9], [0, 0, 0.3, 0.3]], np.float32), np.array([7, 8]))
    found = composed_targets([ground, other], mask, 64)
    assert found.labels.tolist() == [0, 2, 7]
    assert found.corners[0].tolist() == [0, 0, 0.25, 0.25]
    assert found.corners[1].tolist() == [0.25, 0, 0.625, 0.5]
    assert found.corners[2].tolist() == pytest.approx([0.625, 0.1, 1, 0.9])


def test_targets_turn_with_their_image():
    assert Targets(np.array([[0.1, 0, 0.3, 1]]), np.array([1])).flipped().corners[0] == pytest.approx([0.7, 0, 0.9, 1])


def subset() -> BoxSubset:
    return BoxSubset.of(Drawn(), np.arange(6), CPU, 0, "fp32")


def task() -> Task:
    dataset, indices = Drawn(), np.arange(6)
    images, regions = (torch.from_numpy(values) for values in (dataset.train_images(indices), dataset.regions(indices)))
    return Task(images, torch.zeros(6, dtype=torch.long), 1, CPU, 0, 6, regions=regions, class_names=("Drawn",))


def hydramix(p_gen: float = 1.0) -> Composer:
    """HydraMix with an untrained generator of the drawn images."""
    method = parse_method(f"hydramix(p_gen={p_gen},generator_size=32,images=3)").resolve(Drawn(), TINY)
    (need,) = method.needs(Drawn(), 2, 0)
    composer = method.prepare(task(), (need.recipe.network().eval(),))
    assert isinstance(composer, Composer)
    return composer


def nmix(p_gen: float = 1.0) -> Composer:
    """NMix, which mixes pixels."""
    composer = parse_method(f"nmix(p_gen={p_gen},generator_size=64,images=3)").resolve(Drawn()).prepare(task(), ())
    assert isinstance(composer, Composer)
    return composer


def batches(composer=None, **changes) -> BoxBatches:
    return BoxBatches(subset(), composer, PROTOCOL.model_copy(update=changes), Streams(0))


def test_boxes_lie_on_what_they_are_of_however_an_image_is_turned():
    source = batches(batch_size=6)
    for batch in (source.next(), source.next()):
        assert 51 <= batch.short_side <= 64
        for image, targets in zip(batch.images, batch.targets, strict=True):
            assert image.shape == (3, 64, 80)
            for (left, top, right, bottom), label in zip(targets["boxes"].int(), targets["labels"], strict=True):
                assert image[label - 1, top:bottom, left:right].mean() > 0.8


def test_a_composed_batch_keeps_sizes_and_has_boxes_inside():
    batch = batches(hydramix(), batch_size=6).next()
    assert sum(len(targets["labels"]) for targets in batch.targets) > 0
    for image, targets in zip(batch.images, batch.targets, strict=True):
        assert image.shape == (3, 64, 80) and image.min() >= 0 and image.max() <= 1
        boxes = targets["boxes"]
        assert (
            (boxes[:, 2:] > boxes[:, :2]).all() and (boxes >= 0).all() and (boxes <= torch.tensor([80, 64] * 2)).all()
        )
        assert set(targets["labels"].tolist()) <= {1, 2, 3}


def test_pixels_of_partners_lie_where_their_boxes_are():
    """NMix mixes pixels: what a box of a composed image is of shines in its colour."""
    batch = batches(nmix(), batch_size=6).next()
    plain = batches(batch_size=6).next()
    counts = [sum(len(targets["labels"]) for targets in of.targets) for of in (batch, plain)]
    assert counts[0] > counts[1] * 0.7
    for image, targets in zip(batch.images, batch.targets, strict=True):
        for (left, top, right, bottom), label in zip(targets["boxes"].round().int(), targets["labels"], strict=True):
            assert image[label - 1, top:bottom, left:right].mean() > 0.5


def test_batches_that_are_not_composed_are_those_of_the_baseline():
    composed, plain = batches(nmix(p_gen=0.0)), batches()
    for _ in range(2):
        for one, two in zip(composed.next().images, plain.next().images, strict=True):
            assert torch.equal(one, two)


def test_a_generator_learns_from_boxes_and_shows_them():
    method = parse_method("hydramix(generator_size=32,images=2)").resolve(Drawn(), TINY)
    (need,) = method.needs(Drawn(), 2, 0)
    assert need.recipe.identity["parameters"]["mask"] == {"kind": "boxes", "images": 2}
    building = advanced(need.recipe.start(task(), ()), 2)
    captions = [tile.caption for tile in need.recipe.picture(need.recipe.load(building.tensors(), CPU), task())[0]]
    assert captions[:4] == ["Drawn 1", "Drawn 2", "segments 1", "segments 2"]


def test_boxes_are_the_segments_where_there_are_boxes_and_nowhere_else(digits_dataset):
    assert parse_method("hydramix").resolve(Drawn(), TINY).segmentation == "boxes"
    assert parse_method("hydramix").resolve(digits_dataset, TINY).segmentation == "precomputed"
    with pytest.raises(BadInput, match="digits has no boxes"):
        parse_method("hydramix(segmentation=boxes)").resolve(digits_dataset, TINY)
    with pytest.raises(BadInput, match="noise"):
        parse_method("hydramix(noise=0.5)").resolve(Drawn(), TINY)


@pytest.fixture
def digits_dataset():
    from datasets.base import get_dataset

    return get_dataset("digits")


def test_a_training_that_stops_goes_on_with_the_same_bits():
    composer = nmix(0.5)
    whole = advanced(DetectionTraining(subset(), composer, PROTOCOL), 2)
    first = advanced(DetectionTraining(subset(), composer, PROTOCOL), 1)
    buffer = io.BytesIO()
    torch.save(first.state(), buffer)
    buffer.seek(0)
    torch.manual_seed(99)
    second = DetectionTraining(subset(), composer, PROTOCOL)
    second.restore(torch.load(buffer, weights_only=True))
    advanced(second, 1)
    assert_same(whole.network.state_dict(), second.network.state_dict())
    assert whole.history.lines == second.history.lines
    assert set(whole.history.last()) == {"classifier", "box_reg", "objectness", "rpn_box_reg"}


def test_a_detector_that_finds_nothing_has_an_ap_of_0():
    dataset: BoxDataset = Drawn()
    detector = build_detector(PROTOCOL.model_copy(update={"box_score_thresh": 0.99}), 3, None)
    found = evaluate_detector(detector, dataset, "test", dataset.instances("test").images, "fp32")
    assert found == (0, 0, 0)


def test_an_imagenet_backbone_is_taken_and_its_first_stages_and_norms_stay():
    from torchvision.models import resnet18

    weights = resnet18().state_dict()
    detector = build_detector(PROTOCOL, 3, weights)
    body = detector.backbone.body
    assert torch.equal(body.layer4[0].conv1.weight, weights["layer4.0.conv1.weight"])
    assert not body.conv1.weight.requires_grad and body.layer2[0].conv1.weight.requires_grad
    assert not any("bn" in name for name, _ in detector.named_parameters())
