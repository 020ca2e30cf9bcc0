"""How much a training shows: its epochs, counted in images and in steps."""

from typing import Protocol


class _Spending(Protocol):
    @property
    def epochs(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def images_per_class(self) -> int: ...
    def repeats(self, samples_per_class: int) -> int: ...


class Epochs:
    """For values with `epochs`, `batch_size` and `images_per_class`; the last batch of an epoch may be partial."""

    def repeats(self: _Spending, samples_per_class: int) -> int:
        """How often an epoch shows each image: max(images_per_class // samples_per_class, 1)."""
        return max(self.images_per_class // samples_per_class, 1)

    def images(self: _Spending, samples_per_class: int, num_classes: int) -> int:
        """Training images of all epochs, each as often as it is shown."""
        return self.epochs * samples_per_class * num_classes * self.repeats(samples_per_class)

    def steps(self: _Spending, samples_per_class: int, num_classes: int) -> int:
        """Steps of all epochs."""
        shown = samples_per_class * num_classes * self.repeats(samples_per_class)
        return self.epochs * -(-shown // self.batch_size)
