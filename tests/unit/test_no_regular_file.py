"""Whatever a person can name or put in a file's place: a pipe, a folder, a socket or a device is refused at once."""

import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from benchmark.attempt import load_checkpoint
from benchmark.config import load_named
from benchmark.execute import execute
from benchmark.protocol import Preset
from benchmark.study import Study
from datasets.base import get_dataset
from datasets.download import Archive
from datasets.registry import BadInput
from datasets.sheets import Arrays, Sheets
from methods.latents.perceptual import make_distance
from results.files import CHECKPOINT, LOG
from results.points import read_points
from results.reader import RecordError
from results.records import read_record
from results.synsets import read_values
from slurm.profiles import load_profile

KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "full": lambda path: path.symlink_to("/dev/full"),
    "loop": lambda path: path.symlink_to(path.name),
}
META = {"height": 8, "width": 8, "class_names": ["a"], "train_present": 1, "test_present": 1}
WAITS = 200  # seconds, thousands of times what any of these needs


@pytest.fixture(params=KINDS)
def put(request) -> Callable[[Path], Path]:
    """Puts something that is no regular file into a file's place."""

    def put(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        KINDS[request.param](path)
        return path

    return put


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    def waits(number: int, frame: object) -> NoReturn:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, waits)
    signal.alarm(WAITS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def sheets(root: Path) -> Sheets:
    (root / "meta.json").write_text(json.dumps(META))
    return Sheets(root)


def _of_bundle(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYDRABENCH_BUNDLE", str(path))
        get_dataset("digits")


def _of_profile(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(path.parents[2]))
        load_profile("mine")


def _of_vgg(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(path.parents[2]))
        make_distance("vgg", torch.device("cpu"))


GIVEN: dict[str, Callable[[Path], object]] = {
    "bundle.npz": _of_bundle,
    "meta.json": lambda path: Sheets(path.parent).class_names(),
    "labels.npz": lambda path: sheets(path.parent).train_labels(),
    "train_0.webp": lambda path: sheets(path.parent).train_pixels(),
    "classes.json": lambda path: Arrays(path.parent).class_names(),
    "train.npy": lambda path: Arrays(path.parent).train_pixels(),
    "archive.zip": lambda path: Archive("http://127.0.0.1:1/archive.zip", "0" * 32).fetch(path.parent),
    "presets/mine.yaml": lambda path: load_named("preset", "mine", Preset, path.parent),
    "studies/mine.yaml": lambda path: load_named("study", "mine", Study, path.parent),
    "hydrabench/profiles/mine.yaml": _of_profile,
    "hub/checkpoints/vgg16-397923af.pth": _of_vgg,
    "record.json": read_record,
    "points.csv": read_points,
    "values.csv": read_values,
    CHECKPOINT: lambda path: load_checkpoint(path.parent),
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_a_person_gave_is_refused_by_name(name, put, tmp_path):
    path = put(tmp_path / name)
    with pytest.raises((BadInput, RecordError)) as refusal:
        GIVEN[name](path)
    assert isinstance(refusal.value, RecordError) or path.name in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_an_image_is_refused_by_name_and_a_folder_of_its_name_is_none(put, draw_tree, tmp_path):
    tree = draw_tree(tmp_path / "tree", 0)
    image = put(tree / "train" / "a" / "1.png")
    if image.is_dir():
        get_dataset(f"folder:{tree}").check()
        assert "1 folder" in get_dataset(f"folder:{tree}").remarks()[0]
        return
    with pytest.raises(BadInput, match=r"1\.png"):
        get_dataset(f"folder:{tree}").check()


def test_a_run_whose_log_is_no_file_fails_and_names_it(put, make_run, store):
    run = make_run()
    log = put(store / run.path / LOG)
    outcome = execute(run, store)
    assert outcome.state == "failed" and str(log) in outcome.message
