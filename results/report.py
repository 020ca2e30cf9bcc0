"""One page about everything: HTML by a template that escapes every string, with all it needs inside."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from datasets.base import CHECKOUT
from datasets.paths import real_path
from results.classes import confusions
from results.files import HISTORY, write_atomically
from results.folders import look_around
from results.headline import Headline, headline
from results.histories import read_history
from results.index import Entry, Records
from results.metrics import METRICS
from results.outline import Outline
from results.reader import RecordError
from results.records import Record
from results.sections import Collector, Section, link_to
from results.stores import Stores
from results.verdict import STATES

TEMPLATES = Path(__file__).parent / "templates"
REPORT = CHECKOUT / "results" / "report"
FIRST = "table1"  # the study that people come for
MOST_CURVES = 5000  # runs; a page of that many has about 4 MB


@dataclass(frozen=True)
class Page:
    """Everything that the page shows."""

    made: str  # when, UTC
    stores: list[str]  # folders
    counts: dict[str, int]  # runs by state
    headline: Headline
    news: list[dict[str, str]]  # the newest records
    sections: list[Section]
    cells: list[dict[str, Any]]  # what is shown when a cell is pointed at, by number
    runs: list[dict[str, Any]]  # learning curves
    confusions: list[dict[str, Any]]  # what classifiers take for what, over seeds
    generators: list[dict[str, Any]]  # learning curves
    samples: list[dict[str, str]]  # pictures as data: addresses
    failures: list[dict[str, str]]
    machines: list[tuple[str, str, int]]  # (host, device, records)
    versions: list[tuple[str, str, int]]  # (name, version, records)
    left_out: list[str]  # what there is too much of to show, in words
    problems: list[str]  # files that cannot be trusted
    datasets: list[str]  # to filter by: their ids
    methods: list[str]
    presets: list[str]
    shown: dict[str, str]  # what people are shown for an id of a dataset that is no name
    labels: dict[str, str]  # of methods, by row


def render(page: Page) -> str:
    """The whole page, which needs nothing beside it."""
    loader = FileSystemLoader(TEMPLATES)
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    values = {field.name: getattr(page, field.name) for field in fields(page)}
    names = ("name", "preset", "files", "chart")
    tables = {one.anchor: {name: getattr(one, name) for name in names} for one in page.sections}
    return templates.get_template("report.html").render(**values, verdicts=STATES, tables=tables)


def write_report(folder: Path, outlines: Iterable[Outline], stores: Stores, records: Records) -> Path:
    """Writes <folder>/index.html about what the stores hold; returns its path."""
    path = real_path(folder) / "index.html"
    write_atomically(path, render(make_page(outlines, stores, records, path.parent)).encode(errors="backslashreplace"))
    return path


def make_page(outlines: Iterable[Outline], stores: Stores, records: Records, folder: Path) -> Page:
    """The page of what `stores` hold, a section per outline; folder: where it will lie, for its links to records.

    First come people's own images, then Table 1, then the other studies that are begun.
    """
    around, now = look_around(stores), datetime.now(UTC)
    collector = Collector(records, around, folder)
    outlines = sorted(outlines, key=lambda outline: _place(outline, records))
    specs = [spec for outline in outlines for spec in outline.measured_cells]
    shown = {spec.dataset_id: spec.dataset_shown for spec in specs}
    labels = {spec.method: spec.method_label for spec in specs}
    whole = [(entry, record) for entry in records if (record := _whole(entry))]
    taken, too_many = confusions(whole, lambda entry: _names(entry, shown), records.problems)
    head = headline(outlines, records, whole, now)
    return Page(
        made=now.strftime("%Y-%m-%d %H:%M UTC"),
        stores=[str(store) for store in stores.folders()],
        counts={"done": len(records.by_key), **around.counts(records.by_key)},
        headline=head,
        news=[_news(entry, record, shown, folder) for entry, record in head.new],
        sections=[collector.section(outline) for outline in outlines],
        cells=collector.cells,
        runs=[_curve(entry, shown) for entry in islice(records, MOST_CURVES)],
        confusions=taken,
        generators=around.generators,
        samples=around.samples,
        failures=around.failures,
        machines=_machines(record for _, record in whole),
        versions=_versions(record for _, record in whole),
        left_out=[*around.left_out, *_too_many(len(records.by_key)), *too_many],
        problems=list(dict.fromkeys([*records.problems, *around.problems])),
        datasets=_unique(entry.dataset for entry in records),
        methods=_unique(entry.row for entry in records),
        presets=_unique(entry.preset for entry in records),
        shown=shown,
        labels=labels,
    )


def _place(outline: Outline, records: Records) -> tuple[bool, bool, bool]:
    """Sorts own images before Table 1 before the rest, and what is begun before what is not."""
    begun = any(key in records.by_key for key in outline.keys)
    return not outline.own, outline.name != FIRST, not begun


def _whole(entry: Entry) -> Record | None:
    try:
        return entry.record()
    except RecordError:  # replaced or removed since it was read
        return None


def _too_many(count: int) -> list[str]:
    return [f"learning curves of {count - MOST_CURVES} of {count} runs"] if count > MOST_CURVES else []


def _names(entry: Entry, shown: Mapping[str, str]) -> dict[str, Any]:
    names = {"dataset": entry.dataset, "method": entry.row, "preset": entry.preset, "size": entry.samples_per_class}
    return names | {"shown": shown.get(entry.dataset, entry.dataset), "seed": entry.seed, "result": _result(entry)}


def _curve(entry: Entry, shown: Mapping[str, str]) -> dict[str, Any]:
    history = read_history(entry.path.parent / HISTORY)
    return _names(entry, shown) | {"step": history.get("step", []), "loss": history.get("loss", [])}


def _news(entry: Entry, record: Record, shown: Mapping[str, str], folder: Path) -> dict[str, Any]:
    return _names(entry, shown) | {"finished": record.finished[:16].replace("T", " "), "link": link_to(entry, folder)}


def _result(entry: Entry) -> str:
    """The first metric that tables know, in words: `top-1 accuracy in %: 43.22`."""
    found = next((METRICS[name] for name in entry.metrics if name in METRICS), None)
    return f"{found.title}: {entry.metrics[found.name]:.2f}" if found else ""


def _machines(records: Iterable[Record]) -> list[tuple[str, str, int]]:
    found = Counter((record.environment.host, record.environment.device) for record in records)
    return [(host, device, count) for (host, device), count in found.most_common()]


def _versions(records: Iterable[Record]) -> list[tuple[str, str, int]]:
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        here = record.environment
        commit = f"{here.commit or 'unknown'}{' with changes' if here.dirty else ''}"
        found.update({("commit", commit): 1, **{item: 1 for item in here.versions.items()}})
    return [(name, version, count) for (name, version), count in sorted(found.items())]


def _unique(values: Iterable[str]) -> list[str]:
    return sorted(set(values))
