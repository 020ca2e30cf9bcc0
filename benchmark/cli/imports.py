"""Another store's records into this one: each to its own place, under its lock, and there for good."""

import errno
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.places import place_of_artifact, place_of_run
from results.artifacts import ARTIFACT, LARGEST_TENSORS, SAMPLES, TENSORS, ArtifactRecord, check_tensors
from results.escape import one_line
from results.files import FAILURE, HISTORY, POINTS, PREDICTIONS, RECORD, TEMPORARY, VALUES, WEIGHTS, write_atomically
from results.index import load_records
from results.locks import Lock, LockHeld, LockLost
from results.metrics import METRICS
from results.predictions import LARGEST_PREDICTIONS, parse_predictions
from results.reader import RecordError, Unreadable, read_content
from results.records import LARGEST, Keyed, Record, check

_LARGEST_HISTORY = 2**26  # bytes; a history has a few hundred lines
_LARGEST_VALUES = 2**28
_LARGEST_PICTURE = 2**28
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # after which the next record would fare no better


@dataclass
class Import:
    """What an import did, in lines for people. copied: new records; same: there already, the same result; conflicts:
    there already with another result, left as they were; problems: what could not be taken, and why; bare: how many
    artifacts have no tensors, so that nothing can use them; completed: files that came to records which were there."""

    copied: list[Path] = field(default_factory=list)
    same: list[Path] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    bare: int = 0
    completed: int = 0

    def report(self, problem: object) -> None:
        self.problems.append(one_line(str(problem)))


Check = Callable[[bytes, Any, Path], object]


class _Kind(NamedTuple):
    """A kind of record. receipt: its file; beside: other files of its folder, each with the most bytes that it has and
    a check of its content, the record and its path, which raises RecordError for what is not that record's."""

    receipt: str
    model: type[Keyed]
    beside: Mapping[str, tuple[int, Check]]
    place: Callable[[Any, Path], Path]
    difference: Callable[[Any, Any], str]


def import_records(source: Path, store: Path) -> Import:
    """Copies the records of another store's runs, with what is beside them, to where these runs would write them.

    Nothing in `store` is ever replaced: a key that both have with different results is a conflict to be settled by a
    person, and so is one that the source itself has twice (which load_records reports).
    """
    theirs, ours = load_records([source]), load_records([store])
    done = Import(problems=[*theirs.problems, *ours.problems])
    places = {key: entry.path for key, entry in ours.by_key.items()}
    _take_all(_RUN, (entry.path.parent for entry in theirs), store, done, places)
    return done


def import_artifacts(source: Path, store: Path) -> Import:
    """Copies what another store's runs share, as `import_records` does its runs; what has no tensors is counted."""
    done = Import()
    whole = []
    for folder, below, names in os.walk(source, onerror=done.report):
        below.sort()
        if ARTIFACT in names and os.path.lexists(Path(folder, TENSORS)):
            whole.append(Path(folder))
        elif ARTIFACT in names:
            done.bare += 1
    _take_all(_ARTIFACT, iter(whole), store, done, {})
    return done


def _take_all(kind: _Kind, folders: Iterator[Path], store: Path, done: Import, places: dict[str, Path]) -> None:
    """places: where records of `store` lie, by key, whether or not that is where they belong."""
    for folder in folders:
        try:
            _take(kind, folder, store, done, places)
        except (RecordError, LockHeld, LockLost) as error:
            done.report(f"{folder / kind.receipt}: {error}")
        except OSError as error:
            done.report(f"{folder / kind.receipt}: {error}")
            if error.errno in _DISK or not _takes_files(store):
                return done.report(f"stopped there: {store} takes no more")


def _takes_files(store: Path) -> bool:
    """Whether files can be written and locks held in a store at all, so that what failed was one of its folders."""
    try:
        with suppress(LockHeld), Lock(store):
            return True
    except OSError:
        return False
    return True


def _take(kind: _Kind, folder: Path, store: Path, done: Import, places: dict[str, Path]) -> None:
    content = read_content(folder / kind.receipt, LARGEST)
    record = check(content, folder.name, kind.model)
    target = store / kind.place(record, folder)
    if record.key in places:
        return _compare(kind, places[record.key], folder / kind.receipt, record, done)
    with Lock(target) as lock:
        for draft in target.glob(TEMPORARY):  # of who was killed, or has lost the lock and may go on
            draft.unlink(missing_ok=True)
        if os.path.lexists(target / kind.receipt):
            return _compare(kind, target / kind.receipt, folder / kind.receipt, record, done)
        for name in kind.beside:
            _copy_beside(kind, folder, target, name, record, lock, done)
        write_atomically(target / kind.receipt, content, lock.verify)
        (target / FAILURE).unlink(missing_ok=True)
    done.copied.append(target / kind.receipt)


def _compare(kind: _Kind, mine: Path, theirs: Path, record: Keyed, done: Import) -> None:
    try:
        here = check(read_content(mine, LARGEST), mine.parent.name, kind.model)
    except RecordError as error:
        done.conflicts.append(
            one_line(f"{mine} is there and cannot be read ({error}): {theirs} was not copied over it")
        )
        return
    if difference := kind.difference(here, record):
        done.conflicts.append(one_line(f"key {record.key}: {difference}: {mine} and {theirs}"))
    else:
        _complete(kind, theirs.parent, mine.parent, record, done)
        done.same.append(theirs)


def _complete(kind: _Kind, folder: Path, target: Path, record: Keyed, done: Import) -> None:
    """Copies what lies beside the same record there and is not here."""
    lost = [name for name in kind.beside if os.path.lexists(folder / name) and not os.path.lexists(target / name)]
    if lost and not folder.samefile(target):
        with Lock(target) as lock:
            for name in lost:
                _copy_beside(kind, folder, target, name, record, lock, done)
                done.completed += os.path.lexists(target / name)


def _copy_beside(kind: _Kind, folder: Path, target: Path, name: str, record: Keyed, lock: Lock, done: Import) -> None:
    """Copies what is the record's own; raises Unreadable where it may be and cannot be read just now."""
    if not os.path.lexists(folder / name):
        return
    largest, check_content = kind.beside[name]
    try:
        content = read_content(folder / name, largest)
        check_content(content, record, folder / name)
    except Unreadable:
        raise
    except RecordError as error:
        if name == TENSORS:
            raise
        return done.report(f"{folder / name}: {error}")
    write_atomically(target / name, content, lock.verify)


def _differing_runs(mine: Record, theirs: Record) -> str:
    """What differs most: the accuracies, or else that they agree and something else does not; "" for one result."""
    if mine == theirs:
        return ""
    name, ours = next(iter(mine.values.items()))
    other = theirs.values.get(name, math.nan)
    same = " (the same, made twice)" if ours == other else ""
    return f"{METRICS[name].word if name in METRICS else name} {ours:.2f} here, {other:.2f} there{same}"


def _differing_tensors(mine: ArtifactRecord, theirs: ArtifactRecord) -> str:
    return "" if mine.tensors_sha256 == theirs.tensors_sha256 else "an artifact with other tensors here and there"


def _check_history(content: bytes, record: Keyed, file: Path) -> None:
    if not content.startswith(b"step,"):
        raise RecordError("it is no history of a training")


def _check_values(content: bytes, record: Keyed, file: Path) -> None:
    from results.synsets import parse_values

    parse_values(content, file)


def _check_points(content: bytes, record: Keyed, file: Path) -> None:
    from results.points import parse_points

    parse_points(content, file)


def _check_predictions(content: bytes, record: Record, file: Path) -> None:
    parse_predictions(content, record)


def _check_weights(content: bytes, record: Record, file: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load

    from benchmark.training.nets import state_hash

    try:
        same = state_hash(load(content)) == record.weights_sha256
    except (SafetensorError, ValueError) as error:
        raise RecordError(f"no file of weights: {error}") from error
    if not same:
        raise RecordError("not the weights that the record is of")


def _check_samples(content: bytes, record: Keyed, file: Path) -> None:
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise RecordError("it is no PNG")


_BESIDE = {
    HISTORY: (_LARGEST_HISTORY, _check_history),
    VALUES: (_LARGEST_VALUES, _check_values),
    POINTS: (_LARGEST_VALUES, _check_points),
    PREDICTIONS: (LARGEST_PREDICTIONS, _check_predictions),
    WEIGHTS: (LARGEST_TENSORS, _check_weights),
}
_RUN = _Kind(RECORD, Record, _BESIDE, place_of_run, _differing_runs)
_ARTIFACT = _Kind(
    ARTIFACT,
    ArtifactRecord,
    {
        HISTORY: (_LARGEST_HISTORY, _check_history),
        SAMPLES: (_LARGEST_PICTURE, _check_samples),
        TENSORS: (LARGEST_TENSORS, check_tensors),
    },
    lambda record, found: place_of_artifact(record),
    _differing_tensors,
)
