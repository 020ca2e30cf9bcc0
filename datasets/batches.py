"""Images as bytes and as numbers, cropped and flipped (FIDELITY section 1), and their way to the device."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

_ALIGNED = 16  # bytes; more than any number takes


def send(device: torch.device, *values: Tensor) -> tuple[Tensor, ...]:
    """Tensors on a device: those of the CPU go there in one copy that nobody waits for, the others are there.

    A GPU takes the copy from pinned memory at its time. Each tensor keeps its order in memory.
    """
    here = [value for value in values if value.device.type == "cpu"]
    if device.type == "cpu" or not here:
        return values
    layouts = [torch.empty_like(value, device="meta") for value in here]
    size = sum(map(_room, layouts))
    packed = torch.empty(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
    for part, value in zip(_parts(packed, layouts), here, strict=True):
        part.copy_(value)
    there = _parts(packed.to(device, non_blocking=True), layouts)
    return tuple(next(there) if value.device.type == "cpu" else value for value in values)


def _parts(packed: Tensor, layouts: Iterable[Tensor]) -> Iterator[Tensor]:
    start = 0
    for layout in layouts:
        part = packed[start : start + layout.nbytes].view(layout.dtype)
        yield part.as_strided(layout.shape, layout.stride())
        start += _room(layout)


def _room(layout: Tensor) -> int:
    return -(-layout.nbytes // _ALIGNED) * _ALIGNED


def to_unit(images: Tensor) -> Tensor:
    """uint8 N×H×W×C -> float N×C×H×W in [0, 1], channels last in memory; the same bits on every device."""
    values = images.float().div_(255) if images.device.type == "cpu" else look_up(images)
    return values.permute(0, 3, 1, 2)


def look_up(images: Tensor) -> Tensor:
    """uint8 -> float32 of the same shape, value / 255 as the CPU rounds it.

    CUDA multiplies by the reciprocal instead, which is off in the last bit of 126 of the 256 values; on the CPU a
    division is several times faster than this.
    """
    return _quotients(images.device).index_select(0, images.flatten().int()).view(images.shape)


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # the first to ask may be an evaluation, the next one a training
def _quotients(device: torch.device) -> Tensor:
    return torch.arange(256).float().div_(255).to(device)


def normalise(images: Tensor) -> Tensor:
    """[0, 1] -> [-1, 1]: mean 0.5 and standard deviation 0.5 for every channel of every dataset."""
    return images.sub(0.5).div_(0.5)


def to_bytes(images: Tensor) -> Tensor:
    """Images ...×C×H×W in [-1, 1] -> uint8 ...×H×W×C: to_unit and normalise backwards."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).byte().movedim(-3, -1)


@dataclass(frozen=True)
class Crops:
    """One crop and flip per image: rows and columns of the source pixels, each N×size."""

    rows: Tensor
    columns: Tensor

    @classmethod
    def draw(cls, count: int, size: int, padding: int, rng: torch.Generator) -> "Crops":
        """Random crops of `size` from images padded by reflection, half of them flipped left to right.

        Offsets are uniform in [-padding, padding]. Indices are made on the CPU, so that a seed gives the
        same views on every device.
        """
        offsets = torch.randint(-padding, padding + 1, (2, count, 1), generator=rng)
        flipped = torch.rand(count, 1, generator=rng) < 0.5
        line = torch.arange(size)
        rows, columns = _reflect(line + offsets[0], size), _reflect(line + offsets[1], size)
        return cls(rows, torch.where(flipped, columns.flip(1), columns))

    @classmethod
    def none(cls, count: int, size: int) -> "Crops":
        """The images as they are."""
        line = torch.arange(size).expand(count, size)
        return cls(line, line)

    def of(self, images: Tensor) -> Tensor:
        """These views of N×H×W×C images (or of maps that belong to them), which are where the crops are."""
        number = torch.arange(len(images), device=images.device)
        return images[number[:, None, None], self.rows[:, :, None], self.columns[:, None, :]]

    def on(self, device: torch.device) -> "Crops":
        return Crops(*send(device, self.rows, self.columns))


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Positions outside [0, size) mirrored at the border pixels, which are not repeated."""
    positions = positions.abs()
    return size - 1 - (size - 1 - positions).abs()


def epoch_order(count: int, repeats: int, rng: torch.Generator) -> Tensor:
    """Each of `count` images `repeats` times, in random order."""
    return torch.randperm(count * repeats, generator=rng).remainder_(count)


def draw_partners(k: int, count: int, per_class: int, rng: torch.Generator) -> Tensor:
    """For each of `count` images, k places 0..per_class-1 in its class, its own included: k×count.

    Without replacement, as ChimeraMix's code draws them (random.sample); with it where the class has fewer than k.
    """
    if 1 < k <= per_class:
        # stable: how torch orders equal numbers otherwise depends on what the CPU can do
        return torch.rand(count, per_class, generator=rng).argsort(dim=1, stable=True)[:, :k].T
    return torch.randint(per_class, (k, count), generator=rng)
