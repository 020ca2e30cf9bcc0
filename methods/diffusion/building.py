"""The building of a diffused set: generated images, half of each original kept, a fractal over both."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from methods.diffusion.fractals import draw_fractal
from methods.diffusion.ready import Generated
from methods.history import LossHistory
from methods.task import Task

if TYPE_CHECKING:
    from methods.diffusion.recipe import DiffusedSetRecipe


class DiffusedSet(NamedTuple):
    """images: uint8 M×H×W×C, mixed; sources: the positions in the subset of what each was made from, M, ascending;
    generated: uint8 M×H×W×C before they were mixed; prompts: their UTF-8, M×L, filled up with zeros."""

    images: Tensor
    sources: Tensor
    generated: Tensor
    prompts: Tensor


class Generating(Protocol):
    def generate(self, position: int) -> list[Generated]:
        """Images made from the subset's image at a position, one or more."""


class DiffusedSetBuilding:
    """A building in progress (a Building); one step is one image of the subset, with all that is made from it."""

    def __init__(self, recipe: "DiffusedSetRecipe", task: Task, images: Generating):
        self.recipe, self.task, self.source = recipe, task, images
        self.originals = task.images.cpu()
        self.step, self.steps = 0, len(task.images)
        self.history = LossHistory(self.steps)
        self.kept: list[DiffusedSet] = []

    @property
    def images_seen(self) -> int:
        return sum(len(part.sources) for part in self.kept)

    def advance(self) -> None:
        original, made = self.originals[self.step], self.source.generate(self.step)
        generated = torch.stack([one.image for one in made])
        mixed = [self._mix(original, image, number) for number, image in enumerate(generated)]
        sources = torch.full((len(made),), self.step)
        self.kept.append(DiffusedSet(torch.stack(mixed), sources, generated, pack([one.prompt for one in made])))
        self.step += 1
        change = (generated.float() - original).abs().mean() / 255
        self.history.add(self.step, 0.0, {"change": change})

    def _mix(self, original: Tensor, generated: Tensor, number: int) -> Tensor:
        """By draws of a stream of its own, which no stop changes."""
        rng = self.task.stream(f"diffused set {self.step} {number}")
        halves = HALVES[int(torch.randint(len(HALVES), (), generator=rng))]
        return blend(join(original, generated, halves), draw_fractal(len(original), rng), self.recipe.fractal)

    def state(self) -> dict[str, object]:
        return {"step": self.step, "kept": [part._asdict() for part in self.kept], "history": self.history.state()}

    def restore(self, state: dict) -> None:
        self.step, self.kept = state["step"], [DiffusedSet(**part) for part in state["kept"]]
        self.history.restore(state["history"])

    def tensors(self) -> dict[str, Tensor]:
        longest = max(part.prompts.shape[1] for part in self.kept)
        parts = [part._replace(prompts=_fill(part.prompts, longest)) for part in self.kept]
        return {name: torch.cat([getattr(part, name) for part in parts]) for name in DiffusedSet._fields}


HALVES = ("left", "right", "top", "bottom")


def join(original: Tensor, generated: Tensor, half: str) -> Tensor:
    """Images H×W×C: the original's half, and the other one of the generated image; no seam is smoothed."""
    height, width = (length // 2 for length in original.shape[:2])
    rows = slice(height) if half == "top" else slice(height, None) if half == "bottom" else slice(None)
    columns = slice(width) if half == "left" else slice(width, None) if half == "right" else slice(None)
    joined = generated.clone()
    joined[rows, columns] = original[rows, columns]
    return joined


def blend(image: Tensor, fractal: Tensor, share: float) -> Tensor:
    """uint8 H×W×C: the image with `share` of the fractal and so much less of itself."""
    return image.float().lerp(fractal.float(), share).round().byte()


def pack(texts: list[str]) -> Tensor:
    """uint8 rows of UTF-8, filled up with zeros."""
    rows = [torch.tensor([*text.encode(errors="replace")], dtype=torch.uint8)[None] for text in texts]
    longest = max(row.shape[1] for row in rows)
    return torch.cat([_fill(row, longest) for row in rows])


def unpack(row: Tensor) -> str:
    return bytes(row.cpu().tolist()).rstrip(b"\0").decode()


def _fill(rows: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(rows, (0, length - rows.shape[1]))
