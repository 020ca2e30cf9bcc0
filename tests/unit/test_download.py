"""Official archives, made small here in the official formats and served on this machine."""

import hashlib
import io
import os
import pickle
import socket
import struct
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from datasets import download
from datasets.base import DataCorrupt, DataMissing
from datasets.cifar import Cifair10, Cifair100, Cifar10, Cifar10Dedup, Cifar100
from datasets.download import Archive
from datasets.registry import BadInput
from datasets.stl10 import Stl10

CIFAR10, CIFAR100, STL10 = "cifar-10-python.tar.gz", "cifar-100-python.tar.gz", "stl10_binary.tar.gz"
CLASSES = [f"thing{i}" for i in range(10)]
FINE = [f"fine{i}" for i in range(100)]


class Python2Pickler(pickle._Pickler):
    """Pickles as Python 2 pickled the official CIFAR files: every string, of bytes or text, is a byte string."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, text: str | bytes) -> None:
        content = text if isinstance(text, bytes) else text.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(text)

    dispatch[str] = dispatch[bytes] = save_string  # type: ignore[assignment]


def pickled(value: object) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(value)
    return stream.getvalue()


def pixels(count: int, side: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def batch(images: np.ndarray, key: str, labels: list[int]) -> bytes:
    """A batch file: one row of 3,072 bytes per image, red before green before blue."""
    rows = np.ascontiguousarray(images.transpose(0, 3, 1, 2).reshape(len(images), -1))
    coarse = {"coarse_labels": [0] * len(labels)} if key == "fine_labels" else {}
    return pickled(
        {"batch_label": "a batch", key: labels, "data": rows, "filenames": ["x.png"] * len(labels), **coarse}
    )


def tar_gz(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


TRAIN10, TEST10, CLEAN10 = pixels(20, 32, 0), pixels(4, 32, 1), pixels(4, 32, 2)
TRAIN100, TEST100, CLEAN100 = pixels(6, 32, 3), pixels(3, 32, 4), pixels(3, 32, 5)
TRAIN_STL, TEST_STL = pixels(10, 96, 6), pixels(5, 96, 7)
LABELS10 = [(7 * i) % 10 for i in range(20)]


def cifar10_members() -> dict[str, bytes]:
    """The test batch and the last training batch come first: the order in the archive must not matter."""
    members = {"test_batch": batch(TEST10, "labels", [3, 1, 4, 1]), "readme.html": b"hello"}
    for number in (5, 4, 2, 3, 1):
        part = slice(4 * number - 4, 4 * number)
        members[f"data_batch_{number}"] = batch(TRAIN10[part], "labels", LABELS10[part])
    members["batches.meta"] = pickled({"num_cases_per_batch": 4, "label_names": CLASSES, "num_vis": 3072})
    return {f"cifar-10-batches-py/{name}": content for name, content in members.items()}


def cifar100_archive() -> bytes:
    members = {
        "meta": pickled({"fine_label_names": FINE, "coarse_label_names": ["coarse"] * 20}),
        "test": batch(TEST100, "fine_labels", [99, 0, 50]),
        "train": batch(TRAIN100, "fine_labels", [5, 4, 3, 2, 1, 0]),
    }
    return tar_gz({f"cifar-100-python/{name}": content for name, content in members.items()})


def stl10_members() -> dict[str, bytes]:
    """Binaries as published: per image 3 planes, each column after column; labels count from 1."""
    members = {
        "test_X.bin": TEST_STL.transpose(0, 3, 2, 1).tobytes(),
        "test_y.bin": bytes([10, 1, 2, 3, 4]),
        "train_X.bin": TRAIN_STL.transpose(0, 3, 2, 1).tobytes(),
        "train_y.bin": bytes(range(1, 11)),
        "unlabeled_X.bin": b"\0" * 1000,
        "fold_indices.txt": b"0 1 2\n",
        "class_names.txt": "\n".join(CLASSES).encode() + b"\n",
    }
    return {f"stl10_binary/{name}": content for name, content in members.items()}


class Server:
    """What is published, how it is answered, and what was downloaded."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answer: Callable[[BaseHTTPRequestHandler, bytes], None] = send
        self.downloads: list[str] = []
        self.url = ""


def send(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def send_half(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content[: len(content) // 2])


def send_rest(request: BaseHTTPRequestHandler, content: bytes) -> None:
    begun = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    if begun >= len(content):
        return request.send_error(416)
    request.send_response(206)
    request.send_header("Content-Length", str(len(content) - begun))
    request.end_headers()
    request.wfile.write(content[begun:])


def send_nonsense(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.wfile.write(b"nonsense\r\n")


def hang_up(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.connection.close()


def send_error(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_error(503)


@pytest.fixture
def server(empty_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = state.files.get(self.path[1:])
            if content is None:
                self.send_error(404)
            else:
                state.downloads.append(self.path[1:])
                state.answer(self, content)

        def log_message(self, *arguments: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        state.url = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield state
        listener.shutdown()
        thread.join()


@pytest.fixture
def publish(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes `content` the official archive of a dataset class, under its official file name."""

    def call(cls: type, content: bytes, md5: str | None = None) -> None:
        name = cls.archive.filename
        server.files[name] = content
        monkeypatch.setattr(cls, "archive", Archive(f"{server.url}/{name}", md5 or hashlib.md5(content).hexdigest()))

    return call


@pytest.fixture
def publish_cifair(publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes `test` the test batch of ciFAIR, and publishes CIFAR beside it."""

    def call(cls: type, test: bytes, test_md5: str | None = None) -> None:
        publish(Cifar10, tar_gz(cifar10_members()))
        publish(Cifar100, cifar100_archive())
        folder, name = cls.archive.filename.removesuffix(".zip"), cls.cifar.test_file
        publish(cls, zipped({f"{folder}/": b"", f"{folder}/data_batch_1": b"", f"{folder}/{name}": test}))
        monkeypatch.setattr(cls, "test_md5", test_md5 or hashlib.md5(test).hexdigest())

    return call


def test_official_archives_are_those_of_fidelity_section_1():
    assert {cls.archive.filename: cls.archive.md5 for cls in (Cifar10, Stl10, Cifair10, Cifair100)} == {
        CIFAR10: "c58f30108f718f92721af3b95e74349a",
        STL10: "91f7769df0f17e558f3565bffb0c7dfb",
        "ciFAIR-10.zip": "ca08fd390f0839693d3fc45c4e49585f",
        "ciFAIR-100.zip": "ddc236ab4b12eeb8b20b952614861a33",
    }
    assert Cifair10.test_md5 == "01290e6b622a1977a000eff13650aca2"
    assert Cifair100.test_md5 == "8130dae8d6fc6a436437f0ebdb801df1"


def test_the_small_batches_are_as_old_as_the_official_ones():
    """Like the official files, they cannot be read without encoding='latin1'."""
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(batch(TEST10, "labels", [3, 1, 4, 1]))


def test_cifar10_is_downloaded_and_read_back(publish, server, empty_root):
    publish(Cifar10, tar_gz(cifar10_members()))
    Cifar10().prepare()
    dataset = Cifar10()
    assert server.downloads == [CIFAR10]
    assert dataset.class_names() == CLASSES
    assert dataset.train_labels().tolist() == LABELS10
    assert np.array_equal(dataset.train_images(np.arange(20)), TRAIN10)
    assert np.array_equal(dataset.train_images(np.array([19, 0])), TRAIN10[[19, 0]])
    assert np.array_equal(dataset.test().images, TEST10) and dataset.test().labels.tolist() == [3, 1, 4, 1]


def test_cifar100_is_read_back_with_its_fine_labels(publish, server):
    publish(Cifar100, cifar100_archive())
    Cifar100().prepare()
    dataset = Cifar100()
    assert server.downloads == [CIFAR100]
    assert dataset.class_names() == FINE
    assert dataset.train_labels().tolist() == [5, 4, 3, 2, 1, 0]
    assert np.array_equal(dataset.train_images(np.arange(6)), TRAIN100)
    assert np.array_equal(dataset.test().images, TEST100) and dataset.test().labels.tolist() == [99, 0, 50]


def test_stl10_is_read_back_upright_and_counted_from_zero(publish, server):
    publish(Stl10, tar_gz(stl10_members()))
    Stl10().prepare()
    dataset = Stl10()
    assert server.downloads == [STL10]
    assert dataset.class_names() == CLASSES
    assert dataset.train_labels().tolist() == list(range(10))
    assert np.array_equal(dataset.train_images(np.arange(10)), TRAIN_STL)
    assert np.array_equal(dataset.test().images, TEST_STL) and dataset.test().labels.tolist() == [9, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("cls", "key", "labels", "train", "clean"),
    [(Cifair10, "labels", [3, 1, 4, 1], TRAIN10, CLEAN10), (Cifair100, "fine_labels", [99, 0, 50], TRAIN100, CLEAN100)],
)
def test_cifair_is_cifars_training_set_with_its_own_test_set(cls, key, labels, train, clean, publish_cifair, server):
    publish_cifair(cls, batch(clean, key, labels))
    cls().prepare()
    dataset = cls()
    dataset.check()
    assert server.downloads == [cls.cifar.archive.filename, cls.archive.filename]
    assert np.array_equal(dataset.train_images(np.arange(len(train))), train)
    assert np.array_equal(dataset.test().images, clean) and dataset.test().labels.tolist() == labels
    assert not np.array_equal(dataset.test().images, cls.cifar().test().images)


def test_cifair_downloads_no_cifar_that_is_there(publish_cifair, server):
    publish_cifair(Cifair10, batch(CLEAN10, "labels", [3, 1, 4, 1]))
    Cifar10().prepare()
    Cifair10().prepare()
    assert server.downloads == [CIFAR10, "ciFAIR-10.zip"]


def test_cifair_is_content_with_cifars_tile_sheets(publish_cifair, server, real_sheets):
    publish_cifair(Cifair10, batch(CLEAN10, "labels", [3, 1, 4, 1]))
    Cifair10().prepare()
    assert server.downloads == ["ciFAIR-10.zip"]
    assert np.array_equal(Cifair10().test().images, CLEAN10)


def test_dedup_prepares_cifar(publish, server):
    publish(Cifar10, tar_gz(cifar10_members()))
    Cifar10Dedup().prepare()
    assert server.downloads == [CIFAR10]
    assert len(Cifar10Dedup().train_labels()) == 20


@pytest.mark.parametrize(("cls", "content"), [(Cifar10, cifar10_members), (Stl10, stl10_members)])
def test_preparing_twice_downloads_once(cls, content, publish, server, empty_root):
    publish(cls, tar_gz(content()))
    cls().prepare()
    cls().prepare()
    assert server.downloads == [cls.archive.filename]
    (empty_root / cls.archive.filename).unlink()  # the arrays are enough
    cls().prepare()
    assert server.downloads == [cls.archive.filename]


def test_preparing_cifair_twice_downloads_once(publish_cifair, server):
    publish_cifair(Cifair10, batch(CLEAN10, "labels", [3, 1, 4, 1]))
    for _ in range(2):
        Cifair10().prepare()
    assert server.downloads == [CIFAR10, "ciFAIR-10.zip"]


def test_an_archive_put_there_by_hand_is_not_downloaded(publish, server, empty_root):
    publish(Cifar10, tar_gz(cifar10_members()))
    (empty_root / CIFAR10).write_bytes(server.files.pop(CIFAR10))
    Cifar10().prepare()
    assert server.downloads == []
    assert np.array_equal(Cifar10().test().images, TEST10)


class Bomb:
    """An object whose unpickling makes a folder."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The folder that a bomb makes; the fixture sees that it would."""
    mark = tmp_path / "unpickled"
    pickle.loads(pickle.dumps(Bomb(mark)))
    mark.rmdir()
    return mark


@pytest.mark.parametrize("member", ["data_batch_1", "test_batch", "batches.meta"])
def test_an_archive_with_a_wrong_md5_is_never_unpickled(member, mark, publish, empty_root):
    members = cifar10_members() | {f"cifar-10-batches-py/{member}": pickle.dumps(Bomb(mark))}
    publish(Cifar10, tar_gz(members), md5=Cifar10.archive.md5)
    with pytest.raises(DataCorrupt, match=f"{CIFAR10} .*md5"):
        Cifar10().prepare()
    assert not mark.exists()
    with pytest.raises(DataMissing):
        Cifar10().check()


def test_a_test_batch_with_a_wrong_md5_is_never_unpickled(mark, publish_cifair):
    publish_cifair(Cifair10, pickle.dumps(Bomb(mark)), test_md5=Cifair10.test_md5)
    with pytest.raises(DataCorrupt, match=r"ciFAIR-10\.zip holds another test batch than the official one"):
        Cifair10().prepare()
    assert not mark.exists()
    with pytest.raises(DataMissing):
        Cifair10().test()


def test_an_archive_that_lacks_a_member_names_it(publish, empty_root):
    members = cifar10_members()
    del members["cifar-10-batches-py/data_batch_3"]
    publish(Cifar10, tar_gz(members))
    with pytest.raises(DataCorrupt, match=f"{empty_root / CIFAR10} lacks data_batch_3$"):
        Cifar10().prepare()


@pytest.mark.parametrize("answer", [send_error, hang_up, send_nonsense])
def test_a_failed_download_leaves_nothing_and_says_what_to_do(answer, publish, server, empty_root):
    publish(Cifar10, tar_gz(cifar10_members()))
    server.answer = answer
    expected = f"(?s)could not download {server.url}/{CIFAR10} .* put it at {empty_root / CIFAR10}"
    with pytest.raises(DataMissing, match=expected):
        Cifar10().prepare()
    assert server.downloads and list(empty_root.iterdir()) == []
    server.answer = send
    Cifar10().prepare()
    assert np.array_equal(Cifar10().test().images, TEST10)


def test_a_connection_that_breaks_off_leaves_nothing(publish, server, empty_root):
    def break_off(request: BaseHTTPRequestHandler, content: bytes) -> None:
        send_half(request, content)
        deadline = time.monotonic() + 5
        while not list(empty_root.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        begun.extend(empty_root.iterdir())
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.connection.close()  # with this option: a reset, not an end

    begun: list[Path] = []
    publish(Cifar10, tar_gz(cifar10_members()))
    server.answer = break_off
    with pytest.raises(DataMissing, match=f"put it at {empty_root / CIFAR10}"):
        Cifar10().prepare()
    assert begun and list(empty_root.iterdir()) == []


def test_half_a_download_is_not_kept(publish, server, empty_root):
    publish(Cifar10, tar_gz(cifar10_members()))
    server.answer = send_half
    with pytest.raises(BadInput, match=CIFAR10):
        Cifar10().prepare()
    assert not (empty_root / CIFAR10).exists()
    server.answer = send
    Cifar10().prepare()
    assert np.array_equal(Cifar10().test().images, TEST10)


def test_without_a_server_the_place_for_the_file_is_named(empty_root, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(Stl10, "archive", Archive(f"http://127.0.0.1:{unused.getsockname()[1]}/{STL10}", "0" * 32))
        with pytest.raises(DataMissing, match=f"could not download .* put it at {empty_root / STL10}"):
            Stl10().prepare()
    assert list(empty_root.iterdir()) == []


def test_the_rest_of_a_killed_download_is_not_used_where_the_server_sends_all(publish, empty_root):
    publish(Cifar10, tar_gz(cifar10_members()))
    (empty_root / f"{CIFAR10}.part").write_bytes(b"the first half")
    Cifar10().prepare()
    assert np.array_equal(Cifar10().test().images, TEST10)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_killed_download_goes_on_where_it_was(share, publish, server, empty_root):
    content = tar_gz(cifar10_members())
    publish(Cifar10, content)
    (empty_root / f"{CIFAR10}.part").write_bytes(content[: int(share * len(content))])
    server.answer = send_rest
    Cifar10().prepare()
    assert server.downloads == [CIFAR10]
    assert np.array_equal(Cifar10().test().images, TEST10)
    assert not (empty_root / f"{CIFAR10}.part").exists()


def test_what_is_no_beginning_of_the_archive_is_fetched_anew(publish, server, empty_root):
    """As after a power cut, or where two machines wrote to it."""
    content = tar_gz(cifar10_members())
    publish(Cifar10, content)
    (empty_root / f"{CIFAR10}.part").write_bytes(bytes(len(content) // 2))
    server.answer = lambda request, content: (send_rest if "Range" in request.headers else send)(request, content)
    Cifar10().prepare()
    assert server.downloads == [CIFAR10, CIFAR10]
    assert np.array_equal(Cifar10().test().images, TEST10)


def test_two_at_once_do_not_share_a_file(publish, server, empty_root):
    """The second is told so; the first, which is under way meanwhile, ends well."""
    told: list[str] = []

    def send_while_another_asks(request: BaseHTTPRequestHandler, content: bytes) -> None:
        send_half(request, content)
        with pytest.raises(DataMissing) as refusal:
            Cifar10.archive.fetch(empty_root)
        told.append(str(refusal.value))
        request.wfile.write(content[len(content) // 2 :])

    publish(Cifar10, tar_gz(cifar10_members()))
    server.answer = send_while_another_asks
    Cifar10().prepare()
    part = empty_root / f"{CIFAR10}.part"
    assert told == [f"another process downloads {server.url}/{CIFAR10} to {part}: try again when it has ended"]
    assert server.downloads == [CIFAR10]
    assert np.array_equal(Cifar10().test().images, TEST10) and not part.exists()


@pytest.mark.parametrize("ends_well", [True, False])
def test_who_opened_the_file_before_the_first_had_ended_takes_its_archive_or_begins_anew(
    ends_well, publish, server, empty_root, monkeypatch
):
    content, lock = tar_gz(cifar10_members()), download._lock
    part = empty_root / f"{CIFAR10}.part"

    def late(descriptor: int) -> bool:
        monkeypatch.setattr(download, "_lock", lock)
        if ends_well:
            part.write_bytes(content)
            part.rename(empty_root / CIFAR10)
        else:
            part.unlink()
        return lock(descriptor)

    publish(Cifar10, content)
    monkeypatch.setattr(download, "_lock", late)
    Cifar10().prepare()
    assert server.downloads == ([] if ends_well else [CIFAR10])
    assert np.array_equal(Cifar10().test().images, TEST10) and not part.exists()
