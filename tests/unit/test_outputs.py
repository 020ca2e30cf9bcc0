"""Where a long verb cannot write is known before it begins."""

import errno
import os
from functools import partial
from pathlib import Path

import pytest

from benchmark.cli.augment import Subject, augment, make_samples
from benchmark.cli.outputs import replaced, require_free, require_writable
from datasets.base import get_dataset
from datasets.files import write_atomically
from datasets.registry import BadInput
from methods.registry import parse_method


def write(output: Path) -> None:
    with replaced(require_free(output)) as draft:
        (draft / "new.txt").write_text("new")


@pytest.mark.parametrize("there", [False, True])
def test_a_new_or_empty_folder_is_filled(there, tmp_path):
    output = tmp_path / "above" / "out"
    if there:
        output.mkdir(parents=True)
    write(output)
    assert [path.name for path in output.iterdir()] == ["new.txt"]
    assert [path.name for path in output.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("there", [False, True])
def test_after_an_error_it_is_as_before(there, tmp_path):
    output = tmp_path / "out"
    if there:
        output.mkdir()
    with pytest.raises(OSError, match="No such file"), replaced(output) as draft:
        (draft / "new" / "a.txt").write_text("its folder is not there")
    assert list(tmp_path.rglob("*")) == ([output] if there else [])


def test_links_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    for name in ("real", "not yet"):
        link = tmp_path / f"link to {name}"
        link.symlink_to(name)
        write(link)
        assert link.is_symlink() and (tmp_path / name / "new.txt").exists()


def a_file(output: Path) -> None:
    output.write_text("mine")


def a_full_folder(output: Path) -> None:
    output.mkdir()
    (output / "mine").write_text("mine")


def a_link_to_a_file(output: Path) -> None:
    output.with_name("file").write_text("mine")
    output.symlink_to("file")


def a_link_to_itself(output: Path) -> None:
    output.symlink_to(output.name)


@pytest.mark.parametrize("make", [a_file, a_full_folder, a_link_to_a_file, a_link_to_itself])
def test_what_is_there_is_refused(make, tmp_path):
    make(tmp_path / "out")
    with pytest.raises(BadInput, match=f"^{tmp_path}/out (exists|cannot be looked into)"):
        require_free(tmp_path / "out")


def test_a_parent_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="cannot be"):
        write(tmp_path / "file" / "out")
    with pytest.raises(BadInput, match=f"^{tmp_path}/file/a.png cannot be written"):
        require_writable(tmp_path / "file" / "a.png")


def subject() -> Subject:
    return Subject(parse_method("hydramix"), get_dataset("digits"), 2, 0, "demo")


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr("benchmark.cli.augment.ensure_built", lambda *_: pytest.fail("it trains before it looks"))


@pytest.mark.usefixtures("no_training")
def test_a_mount_is_refused_before_the_training(tmp_path, monkeypatch):
    output = tmp_path / "out"
    output.mkdir()

    def busy(path: Path) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))

    monkeypatch.setattr(Path, "rmdir", busy)
    with pytest.raises(BadInput, match=rf"^{output} cannot be replaced \(Device or resource busy\): name a new folder"):
        augment(subject(), 1, tmp_path / "store", output, None)
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("verb", ["augment", "samples"])
def test_a_parent_that_cannot_be_written_is_refused_before_the_training(verb, tmp_path):
    output = Path("/proc/hydrabench/out.png")  # nobody, root included, makes folders there
    verbs = {"augment": partial(augment, subject(), 1), "samples": partial(make_samples, subject())}
    with pytest.raises(BadInput, match=f"^{output} cannot be"):
        verbs[verb](tmp_path / "store", output, None)


def test_a_recipe_without_a_picture_is_said_to_have_none(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.cli.augment.ensure_built", lambda *_: subject().builds)
    monkeypatch.setattr("benchmark.cli.augment.task_of", lambda *_: None)
    monkeypatch.setattr("benchmark.cli.augment.draw_samples", lambda *_: False)
    with pytest.raises(BadInput, match="there is no picture of a"):
        make_samples(subject(), tmp_path / "store", tmp_path / "a.png", None)


def test_a_device_or_pipe_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="is no regular file"):
        write_atomically(pipe, b"text")
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]
