"""The views of a DINO training: crops of images, or of compositions in their place."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from datasets.batches import Crops, draw_partners, epoch_order, normalise, send, to_unit
from methods.base import Method
from methods.distillation.colours import Colours
from methods.distillation.crops import Boxes
from methods.distillation.loss import GLOBAL_VIEWS
from methods.task import Batch, Task, Views

if TYPE_CHECKING:
    from methods.distillation.recipe import DinoRecipe

_GLOBAL, _LOCAL = (0.14, 1.0), (0.05, 0.14)  # shares of an image's area, of the published recipe for ResNet-50
_STREAMS = ("order", "mixing", "views")


class ViewBatches:
    """The views of a training's batches, one batch after the other. mixing: prepared for the task, or None."""

    def __init__(self, recipe: "DinoRecipe", task: Task, mixing: Method | None):
        self.recipe, self.task, self.mixing = recipe, task, mixing
        self._bytes = task.images.cpu()
        self.images = normalise(to_unit(self._bytes))
        self.maps = mixing.maps(task) if mixing else None
        self._labels = task.labels.cpu()
        self._streams = {name: task.stream(f"dino {name}") for name in _STREAMS}
        self._order = torch.empty(0, dtype=torch.long)  # what is left of the epoch

    def next(self) -> list[Tensor]:
        """Normalised views of the epoch's next B images: global ones 2·B×3×S×S, then local ones k·B×3×S/2×S/2."""
        picked, size, local = self._pick(), self.recipe.view_size, self.recipe.local_views
        images = self._sources(picked)
        drawn = [self._draw(len(picked), size, _GLOBAL, [1.0, 0.1], [0.0, 0.2])]
        if local:
            drawn.append(self._draw(len(picked), size // 2, _LOCAL, [0.5] * local, [0.0] * local))
        assert len(drawn[0].boxes.flipped) == GLOBAL_VIEWS * len(picked)
        images, *numbers = send(self.task.device, images, *(number for views in drawn for number in views.numbers))
        units = (images + 1) / 2
        return [views.on(*numbers[3 * i : 3 * i + 3]).of(units) for i, views in enumerate(drawn)]

    def state(self) -> dict[str, object]:
        streams = {name: stream.get_state() for name, stream in self._streams.items()}
        return {"order": self._order.clone(), "streams": streams}

    def restore(self, state: dict) -> None:
        self._order = state["order"]
        for name, stream in self._streams.items():
            stream.set_state(state["streams"][name])

    def _pick(self) -> Tensor:
        if not len(self._order):
            repeats = self.recipe.repeats(self.task.samples_per_class)
            self._order = epoch_order(len(self.images), repeats, self._streams["order"])
        picked, self._order = self._order[: self.recipe.batch_size], self._order[self.recipe.batch_size :]
        return picked

    def _sources(self, picked: Tensor) -> Tensor:
        """The images at `picked`, or what the mixing method has in their place, B×3×H×W in [-1, 1]."""
        images = self.images[picked]
        if not self.mixing:
            return images
        targets = functional.one_hot(self._labels[picked], self.task.num_classes).float()
        maps = None if self.maps is None else self.maps[picked]
        batch = Batch(images, targets, maps, lambda count: self._partners(picked, count), picked)
        return self.mixing.begin(batch, self._streams["mixing"])().images

    def _partners(self, picked: Tensor, count: int) -> Views:
        """Images of the same classes, cropped and flipped as a classifier's are."""
        rng, n, size = self._streams["mixing"], self.task.samples_per_class, self.images.shape[-1]
        drawn = self._labels[picked] * n + draw_partners(count, len(picked), n, rng)
        at = self.task.by_class[drawn].flatten()
        crops, shape = Crops.draw(len(at), size, size // 8, rng), drawn.shape
        images = normalise(to_unit(crops.of(self._bytes[at])))
        maps = None if self.maps is None else crops.of(self.maps[at]).unflatten(0, shape)
        return Views(images.unflatten(0, shape), maps)

    def _draw(
        self, count: int, size: int, scale: tuple[float, float], blurred: list[float], solarised: list[float]
    ) -> "_Views":
        """As many views of each of `count` images as there are probabilities of blurring and solarising one."""
        rng = self._streams["views"]
        boxes = Boxes.draw(len(blurred) * count, self.images.shape[-1], scale, rng)
        blurs, negatives = (torch.tensor(each).repeat_interleave(count) for each in (blurred, solarised))
        return _Views(size, len(blurred), boxes, Colours.draw(blurs, negatives, rng))


class _Views(NamedTuple):
    """What is drawn of views of one size, `each` of every image."""

    size: int
    each: int
    boxes: Boxes
    colours: Colours

    @property
    def numbers(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.boxes.sides, self.boxes.flipped, self.colours.numbers

    def on(self, sides: Tensor, flipped: Tensor, numbers: Tensor) -> "_Views":
        """With its numbers where the images are."""
        return self._replace(boxes=Boxes(sides, flipped), colours=Colours(numbers, self.colours.order))

    def of(self, images: Tensor) -> Tensor:
        """The views of images in [0, 1], B×3×H×W, normalised."""
        views = self.colours.of(self.boxes.of(images.repeat(self.each, 1, 1, 1), self.size))
        return normalise(views).contiguous(memory_format=torch.channels_last)
