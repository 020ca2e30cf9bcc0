"""A loader around anybody's loader."""

from collections.abc import Iterable, Iterator

from torch import Tensor

from hydrabench.augmenter import Augmenter
from hydrabench.checks import require_share


class AugmentedLoader:
    """A loader of (images, labels) whose batches are (images, targets) of an augmenter.

    p_gen: the share of batches that are augmented, in the place of the augmenter's own where its method has one.
    Batches are brought to a fitted augmenter's device.
    """

    def __init__(self, loader: Iterable, augmenter: Augmenter, p_gen: float | None = None):
        own = p_gen is not None and augmenter.p_gen is not None
        self.loader, self.augmenter = loader, augmenter.with_p_gen(p_gen) if own and p_gen is not None else augmenter
        self._share = 1.0 if own or p_gen is None else require_share(p_gen)

    def __len__(self) -> int:
        return len(self.loader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.loader:
            device = self.augmenter.device or images.device
            yield self._augmented(images.to(device), labels.to(device))

    def _augmented(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if self.augmenter.spares(self._share):
            return images, self.augmenter.targets(images, labels)
        return self.augmenter(images, labels)
