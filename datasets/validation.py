"""Which class each image of ImageNet's validation set is of, where the images lie in one flat folder."""

import io
import re
from collections.abc import Collection
from pathlib import Path

from datasets.base import DataCorrupt, DataMissing
from datasets.contents import read_regular

_KAGGLE = "LOC_val_solution.csv"
_DEVKIT = "ILSVRC2012_devkit_t12/data"
_TRUTH, _META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"


def validation_classes(folder: Path, images: list[str], wnids: Collection[str]) -> list[str]:
    """The wnid of each validation image, given the images' names without .JPEG, ascending.

    From what lies in `folder`: LOC_val_solution.csv, which Kaggle has, or the ground truth and meta.mat of the official
    development kit. Raises DataMissing where there is neither, DataCorrupt for an image or a class without the other.
    """
    if (folder / _KAGGLE).exists():
        file, classes = folder / _KAGGLE, _from_kaggle(folder / _KAGGLE)
    elif (folder / _DEVKIT).exists():
        file, classes = folder / _DEVKIT / _TRUTH, _from_devkit(folder / _DEVKIT, images)
    else:
        raise DataMissing(
            f"{folder / 'val'} has no class folders: its labels must be in {folder / _KAGGLE} or in {folder / _DEVKIT}"
        )
    if absent := next((name for name in images if classes.get(name) not in wnids), None):
        raise DataCorrupt(f"{file} gives {absent}.JPEG no class of {len(wnids)}; get it anew")
    return [classes[name] for name in images]


def _from_kaggle(file: Path) -> dict[str, str]:
    """Lines of an image's name, a comma, its wnid, and a box or several."""
    return dict(re.findall(r"^(\w+),(n\d{8})\b", _text(file), re.MULTILINE))


def _from_devkit(data: Path, images: list[str]) -> dict[str, str]:
    """A line per image, in the order of their names: the number that meta.mat has for its class."""
    numbers, wnids = _text(data / _TRUTH).split(), _numbered(data / _META)
    if len(numbers) != len(images):
        raise DataCorrupt(f"{data / _TRUTH} has {len(numbers)} lines for {len(images)} images of val; get it anew")
    return {name: wnids.get(number, "") for name, number in zip(images, numbers, strict=True)}


def _numbered(file: Path) -> dict[str, str]:
    """The wnids of meta.mat by their ILSVRC2012_ID."""
    from scipy.io import loadmat

    content = read_regular(file)
    try:
        rows = loadmat(io.BytesIO(content), squeeze_me=True)["synsets"]
        return {str(int(row["ILSVRC2012_ID"])): str(row["WNID"]) for row in rows}
    except Exception as error:  # scipy raises many kinds for what it cannot make out
        raise DataCorrupt(f"{file} is not the development kit's ({error}); get it anew") from error


def _text(file: Path) -> str:
    return read_regular(file).decode("utf-8", errors="replace")
