from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from datasets.base import Dataset
from datasets.batches import send
from datasets.registry import BadInput
from methods.artifacts import Artifact
from methods.base import NO_BUDGETS, Budgets, Method
from methods.compose import Prepared, spared
from methods.identity import AsBefore
from methods.latents.neighbours import SHARES, Neighbours
from methods.latents.networks import LoopForm, draw_noise
from methods.latents.perceptual import Perceptual
from methods.latents.recipe import Fitted, LatentRecipe
from methods.latents.slerp import Axis, slerp
from methods.precision import frozen
from methods.ranges import Amount, Positive, Share
from methods.registry import register
from methods.task import Batch, Task


@register("glico", label="GLICO", source="Azuri & Weinshall, 2021")
@dataclass(frozen=True)
class Glico(Method):
    """Replaces whole batches by images drawn from between the latents of two images of a class (FIDELITY section 11).

    First a latent for each training image and a generator are fitted, together with a small classifier of what is
    drawn; then a batch is, with probability p_gen, drawn at 0.1, 0.2, 0.3 or 0.4 of the arc from each of its images
    to another of the class. Drawn images are used as they are: crop, flip and a +augmentation act on the others.

    Other than published: an epoch shows each image 500/n times, 8,080 steps of the paper preset at 5 per class, where
    the published code shows it once, 202 steps (images_per_class=1 has theirs); an image is never its own neighbour,
    where in the published code it can be; only the subset has latents, none are of unlabelled or test images; the
    last state is kept, not the one of least loss; batch norm is in evaluation when images are drawn; the latents have
    no second, small step by SGD, and the small classifier keeps its rate of 0.1.
    """

    version = 2

    p_gen: Share = 0.5
    # along each latent's arc, or on the wrong axis as in the published code
    slerp: Axis = "per_sample"
    # part of the fitting's loss: ChimeraMix's Laplacian pyramid (lap) stands for the published features of VGG16
    # (vgg; VggDistance says of which layers), learned on ImageNet, which the rule of no additional data excludes
    perceptual: Perceptual = "lap"
    # weight of the classification loss
    gamma: Annotated[float, Field(ge=0)] = 0.5
    # all moments are forgotten after every epoch, as in the published code; otherwise Adam long remembers the large
    # gradients of the first classification losses, and short fittings hardly learn their images
    reset_optimisers: bool = True
    # None is the preset's to spend: width of the first layer, ..., rates of the generator and of the latents
    hidden: Positive | None = None
    epochs: Positive | None = None
    batch_size: Annotated[int, Field(ge=2)] | None = None
    images_per_class: Positive | None = None
    learning_rate: Amount | None = None
    latent_rate: Amount | None = None
    # the small classifier as the published code runs it (softmax before the cross-entropy, LeakyReLU(0.1) after
    # pooling) or plain (logits, ReLU), as version 1 had it: its image gradient is 8 to 16 times larger at the start
    loop_classifier: Annotated[LoopForm, AsBefore("published")] = "published"

    @property
    def remark(self) -> str:  # type: ignore[override]
        lap = self.perceptual == "lap"
        loss = "with a Laplacian loss for VGG's features" if lap else "with VGG's features, learned on ImageNet"
        return f"{self.label} is fitted to the labelled subset alone, {loss}."

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        if dataset.image_size < 16 or dataset.image_size % 8:
            size = dataset.image_size
            raise BadInput(f"method '{self.name}': images of {size} pixels do not fit; multiples of 8 do, from 16 on")
        return self.fill(budgets.get("latents", {}))

    def needs(self, dataset: Dataset, samples_per_class: int, seed: int) -> tuple[Artifact, ...]:
        return (Artifact(self.recipe(dataset), dataset, samples_per_class, seed),) if self.p_gen else ()

    def recipe(self, dataset: Dataset) -> LatentRecipe:
        """The recipe of latents and generator, of a resolved method."""
        values = {name: value for name, value in self.parameters().items() if name not in ("p_gen", "slerp")}
        if unknown := [name for name, value in values.items() if value is None]:
            raise ValueError(f"{', '.join(unknown)}: resolve() with a preset's budgets comes first")
        return LatentRecipe(size=dataset.image_size, **values)  # type: ignore[arg-type]

    def prepare(self, task: Task, made: tuple[object, ...]) -> Method:
        if not made:  # p_gen is 0
            return self
        (fitted,) = made
        assert isinstance(fitted, Fitted)
        frozen(fitted.generator, task.precision)
        return Interpolating(self, task, fitted, Neighbours(task))


@dataclass(frozen=True)
class Interpolating(Prepared):
    """GLICO ready for training: draws new images between two of one class."""

    method: Glico
    task: Task
    fitted: Fitted
    neighbours: Neighbours

    def begin(self, batch: Batch, rng: torch.Generator) -> Callable[[], Batch]:
        """With probability p_gen, for the whole batch, drawn images in the place of its images."""
        if kept := spared(batch, self.method.p_gen, rng):
            return lambda: kept
        assert batch.picked is not None
        draw = self.begin_drawing(batch.picked, rng)

        def finish() -> Batch:
            images, targets = draw(batch.targets)
            return Batch(images, targets)

        return finish

    def begin_drawing(self, picked: Tensor, rng: torch.Generator) -> Callable[..., tuple[Tensor, ...]]:
        """What it returns makes images B×3×H×W in [-1, 1], each between one at `picked` and a neighbour, for all at the
        same share; with them it returns the tensors that it is given, on the device too."""
        neighbours = self.neighbours.draw(picked, rng)
        share = SHARES[int(torch.randint(len(SHARES), (), generator=rng))]
        noise = draw_noise(len(picked), rng)

        def draw(*others: Tensor) -> tuple[Tensor, ...]:
            one, other, noises, *sent = send(self.task.device, picked, neighbours, noise, *others)
            between = slerp(self.fitted.latents[one], self.fitted.latents[other], share, self.method.slerp)
            with torch.no_grad(), self.task.autocast():
                drawn = self.fitted.generator(between, noises)
            return drawn.float().contiguous(memory_format=torch.channels_last), *sent

        return draw
