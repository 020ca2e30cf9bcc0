"""Kept weights of a run as a classifier again, and what it says of a folder of images."""

import csv
import io
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmark.kinds import protocol_of
from benchmark.places import method_of
from benchmark.protocol import Protocol, usable_cores
from benchmark.training.device import take_device
from benchmark.training.nets import build_network, weights_hash
from datasets.base import DataCorrupt, Dataset, get_dataset
from datasets.batches import normalise, to_unit
from datasets.contents import read_regular
from datasets.files import open_regular, write_atomically
from datasets.images import central_square, open_rgb
from datasets.registry import BadInput
from datasets.tree import is_image
from methods.precision import autocast
from results.escape import escape_spreadsheet
from results.files import WEIGHTS
from results.reader import RecordError
from results.records import CLASSIFY, Record, kind_of, read_record

_BATCH = 250


def predict_folder(record_file: Path, folder: Path, dataset: str | None, output: Path) -> tuple[int, list[str]]:
    """Writes path, class and probability of every image below a folder; returns how many, and what is left out.

    dataset: the run's, where its name does not tell. Raises BadInput for a run that no classifier can be made of again
    and a folder without images that can be read.
    """
    record = _record(record_file)
    source = _dataset(record, dataset)
    network = load_classifier(record, record_file.parent, source)
    problems: list[str] = []
    squares = _squares(sorted(_images(folder, problems)), source.image_size, problems)
    said = list(_predictions(network, squares, record.environment.precision))
    if not said:
        raise BadInput("; ".join([f"{folder} has no images", *problems[:1]]))
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["path", "class", "probability"])
    names = source.class_names()
    for file, label, sure in said:
        lines.writerow([_cell(file.relative_to(folder)), escape_spreadsheet(names[label]), f"{sure:.4f}"])
    write_atomically(output, text.getvalue().encode(errors="surrogateescape"))
    return len(said), problems


def _cell(path: Path) -> str:
    """A path that leads where it did and that no spreadsheet computes."""
    text = os.fspath(path)
    return f"./{text}" if escape_spreadsheet(text[:1]) != text[:1] else text


def load_classifier(record: Record, folder: Path, dataset: Dataset) -> nn.Module:
    """The trained network beside a record, on this machine's device: normalised images N×3×H×W -> logits.

    Raises BadInput where there are no weights, or others than the record's, and for a method whose network is made of
    more than the run trained.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    protocol, method = protocol_of(CLASSIFY).model_validate(record.run["protocol"]), method_of(record.run["method"])
    assert isinstance(protocol, Protocol)
    channels, _ = method.classifier_input(dataset.image_size)
    network = method.network(build_network(protocol.network, dataset.num_classes, protocol.dropout, channels))
    try:
        with open_regular(folder / WEIGHTS) as file:
            network.load_state_dict(load(file.readall()))
    except FileNotFoundError as error:
        told = "has no kept weights; `hydrabench run --force --keep-weights` trains it again and leaves them"
        raise BadInput(f"{folder} {told}") from error
    except (SafetensorError, RuntimeError) as error:
        told = f"are not those of {protocol.network} as method '{record.row}' builds it alone"
        raise BadInput(f"{folder / WEIGHTS} {told}") from error
    if weights_hash(network) != record.weights_sha256:
        raise BadInput(f"{folder / WEIGHTS} are not the weights that the record is of")
    network.eval().requires_grad_(False)
    device = take_device(usable_cores())
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _record(file: Path) -> Record:
    """The record of a classifier; raises BadInput for any other."""
    try:
        record = read_record(file)
    except RecordError as error:
        raise BadInput(f"{file}: {error}") from error
    if kind_of(record.run) != CLASSIFY:
        raise BadInput(f"{file} is of a run that trains no classifier")
    return record


def _dataset(record: Record, text: str | None) -> Dataset:
    """What a run learned from, with its classes' names and its images' size; raises BadInput for another dataset."""
    identity = record.run["dataset"]
    if text is None and "content" in identity:
        raise BadInput("the run learned from somebody's own images: name their folder by --dataset folder:PATH")
    dataset = get_dataset(text or identity["name"])
    if dataset.identity != identity:
        raise BadInput(f"--dataset {dataset.text} is not what the run learned from, or has changed since")
    return dataset


def _images(folder: Path, problems: list[str]) -> Iterator[Path]:
    """What below a folder has an image's name; folders that are links or cannot be searched become problems."""

    def unsearched(error: OSError) -> None:
        problems.append(f"{error.filename} cannot be searched ({error.strerror})")

    for place, below, names in os.walk(folder, onerror=unsearched):
        problems += [
            f"{link} is a link to a folder, not followed" for name in below if (link := Path(place, name)).is_symlink()
        ]
        yield from (Path(place, name) for name in names if is_image(name))


def _squares(files: list[Path], size: int, problems: list[str]) -> Iterator[tuple[Path, np.ndarray]]:
    """Each image that can be read, size×size×3; the others become problems."""
    for file in files:
        try:
            yield file, np.asarray(central_square(open_rgb(read_regular(file), file).rgb, size))
        except DataCorrupt as error:
            problems.append(str(error))


@torch.inference_mode()
def _predictions(
    network: nn.Module, squares: Iterator[tuple[Path, np.ndarray]], precision: str
) -> Iterator[tuple[Path, int, float]]:
    """Each image with its likeliest class and how sure the network is, 0 to 1."""
    device = next(network.parameters()).device
    while part := list(islice(squares, _BATCH)):
        files, pixels = zip(*part, strict=True)
        with autocast(precision, device):
            logits = network(normalise(to_unit(torch.from_numpy(np.stack(pixels)).to(device))))
        sure, best = logits.float().softmax(1).max(1)
        yield from zip(files, best.tolist(), sure.tolist(), strict=True)
