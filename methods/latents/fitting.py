"""The joint fitting of latents, generator and a small classifier (FIDELITY section 11), which can stop and go on."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, Optimizer

from datasets.batches import epoch_order, normalise, send, to_unit
from methods.history import LossHistory
from methods.latents.networks import LATENT, draw_noise, loop_classifier
from methods.latents.perceptual import make_distance
from methods.streams import derive
from methods.task import Task

if TYPE_CHECKING:
    from methods.latents.recipe import LatentRecipe

_HALVE_EVERY, _OF = 70, 202  # epochs
_CLASSIFIER_RATE = 0.1


class Fitting:
    """A fitting in progress (a Building): min mean |x - G(z)| + perceptual(x, G(z)) + gamma CE(classifier(G(z)), y).

    The classifier ends in a softmax of its own, as published, unless the recipe says plain.
    """

    def __init__(self, recipe: "LatentRecipe", task: Task):
        self.recipe, self.task = recipe, task
        self.images = normalise(to_unit(task.images))
        self.distance = make_distance(recipe.perceptual, task.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(task.seed, "latents init"))
            latents = functional.normalize(torch.randn(len(task.images), LATENT))
            generator, classifier = (
                recipe.network(),
                loop_classifier(recipe.size, task.num_classes, recipe.loop_classifier),
            )
        self.latents = nn.Parameter(latents.to(task.device))
        self.generator = generator.to(task.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.classifier = classifier.to(task.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimisers = self._fresh_optimisers()
        self._scaler = torch.amp.GradScaler(task.device.type, enabled=task.precision == "fp16")
        self._streams = {name: task.stream(f"latents {name}") for name in ("order", "noise")}
        self._order = torch.empty(0, dtype=torch.long)  # what is left of the epoch
        self.step, self.steps = 0, recipe.steps(task.samples_per_class, task.num_classes)
        self.images_seen = recipe.images(task.samples_per_class, task.num_classes)
        self.history = LossHistory(self.steps)

    def learning_rate(self) -> float:
        """The generator's: halved after 70 and after 140 of 202 equal parts of the fitting, like the latents'."""
        return self.recipe.learning_rate * self._decay()

    def advance(self) -> None:
        picked = self._pick()
        noise = draw_noise(len(picked), self._streams["noise"])
        losses = self.losses(*send(self.task.device, picked, noise))
        self._update(self.total(losses))
        self.step += 1
        self.history.add(self.step, self.learning_rate(), losses)

    def losses(self, picked: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """The terms of the loss, not weighted, for the images at `picked` of the subset."""
        with self.task.autocast():
            # its gradient adds up in a fixed order where an image comes twice, unlike that of indexing
            drawn = self.generator(functional.embedding(picked, self.latents), noise)
            logits = self.classifier(drawn)
            perceptual = self.distance(drawn, self.images[picked])
        return {
            "reconstruction": functional.l1_loss(drawn.float(), self.images[picked]),
            "perceptual": perceptual,
            "classification": functional.cross_entropy(logits.float(), self.task.labels[picked]),
        }

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        return losses["reconstruction"] + losses["perceptual"] + self.recipe.gamma * losses["classification"]

    def state(self) -> dict[str, object]:
        return {
            "step": self.step,
            "latents": self.latents.detach().clone(),
            "parts": {name: part.state_dict() for name, part in self._parts().items()},
            "order": self._order.clone(),
            "streams": {name: stream.get_state() for name, stream in self._streams.items()},
            "history": self.history.state(),
        }

    def restore(self, state: dict) -> None:
        self.step, self._order = state["step"], state["order"]
        self.latents.data.copy_(state["latents"])
        for name, part in self._parts().items():
            part.load_state_dict(state["parts"][name])
        for name, stream in self._streams.items():
            stream.set_state(state["streams"][name])
        self.history.restore(state["history"])

    def tensors(self) -> dict[str, Tensor]:
        kept = {"latents": self.latents.detach()} | self.generator.state_dict()
        return {name: value.cpu().contiguous() for name, value in kept.items()}

    def _pick(self) -> Tensor:
        if not len(self._order):
            repeats = self.recipe.repeats(self.task.samples_per_class)
            self._order = epoch_order(len(self.images), repeats, self._streams["order"])
            if self.recipe.reset_optimisers:
                self.optimisers = self._fresh_optimisers()
        picked, self._order = self._order[: self.recipe.batch_size], self._order[self.recipe.batch_size :]
        return picked

    def _decay(self) -> float:
        return 0.5 ** (self.step * _OF // (_HALVE_EVERY * self.steps))

    def _update(self, loss: Tensor) -> None:
        rates = (self.learning_rate(), self.recipe.latent_rate * self._decay(), _CLASSIFIER_RATE)
        for optimiser, rate in zip(self.optimisers.values(), rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        for optimiser in self.optimisers.values():
            self._scaler.step(optimiser)
        self._scaler.update()
        self.latents.data.copy_(functional.normalize(self.latents.data))

    def _fresh_optimisers(self) -> dict[str, Optimizer]:
        return {
            "generator": Adam(self.generator.parameters(), betas=(0.5, 0.999), fused=True),
            "latents": Adam([self.latents], betas=(0.5, 0.999), fused=True),
            "classifier": SGD(self.classifier.parameters(), momentum=0.9, weight_decay=1e-4, fused=True),
        }

    def _parts(self) -> "dict[str, nn.Module | Optimizer | torch.amp.GradScaler]":
        optimisers = {f"{name}_optimiser": optimiser for name, optimiser in self.optimisers.items()}
        networks = {"generator": self.generator, "classifier": self.classifier}
        return networks | optimisers | {"scaler": self._scaler}
