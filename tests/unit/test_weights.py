"""Weights of measures: found by name, used by checksum alone."""

import hashlib
import io
import os

import pytest
import torch

from benchmark.measures.detection.network import load_backbone
from benchmark.weights import KNOWN, Weights, WeightsFile, get_weights
from datasets.base import DataCorrupt, DataMissing
from datasets.registry import BadInput


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTS_ROOT", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def weights(package: str | None = None) -> Weights:
    first = WeightsFile("first.pt", hashlib.sha256(b"first").hexdigest(), package)
    second = WeightsFile("second.safetensors", hashlib.sha256(b"second").hexdigest())
    return Weights("made-up", "MIT", "make them up", (first, second))


def test_a_file_of_the_known_checksum_is_read_and_any_of_them_will_do(root):
    (root / "second.safetensors").write_bytes(b"second")
    assert weights().available() and weights().read() == b"second"
    (root / "first.pt").write_bytes(b"first")
    assert weights().read() == b"first"


def test_a_missing_file_says_where_it_belongs_and_how_to_get_it(root):
    assert not weights().available()
    with pytest.raises(DataMissing, match="make them up") as error:
        weights().read()
    assert str(root) in str(error.value)


def test_a_file_of_another_checksum_is_refused(root):
    (root / "first.pt").write_bytes(b"second")
    with pytest.raises(DataCorrupt, match="make them up"):
        weights().read()


def test_what_is_no_file_is_not_waited_for(root):
    os.mkfifo(root / "first.pt")
    assert not weights().available()


def test_an_installed_package_may_bring_them(root, tmp_path, monkeypatch):
    package = tmp_path / "brings_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('nobody needs to import it')")
    (package / "first.pt").write_bytes(b"first")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert weights("brings_weights").read() == b"first"
    assert not weights("brings_no_weights").available()


def test_without_the_variable_they_lie_beside_the_data(tmp_path, monkeypatch):
    monkeypatch.delenv("WEIGHTS_ROOT")
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    assert str(tmp_path / "weights") in weights().missing()


def test_a_key_has_the_same_weights_on_every_machine(root):
    before = weights().identity
    (root / "second.safetensors").write_bytes(b"second")
    assert weights().identity == before == {"name": "made-up", "sha256": hashlib.sha256(b"first").hexdigest()}


COMMIT, OTHER_COMMIT = "c" * 40, "d" * 40
FOLDER = "on-the-hub"


def from_the_hub() -> Weights:
    return Weights("from-the-hub", "MIT", "hf download it", (WeightsFile(f"{FOLDER}/a.st", None, commit=COMMIT),))


@pytest.fixture
def download(root):
    """Leaves a file as `hf download --local-dir` does: with the hub's note on it, where there is one."""

    def leave(content: bytes, note: str | None):
        path = root / FOLDER / "a.st"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        if note is not None:
            there = path.parent / ".cache/huggingface/download/a.st.metadata"
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(note)

    return leave


def test_a_checksum_that_is_not_known_here_is_the_hubs_for_the_pinned_commit(download):
    download(b"weights", f"{COMMIT}\n{hashlib.sha256(b'weights').hexdigest()}\n1780000000.5\n")
    assert from_the_hub().available() and from_the_hub().read() == b"weights"
    download(b"random", None)
    with pytest.raises(DataCorrupt, match="hf download it"):
        from_the_hub().read()
    assert from_the_hub().identity == {"name": "from-the-hub", "commit": COMMIT}


@pytest.mark.parametrize(
    "note",
    [
        None,
        "",
        f"{OTHER_COMMIT}\n{hashlib.sha256(b'weights').hexdigest()}\n0\n",
        f"{COMMIT}\n{'a' * 40}\n0\n",
        "no note",
    ],
    ids=["none", "empty", "another commit's", "of a small file", "nonsense"],
)
def test_a_file_of_which_nothing_tells_the_checksum_counts_as_missing(download, note):
    download(b"weights", note)
    assert not from_the_hub().available()
    with pytest.raises(DataMissing, match="hf download it"):
        from_the_hub().read()


def test_an_unknown_name_gets_the_near_ones():
    with pytest.raises(BadInput, match="inception-2015-12-05"):
        get_weights("inception")


def test_every_known_file_has_a_checksum_and_a_format_that_runs_nothing_unchecked():
    files = [file for known in KNOWN.values() for file in known.files]
    assert all(len(bytes.fromhex(file.sha256 or file.commit)) == (32 if file.sha256 else 20) for file in files)
    assert all(file.name.endswith((".pt", ".pth", ".safetensors")) for file in files)
    assert all(known.license and known.how_to_get and name == known.name for name, known in KNOWN.items())


def test_a_backbone_is_tensors_of_a_known_file_and_scratch_is_none(root, monkeypatch):
    buffer = io.BytesIO()
    torch.save({"conv1.weight": torch.ones(2)}, buffer)
    (root / "mine.pth").write_bytes(buffer.getvalue())
    file = WeightsFile("mine.pth", hashlib.sha256(buffer.getvalue()).hexdigest())
    monkeypatch.setitem(KNOWN, "mine", Weights("mine", "MIT", "make it", (file,)))
    assert load_backbone("mine")["conv1.weight"].tolist() == [1, 1]
    assert load_backbone("scratch") is None
    (root / "mine.pth").write_bytes(b"another")
    with pytest.raises(DataCorrupt):
        load_backbone("mine")


def test_a_missing_backbone_says_how_to_get_it():
    with pytest.raises(DataMissing, match=r"resnet50-0676ba61\.pth"):
        load_backbone("resnet50-imagenet")
