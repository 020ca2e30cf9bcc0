"""The training of a generator and its discriminator (FIDELITY sections 8 and 9), which can stop and go on."""

from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Adam

from methods.history import LossHistory
from methods.mixing.losses import adversarial_loss, discriminator_loss, laplacian_loss, reconstruction_loss
from methods.mixing.masks import mix_features
from methods.mixing.networks import Discriminator
from methods.mixing.sources import SourceBatches, Sources
from methods.streams import derive
from methods.task import Task

if TYPE_CHECKING:
    from methods.mixing.recipe import GeneratorRecipe

N = TypeVar("N", bound=nn.Module)

RECONSTRUCTION_WEIGHT = 1000.0  # of the other two terms 1 (ChimeraMix supplement C.1; HydraMix section 4.10)
_MILESTONES, _DECAY = (3, 6, 8), 0.2  # tenths of the training: 60, 120 and 160 of 200 epochs


class Adversaries:
    """Generator and discriminator with their optimisers, and the losses by which they learn from each other."""

    def __init__(self, recipe: "GeneratorRecipe", task: Task):
        self.recipe, self.task = recipe, task
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(task.seed, "generator init"))
            generator, discriminator = recipe.network(), Discriminator(recipe.width, strides=recipe.strides)
        self.generator = _placed(generator, task)
        self.discriminator = _placed(discriminator, task)
        self._generator_step, self._discriminator_step = (
            Adam(network.parameters(), betas=(0.5, 0.999), weight_decay=recipe.weight_decay, fused=True)
            for network in (self.generator, self.discriminator)
        )
        self._scaler = torch.amp.GradScaler(task.device.type, enabled=task.precision == "fp16")

    def update(self, sources: Sources, learning_rate: float) -> dict[str, Tensor]:
        """One step of the generator, then one of the discriminator; the losses by name, scalars on the device."""
        self.discriminator.requires_grad_(False)
        losses, fakes = self.generator_losses(sources)
        self._step(self._generator_step, self.total(losses), learning_rate)
        self.discriminator.requires_grad_(True)
        if self.recipe.d_fakes == "fresh":
            fakes = self.fresh_fakes(sources)
        losses["discriminator"] = self.discriminator_losses(sources, fakes.detach())
        self._step(self._discriminator_step, losses["discriminator"], learning_rate)
        self._scaler.update()
        return losses

    def generator_losses(self, sources: Sources) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of the generator's loss, not weighted, and the mixed images B×3×H×W."""
        images = sources.images
        with self.task.autocast():
            features = self.generator.encode(images.flatten(0, 1))
            mixed = mix_features(features.unflatten(0, images.shape[:2]).unbind(0), sources.masks[0])
            generated = self.generator.decode(torch.cat([features, mixed]))
            generated = generated.unflatten(0, (-1, images.shape[1]))
            alone, fakes = generated[:-1], generated[-1]
            judged = self.discriminator(fakes)
        # a mean over images and pixels is the mean over images of their mean squared errors
        reconstruction = reconstruction_loss(alone, images)
        if self.recipe.reconstruction == "sum":
            reconstruction = reconstruction * len(images)
        # stacked: a list as an index would be sent to the device, and waited for
        alone, images = (torch.stack([of[i] for i in sources.compared]) for of in (alone, images))
        perceptual = self._perceptual(alone, images)
        return {
            "reconstruction": reconstruction,
            "perceptual": perceptual,
            "adversarial": adversarial_loss(judged),
        }, fakes

    @staticmethod
    def _perceptual(generated: Tensor, images: Tensor) -> Tensor:
        """The sum over two images of their Laplacian losses, each a mean over the batch, as in ChimeraMix's code.

        HydraMix equation 5 divides a sum over its N images by N; its text compares two of them, to save time.
        """
        return len(images) * laplacian_loss(generated.flatten(0, 1), images.flatten(0, 1))

    @staticmethod
    def total(losses: dict[str, Tensor]) -> Tensor:
        """The generator's loss of its three terms (HydraMix equation 6)."""
        return RECONSTRUCTION_WEIGHT * losses["reconstruction"] + losses["perceptual"] + losses["adversarial"]

    def fresh_fakes(self, sources: Sources) -> Tensor:
        """Mixed images of a mask of their own by the generator as it is now, as ChimeraMix's code has it."""
        images = sources.images
        with torch.no_grad(), self.task.autocast():
            features = self.generator.encode(images.flatten(0, 1)).unflatten(0, images.shape[:2])
            return self.generator.decode(mix_features(features.unbind(0), sources.masks[1]))

    def discriminator_losses(self, sources: Sources, fakes: Tensor) -> Tensor:
        """The discriminator's loss on one source image of each sample and on mixed images."""
        real = sources.images[sources.real]
        with self.task.autocast():
            judged = self.discriminator(torch.cat([real, fakes.to(real.dtype)]))
        return discriminator_loss(*judged.split(len(real)))

    def _step(self, optimiser: Adam, loss: Tensor, learning_rate: float) -> None:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
        optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.step(optimiser)

    def state(self) -> dict[str, object]:
        return {name: part.state_dict() for name, part in self._parts().items()}

    def restore(self, state: dict) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> "dict[str, nn.Module | Adam | torch.amp.GradScaler]":
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimiser": self._generator_step,
            "discriminator_optimiser": self._discriminator_step,
            "scaler": self._scaler,
        }


class GeneratorTraining:
    """A generator's training in progress (a Building)."""

    def __init__(self, recipe: "GeneratorRecipe", task: Task):
        self.recipe = recipe
        self.networks = Adversaries(recipe, task)
        self.batches = SourceBatches(recipe, task)
        self.step, self.steps = 0, recipe.steps(task.samples_per_class, task.num_classes)
        self.images_seen = recipe.images(task.samples_per_class, task.num_classes)
        self.history = LossHistory(self.steps)

    def learning_rate(self) -> float:
        """Times 0.2 after 30%, 60% and 80% of the steps."""
        return self.recipe.learning_rate * _DECAY ** sum(10 * self.step >= m * self.steps for m in _MILESTONES)

    def advance(self) -> None:
        rate = self.learning_rate()
        losses = self.networks.update(self.batches.next(self.steps - self.step), rate)
        self.step += 1
        self.history.add(self.step, rate, losses)

    def state(self) -> dict[str, object]:
        return {
            "step": self.step,
            "networks": self.networks.state(),
            "batches": self.batches.state(),
            "history": self.history.state(),
        }

    def restore(self, state: dict) -> None:
        self.step = state["step"]
        self.networks.restore(state["networks"])
        self.batches.restore(state["batches"])
        self.history.restore(state["history"])

    def tensors(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().contiguous() for name, value in self.networks.generator.state_dict().items()}


def _placed(network: N, task: Task) -> N:
    return network.to(task.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
