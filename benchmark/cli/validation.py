"""What is wrong with the files of a person's own: studies, presets, profiles, method files, folders of images."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.config import Document, faults, read_document
from benchmark.selection import STUDIES
from datasets.options import divide_text
from datasets.paths import is_yaml, real_path
from datasets.registry import BadInput, canonical

if TYPE_CHECKING:
    from benchmark.study import Study

Found = tuple[str, list[str]]
_ABSENT = "Field required"  # of a measure: --set may give it


def faults_of(path: Path) -> Found:
    """What a path is taken for, and what is wrong with it, a line each; raises BadInput for what is none of these."""
    if text := _images_text(path):
        return "images", _of_images(text)
    if path.suffix.lower() == ".py":
        from benchmark.cli.method_files import faults_of_methods

        return "a method file", faults_of_methods(real_path(path))
    if is_yaml(path.name):
        return _of_yaml(path)
    raise BadInput(f"{path} is no .yaml, .py or .csv file, no folder of images and no folder(split=0.8):PATH")


def remarks_of(path: Path) -> list[str]:
    """What there is to say of images that have no fault."""
    from datasets.base import get_dataset

    dataset = get_dataset(_images_text(path))
    return [*dataset.notes(), *dataset.remarks()]


def _images_text(path: Path) -> str:
    """The text of the dataset that a path is, itself or as folder(split=0.8):PATH; "" where it is no images."""
    if path.is_dir() or path.suffix.lower() == ".csv":
        return f"folder:{path}"
    return str(path) if divide_text(str(path))[0] == "folder" else ""


def _of_images(text: str) -> list[str]:
    from datasets.base import get_dataset
    from datasets.folder import Folder

    try:
        dataset = get_dataset(text)
        assert isinstance(dataset, Folder)
        return dataset.faults()
    except BadInput as error:
        return [str(error)]


def _of_yaml(path: Path) -> Found:
    """By the key that only files of its kind have."""
    try:
        document = read_document(path)
    except BadInput as error:
        return "a YAML file", [str(error)]
    keys = document.value if isinstance(document.value, dict) else {}
    for key, (kind, check) in _KINDS.items():
        if key in keys:
            return kind, check(document)
    expected = ", ".join(f"{key} ({kind})" for key, (kind, _) in _KINDS.items())
    return "a YAML file", [f"{path}: it has none of the keys {expected}"]


def _of_study(document: Document) -> list[str]:
    from benchmark.study import Study, load_grid

    if found := faults(document, Study):
        return found
    study = Study.model_validate(document.value)
    if found := list(_unknown_names(document, study)) + _of_published(document, study):
        return found
    ours = real_path(document.path).parent == STUDIES
    return _said(document, lambda: load_grid(canonical(document.path.stem) if ours else str(document.path)))


def _of_published(document: Document, study: "Study") -> list[str]:
    from results.aggregate import load_published

    try:
        load_published(study.published)
    except OSError:
        return [document.line(("published",), f"results/published has no {study.published}")]
    return []


def _unknown_names(document: Document, study: "Study") -> Iterator[str]:
    """A line for every dataset and method of a study that cannot be used."""
    from datasets.base import get_dataset
    from methods.registry import parse_method

    readers: dict[str, Callable[[str], object]] = {"datasets": get_dataset, "methods": parse_method}
    for number, block in enumerate(study.blocks):
        for axis, read in readers.items():
            for place, name in enumerate(getattr(block, axis)):
                try:
                    read(name)
                except BadInput as error:
                    yield document.line(("blocks", number, axis, place), str(error))


def _of_preset(document: Document) -> list[str]:
    """The schema, then the protocols that it makes of every named dataset, of which large and small images differ."""
    from benchmark.kinds import measure_protocol, protocol_of
    from benchmark.protocol import Preset, forget_presets, resolve_protocol
    from datasets.base import named_datasets

    if found := faults(document, Preset):
        return found
    forget_presets()
    name, kinds = str(document.path), Preset.model_validate(document.value).measures
    found = [line for kind in kinds for line in _said(document, partial(protocol_of, kind))]
    for dataset in named_datasets() if not found else ():
        found += _said(document, partial(resolve_protocol, name, dataset, {}))
        measures = [_said(document, partial(measure_protocol, kind, name, dataset, {})) for kind in kinds]
        found += [line for lines in measures for line in lines if _ABSENT not in line]
    return list(dict.fromkeys(found))


def _of_profile(document: Document) -> list[str]:
    from slurm.profiles import Profile

    return faults(document, Profile)


def _said(document: Document, check: Callable[[], object]) -> list[str]:
    """What a check complains of, with the file's name."""
    try:
        check()
    except BadInput as error:
        return [str(error) if str(document.path) in str(error) else f"{document.path}: {error}"]
    return []


_KINDS: dict[str, tuple[str, Callable[[Document], list[str]]]] = {
    "blocks": ("a study", _of_study),
    "protocols": ("a preset", _of_preset),
    "executor": ("a profile", _of_profile),
}
