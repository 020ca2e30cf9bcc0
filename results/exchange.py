"""Records in one file for other programs."""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from results.escape import escape_spreadsheet, one_line
from results.index import Entry, Records
from results.metrics import METRICS
from results.outline import Outline
from results.records import Metrics, Record, RecordError, dataset_id

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "parquet", "json")
_PLAIN = ("row", "preset", "steps", "train_seconds", "eval_seconds", "prepare_seconds", "images_per_second")
_LATER = ("resumed", "finished", "subset_sha256", "weights_sha256")
_MACHINE = ("host", "device", "device_type", "threads", "precision", "tf32", "deterministic", "nice")
_ENVIRONMENT = (*_MACHINE, "commit", "dirty", "peak_memory")
_IDENTITY = ("key", "dataset", "samples_per_class", "kind", "method", "parameters", "automatic", "seed")
_METRICS = (*METRICS, "test_images")
_NESTED = ("protocol", "versions", "artifacts", "warnings")
COLUMNS = (*_IDENTITY, *_METRICS, *_PLAIN, *_LATER, *_ENVIRONMENT, *_NESTED, "file")


def export(entries: Iterable[Entry], form: str, problems: list[str]) -> bytes:
    """The records as one CSV, Parquet or JSON file; a record that is no longer readable is added to `problems`.

    CSV and Parquet have the columns COLUMNS, a line per record, with what is nested as JSON text; JSON is a list of
    whole records, as they are in their files.
    """
    if form == "json":
        records = _read(entries, problems)
        return json.dumps([record.model_dump(by_alias=True) for _, record in records], indent=1).encode() + b"\n"
    lines = frame(entries, problems)
    if form == "csv":
        return lines.map(escape_spreadsheet).to_csv(index=False).encode()
    buffer = io.BytesIO()
    lines.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()


def frame(entries: Iterable[Entry], problems: list[str]) -> "pd.DataFrame":
    """The records, a line each, with the columns COLUMNS; one that is no longer readable is added to `problems`."""
    import pandas as pd

    lines = [_line(path, record) for path, record in _read(entries, problems)]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def entries_of(outlines: Sequence[Outline], records: Records) -> list[Entry]:
    """The records of outlines, each once."""
    keys = dict.fromkeys(key for outline in outlines for key in outline.keys)
    return [records.by_key[key] for key in keys if key in records.by_key]


def _read(entries: Iterable[Entry], problems: list[str]) -> Iterator[tuple[Path, Record]]:
    for entry in entries:
        try:
            yield entry.path, entry.record()
        except RecordError as error:
            problems.append(f"{entry.path}: {error}")


def _line(path: Path, record: Record) -> dict[str, object]:
    run, method = record.run, record.run["method"]
    line = {"key": record.key, "dataset": dataset_id(run["dataset"]), "method": method["name"], "seed": run["seed"]}
    line |= {"samples_per_class": run["samples_per_class"], "kind": record.kind, **record.values}
    line |= {"test_images": record.metrics.test_images} if isinstance(record.metrics, Metrics) else {}
    line |= {name: getattr(record, name) for name in _PLAIN + _LATER}
    line |= {name: getattr(record.environment, name) for name in _ENVIRONMENT}
    nested = {"parameters": method.get("parameters", {}), "automatic": method.get("automatic")}
    nested |= {"protocol": run["protocol"], "versions": record.environment.versions}
    nested |= {"artifacts": record.artifacts, "warnings": record.warnings}
    return (
        line
        | {name: json.dumps(value, sort_keys=True) for name, value in nested.items()}
        | {"file": one_line(str(path))}
    )
