"""What lies in a store besides records: runs under way, failures with their logs, artifacts with their pictures."""

import base64
import io
import os
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from results.artifacts import ARTIFACT, SAMPLES, ArtifactRecord, read_artifact
from results.files import HISTORY, LOG
from results.histories import read_history
from results.reader import RecordError, open_regular, read_content
from results.records import KEY_LENGTH
from results.states import open_state, read_failure
from results.stores import Stores

LOG_LINES = 25
MOST_FAILURES, MOST_SAMPLES, MOST_GENERATORS = 100, 60, 300
_PICTURE = 1200  # pixels of the longer side
_LARGEST_PICTURE = 2**26  # bytes
_LOG_BYTES = 20_000


@dataclass
class Surroundings:
    """states: running or failed by key, for runs without a record; the rest as in results.report.Page."""

    states: dict[str, str] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)
    generators: list[dict[str, object]] = field(default_factory=list)
    samples: list[dict[str, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # files that cannot be used

    def counts(self, done: Collection[str]) -> dict[str, int]:
        found = Counter(state for key, state in self.states.items() if key not in done)
        return {state: found[state] for state in ("running", "failed")}


def look_around(stores: Stores) -> Surroundings:
    """Walks the stores once; files that cannot be used are left out and named."""
    around = Surroundings()
    for store in stores.folders():
        for folder, names in _folders(store):
            _look(around, folder, names)
    for name, most in (("failures", MOST_FAILURES), ("samples", MOST_SAMPLES), ("generators", MOST_GENERATORS)):
        found = getattr(around, name)
        if len(found) > most:
            around.left_out.append(f"{len(found) - most} of {len(found)} {name}")
            del found[most:]
    for sample in around.samples:
        sample["picture"] = _picture(Path(sample["picture"]), around.problems)
    return around


def _folders(store: Path) -> Iterator[tuple[Path, list[str]]]:
    for folder, below, names in os.walk(store):
        below.sort()
        yield Path(folder), names


def _look(around: Surroundings, folder: Path, names: list[str]) -> None:
    key = folder.name[-KEY_LENGTH:]
    if ARTIFACT in names:
        _add_artifact(around, folder)
    elif state := open_state(folder, around.problems):
        around.states[key] = state
        if state == "failed":
            _add_failure(around, folder)


def _add_failure(around: Surroundings, folder: Path) -> None:
    if failure := read_failure(folder):
        words = {name: getattr(failure, name) for name in ("row", "preset", "dataset", "error", "failed")}
        around.failures.append(words | {"folder": str(folder), "log": log_end(folder / LOG) or failure.traceback})


def log_end(path: Path) -> str:
    """The last lines of a log, however long it is; "" where there is none."""
    with suppress(OSError, RecordError), open_regular(path) as file:
        file.seek(max(os.fstat(file.fileno()).st_size - _LOG_BYTES, 0))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-LOG_LINES:])
    return ""


def _add_artifact(around: Surroundings, folder: Path) -> None:
    try:
        record = read_artifact(folder / ARTIFACT)
    except RecordError as error:
        around.problems.append(f"{folder / ARTIFACT}: {error}")
        return
    title = _title(record, folder)
    if history := read_history(folder / HISTORY):
        step = history.pop("step")
        history.pop("learning_rate", None)
        around.generators.append({"title": title, "preset": record.preset, "step": step, "losses": history})
    if (folder / SAMPLES).exists():
        around.samples.append({"title": title, "picture": str(folder / SAMPLES)})


def _title(record: ArtifactRecord, folder: Path) -> str:
    identity = record.artifact
    return f"{folder.parts[-4]} of {folder.parts[-3]} {folder.parts[-2]} seed {identity.get('seed')} [{record.key}]"


def _picture(path: Path, problems: list[str]) -> str:
    """A sample grid as a data: address, made smaller for the page; "" where there is none."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(read_content(path, _LARGEST_PICTURE))) as image:
            image.thumbnail((_PICTURE, _PICTURE))
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, "WEBP", quality=80)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        problems.append(f"{path}: {error}")
        return ""
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
