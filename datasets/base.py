"""What a dataset is: official training labels, training images by index, a test set."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

import numpy as np

from datasets.checks import require_images, require_labels
from datasets.on_demand import OnDemand
from datasets.paths import given_path, real_path
from datasets.registry import BadInput, Registry, unknown

if TYPE_CHECKING:
    from datasets.options import FolderOptions

CHECKOUT = Path(__file__).resolve().parents[1]
_AT_ONCE = 250  # images that are in memory where they are decoded on demand


class DataMissing(BadInput):
    """Files that a dataset needs are not there; the message says how to get them."""


class DataCorrupt(BadInput):
    """A file is not what it must be: wrong checksum, unreadable, or impossible content."""


class DataChanged(BadInput):
    """A file is not the one that a dataset's identity was taken from; the message names it."""


class Images(NamedTuple):
    """uint8 images N×H×W×C with N integer labels; images that are not all in memory are decoded on demand."""

    images: np.ndarray | OnDemand
    labels: np.ndarray

    def parts(self, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Images and labels, `count` at a time, in memory of their own: a run looks at a test set in this way."""
        for start in range(0, len(self.labels), count):
            part = slice(start, start + count)
            yield np.array(self.images[part]), np.array(self.labels[part])


class Dataset:
    """A named source of images: uint8, N×H×W×3, with integer labels in the official order.

    `stands_for` names the dataset whose place this one may take in a study's grid; hyperparameters and
    augmentation policies follow it, and one with other classes or another size says so in its label. Raise
    `version` when the same name gives other images or labels.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    source: ClassVar[str]
    num_classes: int
    image_size: int
    stands_for: ClassVar[str | None] = None
    version: ClassVar[int] = 1

    @property
    def family(self) -> str:
        """The dataset whose hyperparameters apply: the one it stands for, or itself."""
        return self.stands_for or self.name

    @property
    def training_source(self) -> str:
        """Whose training images these are: datasets with one source have the same images at the same positions."""
        return self.name

    @property
    def text(self) -> str:
        """How a person names this dataset on the command line."""
        return self.name

    def __reduce__(self) -> tuple[object, ...]:
        return _arrive, (self.text,)  # a worker process gets the name and reads its own images

    def refresh(self) -> None:
        """Looks again at files that can be replaced: `identity` and all images are of those that are there now.

        Raises DataMissing or DataCorrupt where they are no dataset any more.
        """

    @property
    def identity(self) -> dict[str, object]:
        """What of the dataset enters a run's key."""
        return {"name": self.name, "version": self.version}

    def class_names(self) -> list[str]:
        raise NotImplementedError

    def train_labels(self) -> np.ndarray:
        """Labels of the whole official training set."""
        raise NotImplementedError

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        """uint8 images (len(indices)×H×W×3) at official positions; DataMissing names one that is not on disk."""
        raise NotImplementedError

    def smallest_class(self) -> int:
        """How many training images the smallest class has: the most samples per class that there can be."""
        return int(np.bincount(self.train_labels()).min())

    def sizes(self) -> tuple[int, int]:
        """How many training images and test images there are."""
        return len(self.train_labels()), len(self.test().labels)

    def read_test(self) -> int:
        """Reads every test image, a part at a time; how many they are. Raises DataCorrupt for one that cannot be."""
        return sum(len(labels) for _, labels in self.test().parts(_AT_ONCE))

    def describe(self, index: int) -> str:
        """A training image's name for people, given its official position."""
        return f"{self.training_source} {index}"

    def present(self) -> np.ndarray:
        """Official positions of the training images that are on disk, ascending."""
        return np.arange(len(self.train_labels()))

    def require(self, indices: np.ndarray) -> None:
        """Raises DataMissing unless the training images at these official positions are on disk."""
        absent = np.setdiff1d(indices, self.present())
        if len(absent):
            raise DataMissing(
                f"{self.name}: {len(absent)} training images are not on disk, the first is {absent[0]}; "
                f"{self.how_to_get()}"
            )

    def how_to_get(self) -> str:
        return f"run 'hydrabench data prepare --dataset {self.name}' where there is a network"

    def test(self) -> Images:
        raise NotImplementedError

    def check(self) -> None:
        """Raises DataMissing or DataCorrupt, with the way to mend it, unless all is there."""
        self.class_names()
        self._require("the test set", *self.test())
        present = self.present()
        self._require("the training set", self.train_images(present), self.train_labels(), len(present))

    def _require(self, name: str, images: np.ndarray | OnDemand, labels: np.ndarray, count: int | None = None) -> None:
        """Raises DataCorrupt unless these are labels of this dataset and images, as many as labels or `count`."""
        try:
            require_labels(f"{name}'s labels", labels, self.num_classes)
            require_images(name, images, len(labels) if count is None else count, self.image_size)
        except ValueError as error:
            raise DataCorrupt(f"{self.text}: {error}; get it anew") from error

    def notes(self) -> list[str]:
        """Lines on what is made of a person's images before anything is learned from them: not as they are there."""
        return []

    def doubts(self) -> list[str]:
        """What of the images may not be what a person means them to be: said before a sweep, and in its records."""
        return []

    def remarks(self) -> list[str]:
        """After `check`: the doubts, and what else `data verify` has to say of what is readable."""
        return self.doubts()

    def prepare(self) -> None:
        """Downloads what is missing and checks it; nothing to do for data that come with a package."""


class Gone(Dataset):
    """A dataset that one process had and another cannot open: whoever looks at it is told why."""

    def __init__(self, text: str, error: BadInput):
        from datasets.options import divide_text

        self.name = divide_text(text)[0]  # type: ignore[misc]
        self._text, self._error = text, error

    @property
    def text(self) -> str:
        return self._text

    def refresh(self) -> None:
        raise self._error


registry: Registry[type[Dataset]] = Registry("dataset", "datasets", "hydrabench.datasets")
D = TypeVar("D", bound=type[Dataset])


def register_dataset(name: str, *, label: str, source: str) -> Callable[[D], D]:
    """Registers a Dataset class under `name`; `source` cites where the images come from."""

    def decorate(cls: D) -> D:
        cls.name, cls.label, cls.source = name, label, source
        registry.add(name, cls)
        return cls

    return decorate


def get_dataset(text: str) -> Dataset:
    """The dataset that `text` names (`cifair10`, `folder:PATH`, `folder(size=64):PATH`); one object per process."""
    from datasets.options import divide_text, parse_options  # pydantic is for who has images to read

    name, options, path = divide_text(text)
    name = registry.get(name).name
    if name != "folder" and (path or options is not None):
        given = path or f"({options})"
        raise BadInput(f"dataset '{name}' takes no '{given}'; only folder:PATH does")
    if name == "folder" and not path[1:]:
        raise BadInput("dataset 'folder' needs a path: folder:PATH with train/<class>/*.png and test/<class>/*.png")
    asked = parse_options(options or "")
    return _in_bundle(f"{name}{asked}", path[1:]) or _make_dataset(name, _resolved(path[1:]), asked)


def _arrive(text: str) -> Dataset:
    """A dataset out of a pickle: what cannot be opened fails the job that needs it, not the reading of many jobs."""
    try:
        return get_dataset(text)
    except BadInput as error:
        return Gone(text, error)


def named_datasets() -> list[Dataset]:
    """Every dataset that needs no path."""
    return [get_dataset(name) for name in registry.entries() if name != "folder"]


def _in_bundle(name: str, argument: str) -> Dataset | None:
    """What the bundle in use, if one is, holds under a name; raises BadInput for a path that is nowhere."""
    if not (bundle := os.environ.get("HYDRABENCH_BUNDLE")):
        return None
    from datasets.bundle import read_bundle

    held, text = read_bundle(given_path(bundle)), f"{name}:{argument}" if argument else name
    if text not in held and argument and not Path(_resolved(argument)).exists():
        raise unknown(f"dataset in {bundle}:", text, held)
    return held.get(text)


def _resolved(path: str) -> str:
    """One folder has one name, from wherever and however it is named."""
    return str(real_path(given_path(path))) if path else ""


@lru_cache(maxsize=64)
def _make_dataset(name: str, path: str, options: "FolderOptions") -> Dataset:
    cls = registry.get(name)
    return cls(path, options) if path else cls()  # type: ignore[call-arg]


def tell_apart(paths: Iterable[str]) -> dict[str, str]:
    """Each path's last part, or as many of its last parts as none of the other paths ends in."""
    parts = {path: Path(path).parts for path in paths}
    return {path: str(Path(*parts[path][-_depth(parts[path], parts.values()) :])) for path in parts}


def _depth(path: tuple[str, ...], paths: Iterable[tuple[str, ...]]) -> int:
    others = [other for other in paths if other != path]
    depths = (depth for depth in range(1, len(path)) if all(other[-depth:] != path[-depth:] for other in others))
    return next(depths, len(path))


def data_root() -> Path:
    """The folder that holds data: $DATA_ROOT, else data/ in the checkout."""
    return given_path(os.environ.get("DATA_ROOT") or CHECKOUT / "data")
