"""A loader around anybody's loader."""

from collections.abc import Iterable, Iterator

from torch import Tensor

from datasets.registry import BadInput
from hydrabench.augmenter import Augmenter
from hydrabench.checks import require_share, require_tensor


class AugmentedLoader:
    """A loader of (images, labels) whose batches are (images, targets) of an augmenter.

    p_gen: the share of batches that are augmented, in the place of the augmenter's own where its method has one.
    Batches are brought to a fitted augmenter's device.
    """

    def __init__(self, loader: Iterable, augmenter: Augmenter, p_gen: float | None = None):
        if not isinstance(augmenter, Augmenter):
            raise BadInput(f"{augmenter!r} is no augmenter: the loader comes first, then hydrabench.MixUp(...), say")
        if not isinstance(loader, Iterable):
            raise BadInput(f"{loader!r} is no loader of (images, labels)")
        own = p_gen is not None and augmenter.p_gen is not None
        self.loader, self.augmenter = loader, augmenter.with_p_gen(p_gen) if own and p_gen is not None else augmenter
        self._share = 1.0 if own or p_gen is None else require_share(p_gen)

    def __len__(self) -> int:
        return len(self.loader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in map(_pair, self.loader):
            device = self.augmenter.device or images.device
            yield self._augmented(images.to(device), labels.to(device))

    def _augmented(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if self.augmenter.spares(self._share):
            return images, self.augmenter.targets(images, labels)
        return self.augmenter(images, labels)


def _pair(batch: object) -> tuple[Tensor, Tensor]:
    """Images and labels of a loader's batch; raises BadInput for anything else."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise BadInput(f"the loader gives {type(batch).__name__}, not (images, labels)")
    images, labels = batch
    require_tensor("images", images)
    require_tensor("labels", labels)
    return images, labels
