"""What stands below tables and figures: sentences that say what is shown and what a reader must know of it."""

from collections.abc import Iterable, Sequence

from datasets.base import registry
from datasets.options import divide_text
from results.index import Records
from results.metrics import METRICS
from results.outline import Outline
from results.panels import Panel


def caption_of(outline: Outline, records: Records) -> str:
    """What a reader must know of the numbers: what they are, seeds, preset, stand-ins, what is missing."""
    parts = [_measured(outline)]
    if outline.settings:
        parts.append(f"Changed: {', '.join(outline.settings)}.")
    parts += [f"{ours} stands for {theirs} and is another test set." for ours, theirs in _stand_ins(outline)]
    own = {cell.dataset_label: cell.dataset_id for cell in outline.measured_cells if cell.content}
    parts += [f"{label} is {images}." for label, images in own.items()]
    parts += outline.remarks
    if outline.preset != "paper" and outline.published:
        parts.append("This is not the papers' setting: their numbers are for orientation.")
    missing = sum(key not in records.by_key for key in outline.keys)
    if missing:
        parts.append(f"{counted(missing, 'run')} {'is' if missing == 1 else 'are'} missing.")
    return " ".join(parts)


def figure_caption(outline: Outline, records: Records, panels: Sequence[Panel]) -> str:
    """A figure's caption: its title, what the numbers are, what of the drawing means what."""
    points = [point for panel in panels for line in panel.lines.values() for point in line]
    ours = any(point.mean == point.mean for point in points)
    theirs = any(point.published == point.published for point in points)
    said = caption_of(outline, records) if ours else "As published."
    marks = "Filled markers are measured here, hollow ones the paper's numbers." if ours and theirs else ""
    spread = "Bars are ± one standard deviation." if panels[0].dots else ""
    return " ".join(filter(None, (f"{outline.title}.", said, marks, spread, note_of(outline))))


def note_of(outline: Outline) -> str:
    """What a reader must know of the study, the papers' numbers too."""
    average = "Average is the mean over a row's datasets once all are complete; its ± is the mean of theirs."
    return " ".join([outline.note] * bool(outline.note) + [average] * outline.average)


def counted(count: int, thing: str) -> str:
    """`1 seed`, `3 seeds`: never n, which is the size of a subset in the papers."""
    return f"{count} {thing}{'s' * (count != 1)}"


def _measured(outline: Outline) -> str:
    """The metrics' titles, which way is better where that is not up, the conditions, seeds and preset."""
    metrics = [METRICS[name] for name in outline.metrics]
    titles = _joined(f"{metric.title}{' (lower is better)' * (metric.better == 'lower')}" for metric in metrics)
    seeds = _joined(map(str, outline.seeds))
    what = f"{titles[0].upper()}{titles[1:]} {outline.measured}"
    if len(outline.seeds) == 1:
        return f"{what}, of seed {seeds} at preset {outline.preset}."
    return f"{what}, as mean ± sample standard deviation over seeds {seeds} at preset {outline.preset}."


def _joined(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _stand_ins(outline: Outline) -> list[tuple[str, str]]:
    labels = {cell.dataset: cell.dataset_label for cell in outline.measured_cells}
    return [(labels[ours], registry.get(divide_text(theirs)[0]).label) for ours, theirs in outline.stand_ins()]
