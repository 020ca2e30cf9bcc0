"""Every verb that writes, where nothing can be written: one line that names the file, and a status that says so."""

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from benchmark.__main__ import main
from results.files import MEASURED

RUN = ["run", "demo", "--method", "baseline", "--samples-per-class", "2", "--seeds", "0", "--ignore-measured"]
RUN += ["--set", "protocol.epochs=1", "--set", "protocol.images_per_class=2", "--results"]
OUTPUTS = {
    "table": ["table", "table1", "--preset", "quick", "--format", "latex", "-o", "t.tex"],
    "verdict": ["verdict", "table1", "--format", "markdown", "-o", "v.md"],
    "figure": ["figure", "figure4", "-o", "f"],
    "report": ["report", "-o", "r"],
    "export": ["export", "-o", "x.csv"],
    "export --format parquet": ["export", "-o", "x.parquet"],
    "import": ["import", str(MEASURED), "--results", "i"],
    "data export": ["data", "export", "--dataset", "digits", "--samples-per-class", "2", "--seeds", "0", "-o", "b.npz"],
}
KINDS = {
    "full": (["-o", "size=16k"], errno.ENOSPC),
    "no inodes": (["-o", "nr_inodes=1"], errno.ENOSPC),
    "read-only": (["-o", "ro"], errno.EROFS),
}


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    """A folder of each kind of file system that takes no more; skipped where none can be mounted."""
    folders = {}
    try:
        for kind, (options, _) in KINDS.items():
            folders[kind] = tmp_path_factory.mktemp("disk")
            mount = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folders[kind])]
            try:
                subprocess.run(mount, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                folders.pop(kind)
                pytest.skip("no file system can be mounted here: not root")
        _fill(folders["full"])
        yield folders
    finally:
        for folder in folders.values():
            subprocess.run(["umount", str(folder)], check=True)


def _fill(folder: Path) -> None:
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def call(monkeypatch, capfd, *arguments: str) -> tuple[int, list[str]]:
    """Exit status and what is said, of the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["hydrabench", *arguments])
    status = 0
    try:
        main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    return status, capfd.readouterr().err.splitlines()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", OUTPUTS)
def test_what_cannot_be_written_is_one_line_with_its_name(disks, monkeypatch, capfd, kind, verb):
    monkeypatch.chdir(disks[kind])
    before = sorted(Path().rglob("*"))
    status, said = call(monkeypatch, capfd, *OUTPUTS[verb])
    assert status == 1, said
    causes = [line for line in said if os.strerror(KINDS[kind][1]) in line]
    assert len(causes) == 1, said
    assert f"'{'/' if verb == 'import' else ''}" in causes[0], said  # the file's name
    assert sorted(path for path in Path().rglob("*") if path.is_file()) == [path for path in before if path.is_file()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_into_a_store_that_takes_nothing_fails_and_points_at_no_file(disks, monkeypatch, capfd, kind):
    status, said = call(monkeypatch, capfd, *RUN, str(disks[kind] / "store"))
    assert status == 1
    assert any("summary: 1 failed" in line for line in said), said
    assert any(os.strerror(KINDS[kind][1]) in line for line in said), said
    assert not any("failure.json" in line for line in said), said


def test_a_file_system_without_hard_links_is_named(store, monkeypatch, capfd):
    def link(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(source), None, str(target))

    monkeypatch.setattr(os, "link", link)
    status, said = call(monkeypatch, capfd, "import", str(MEASURED / "quick"), "--results", str(store))
    assert status == 1
    assert any("hard links" in line for line in said), said
