"""The building of a mixed set (FIDELITY section 12), which can stop and go on."""

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from datasets.batches import normalise, send, to_bytes, to_unit
from methods.history import LossHistory
from methods.mixtures.masks import blend, descend, divergence, indecision, raise_masks, reached
from methods.task import Task

if TYPE_CHECKING:
    from methods.mixtures.recipe import MixedSetRecipe

_PATIENCE = 20  # batches tried for each that would do if all its samples came to an end
_TEACHER_BATCH = 100


class MixedSet(NamedTuple):
    """images: uint8 M×H×W×C; labels: M, by the teacher; sources: their positions in the subset, M×K; logits: of the
    masks by which they are blended, M×K×w×w in half precision."""

    images: Tensor
    labels: Tensor
    sources: Tensor
    logits: Tensor


@dataclass
class Search:
    """A batch whose masks are being sought.

    On the device, sources: B×K; targets: class weights B×C; logits: B×K×w×w; tried: the positions of the samples that
    are not done. On the CPU, updates: so far; labels: B, -1 until a sample is done; losses: of done ones divergence,
    indecision and updates, B×3.
    """

    updates: int
    sources: Tensor
    targets: Tensor
    logits: Tensor
    tried: Tensor
    labels: Tensor
    losses: Tensor

    def on(self, device: torch.device) -> "Search":
        """This search, all of which is on the CPU, where it is worked on."""
        sources, targets, logits, tried = send(device, self.sources, self.targets, self.logits, self.tried)
        return replace(self, sources=sources, targets=targets, logits=logits, tried=tried)


class MixedSetBuilding:
    """A building in progress (a Building). step: mixed images made; one advance is one look at a batch's masks."""

    def __init__(self, recipe: "MixedSetRecipe", task: Task, teacher: nn.Module):
        self.recipe, self.task, self.teacher = recipe, task, teacher
        self.images = normalise(to_unit(task.images))
        self.classes = self._classify()
        self.step, self.steps = 0, recipe.images(task.samples_per_class, task.num_classes)
        self.images_seen = self.steps
        self.history = LossHistory(self.steps)
        size = min(recipe.batch_size, len(task.images))
        self.batch_size, self.batches, self.most = size, 0, _PATIENCE * -(-self.steps // size)
        self.search: Search | None = None
        none = torch.empty(0, dtype=torch.long)
        self.kept: list[MixedSet] = [self._kept(self._search(none.view(0, recipe.sources)), none)]
        self._stream = task.stream("mixed set")

    def advance(self) -> None:
        if self.batches == self.most:
            self._give_up()
            return
        self.search = self.search or self._begin()
        if self._look(self.search):
            self._keep(self.search)
            self.search, self.batches = None, self.batches + 1

    def state(self) -> dict[str, object]:
        return {
            "step": self.step,
            "batches": self.batches,
            "search": None if self.search is None else dict(vars(self.search)),
            "kept": self.tensors(),
            "stream": self._stream.get_state(),
            "history": self.history.state(),
        }

    def restore(self, state: dict) -> None:
        self.step, self.batches = state["step"], state["batches"]
        self.search = None if state["search"] is None else Search(**state["search"]).on(self.task.device)
        self.kept = [MixedSet(**state["kept"])]
        self._stream.set_state(state["stream"])
        self.history.restore(state["history"])

    def tensors(self) -> dict[str, Tensor]:
        return {name: torch.cat([getattr(part, name) for part in self.kept]) for name in MixedSet._fields}

    def _classify(self) -> Tensor:
        """The classes that the teacher sees in the subset's images, on the CPU."""
        with torch.no_grad(), self.task.autocast():
            return torch.cat([self.teacher(images).argmax(1) for images in self.images.split(_TEACHER_BATCH)]).cpu()

    def _begin(self) -> Search:
        """A fresh batch: different images, each with the next ones of the batch."""
        picked = torch.randperm(len(self.images), generator=self._stream)[: self.batch_size]
        return self._search(torch.stack([picked.roll(-k) for k in range(self.recipe.sources)], 1))

    def _search(self, sources: Tensor) -> Search:
        """All masks alike, and a target of the sources' classes with random weights."""
        count, cells = len(sources), self.recipe.cells
        targets = torch.zeros(count, self.task.num_classes)
        if count:
            # torch cannot sample gamma variates from a generator of one's own
            seed = int(torch.randint(2**62, (), generator=self._stream))
            weights = np.random.default_rng(seed).dirichlet([self.recipe.alpha] * sources.shape[1], count)
            targets.scatter_add_(1, self.classes[sources], torch.from_numpy(weights).float())
        logits = torch.zeros(count, sources.shape[1], cells, cells)
        labels, losses = torch.full((count,), -1), torch.zeros(count, 3)
        return Search(0, sources, targets, logits, torch.arange(count), labels, losses).on(self.task.device)

    def _mix(self, sources: Tensor, masks: Tensor) -> Tensor:
        return blend(self.images[sources], masks).contiguous(memory_format=torch.channels_last)

    def _look(self, search: Search) -> bool:
        """Notes the samples that are done and updates the others' masks; whether the batch has come to its end."""
        tried = search.tried
        logits, targets = search.logits[tried].requires_grad_(), search.targets[tried]
        masks = raise_masks(logits, self.images.shape[-1])
        with self.task.autocast():
            scores = self.teacher(self._mix(search.sources[tried], masks)).float()
        apart, undecided = divergence(targets, scores), indecision(masks)
        done = reached(scores, targets > 0) & (search.updates > 0)  # every mask is shaped, if only once
        left = self._note(search, done, scores.argmax(1), apart, undecided)
        if len(left) <= self.recipe.tolerance * len(search.labels) or search.updates == self.recipe.max_updates:
            return True
        # none is done at the first look, before which all of the search was sent
        left = send(tried.device, left)[0] if search.updates else torch.arange(len(left), device=tried.device)
        losses = apart + self.recipe.sparsity * undecided
        (gradients,) = torch.autograd.grad(losses[left].sum(), logits)
        moved = descend(logits.detach()[left], gradients[left], losses.detach()[left], self.recipe.sigma)
        search.tried = tried[left]
        search.logits[search.tried] = moved
        search.updates += 1
        return False

    def _note(self, search: Search, done: Tensor, labels: Tensor, *losses: Tensor) -> Tensor:
        """Notes which of the tried samples are done, for which it waits once; returns the places of those left."""
        told = torch.stack([done.float(), labels.float(), *(loss.detach() for loss in losses)]).cpu()
        is_done = told[0] > 0
        places = (search.labels < 0).nonzero().flatten()[is_done]
        search.labels[places] = told[1, is_done].long()
        updates = torch.full((1, len(places)), float(search.updates))
        search.losses[places] = torch.cat([told[2:, is_done], updates]).T
        return (~is_done).nonzero().flatten()

    def _keep(self, search: Search) -> None:
        """Adds the samples that are done, as many as are still wanted."""
        done = (search.labels >= 0).nonzero().flatten()[: self.steps - self.step]
        self.kept.append(self._kept(search, done))
        for losses in search.losses[done]:
            self.step += 1
            named = dict(zip(("divergence", "indecision", "updates"), losses, strict=True))
            self.history.add(self.step, 0.0, named)  # every mask has a step length of its own

    def _kept(self, search: Search, done: Tensor) -> MixedSet:
        (there,) = send(self.task.device, done)
        sources, logits = search.sources[there], search.logits[there]
        images = self._mix(sources, raise_masks(logits, self.images.shape[-1]))
        values = (to_bytes(images), search.labels[done], sources, logits.half())
        return MixedSet(*(value.cpu().contiguous() for value in values))

    def _give_up(self) -> None:
        """Ends the building with what there is; raises RuntimeError where that is less than the subset itself."""
        found = f"{self.step} of {self.steps} mixed images came to an end in {self.batches} batches"
        if self.step < len(self.images):
            raise RuntimeError(f"only {found}: the teacher does not tell its images apart, or max_iter is too small")
        warnings.warn(f"only {found}: the mixed set stays that small", stacklevel=1)
        self.steps = self.step
        self.history.end(self.step, 0.0)
