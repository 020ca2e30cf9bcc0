"""Kept weights of a run as a classifier again, and what it says of a folder of images."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmark.kinds import protocol_of
from benchmark.places import method_of
from benchmark.protocol import Protocol, usable_cores
from benchmark.training.device import take_device
from benchmark.training.nets import build_network, weights_hash
from datasets.base import Dataset, get_dataset
from datasets.batches import normalise, to_unit
from datasets.contents import read_regular
from datasets.files import open_regular, write_atomically
from datasets.images import central_square, open_rgb
from datasets.registry import BadInput
from datasets.tree import is_image
from methods.precision import autocast
from results.files import WEIGHTS
from results.reader import RecordError
from results.records import CLASSIFY, Record, kind_of, read_record

_BATCH = 250


def predict_folder(record_file: Path, folder: Path, dataset: str | None, output: Path) -> int:
    """Writes path, class and probability of every image below a folder; returns how many there are.

    dataset: the run's, where its name does not tell. Raises BadInput for a run that no classifier can be made of again,
    a folder without images, and an image that cannot be read.
    """
    record = _record(record_file)
    source = _dataset(record, dataset)
    network = load_classifier(record, record_file.parent, source)
    files = sorted(_images(folder))
    if not files:
        raise BadInput(f"{folder} has no images")
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["path", "class", "probability"])
    names = source.class_names()
    for file, label, sure in _predictions(network, files, source.image_size, record.environment.precision):
        lines.writerow([os.fspath(file.relative_to(folder)), names[label], f"{sure:.4f}"])
    write_atomically(output, text.getvalue().encode(errors="surrogateescape"))
    return len(files)


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


def _images(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names if is_image(name))


@torch.inference_mode()
def _predictions(network: nn.Module, files: list[Path], size: int, precision: str) -> Iterator[tuple[Path, int, float]]:
    """Each image with its likeliest class and how sure the network is, 0 to 1."""
    device = next(network.parameters()).device
    for start in range(0, len(files), _BATCH):
        part = files[start : start + _BATCH]
        squares = [np.asarray(central_square(open_rgb(read_regular(file), file).rgb, size)) for file in part]
        images = torch.from_numpy(np.stack(squares)).to(device)
        with autocast(precision, device):
            logits = network(normalise(to_unit(images)))
        sure, best = logits.float().softmax(1).max(1)
        yield from zip(part, best.tolist(), sure.tolist(), strict=True)
