"""What stands below tables and figures: sentences that say what is shown and what a reader must know of it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from datasets.base import registry
from datasets.options import divide_text
from results.index import Records
from results.metrics import METRICS
from results.outline import CellSpec, Outline
from results.panels import Panel, Point


def caption_of(outline: Outline, records: Records) -> str:
    """What a reader must know of the numbers: what they are, seeds, preset, stand-ins, what is missing."""
    parts = [_measured(outline), *_to_know(outline), *outline.remarks]
    if outline.preset != "paper" and outline.published:
        parts.append("This is not the papers' setting: their numbers are for orientation.")
    missing = sum(key not in records.by_key for key in outline.keys)
    if missing:
        parts.append(f"{counted(missing, 'run')} {'is' if missing == 1 else 'are'} missing.")
    return " ".join(parts)


def _to_know(outline: Outline) -> list[str]:
    """Sentences on what was changed and what stands for what."""
    parts = [f"Changed: {', '.join(outline.settings)}."] if outline.settings else []
    parts += [f"{ours} stands for {theirs} and is another test set." for ours, theirs in _stand_ins(outline)]
    own = {cell.dataset_label: cell.dataset_id for cell in outline.measured_cells if cell.content}
    return [*parts, *(f"{label} is {images}." for label, images in own.items())]


def caption_of_images(outline: Outline, cells: Sequence[CellSpec], seed: int, measured: str = "") -> str:
    """The caption of a figure of images, not of numbers: of which cells and seed; measured: of how many images."""
    methods = _joined(dict.fromkeys(cell.method_label for cell in cells))
    datasets = _joined(dict.fromkeys(cell.dataset_label for cell in cells))
    sizes = _joined(dict.fromkeys(str(cell.samples_per_class) for cell in cells))
    which = ", ".join(filter(None, (f"{methods} on {datasets}", f"{sizes} samples per class", measured)))
    told = f"{which}, of seed {seed} at preset {outline.preset}."
    return " ".join([f"{outline.title}.", told, *_to_know(replace(outline, cells=tuple(cells))), outline.note]).rstrip()


def figure_caption(outline: Outline, records: Records, panels: Sequence[Panel]) -> str:
    """A figure's caption: its title, what the numbers are, what of the drawing means what."""
    outline = drawn(outline)
    points = [point for panel in panels for line in panel.lines.values() for point in line]
    ours, theirs = (any(not math.isnan(getattr(point, name)) for point in points) for name in ("mean", "published"))
    said = caption_of(outline, records) if ours else as_published(outline)
    marks = "Filled markers are measured here, hollow ones the paper's numbers." if ours and theirs else ""
    spread = "Bars are ± one standard deviation." if panels[0].dots and any(map(_has_spread, points)) else ""
    with_control = not all(math.isnan(panel.control) for panel in panels)
    control = f"Dotted: {METRICS[METRICS[outline.metrics[0]].control].title}." if with_control else ""
    return " ".join(filter(None, (f"{outline.title}.", said, marks, spread, control, note_of(outline))))


def drawn(outline: Outline) -> Outline:
    """The outline of what a figure shows: its first metric, and no averages."""
    return replace(outline.with_metric(outline.metrics[0]), average=False)


def as_published(outline: Outline) -> str:
    """The caption of the papers' numbers alone; what they are is said where it is not top-1 accuracy."""
    if outline.metrics == ["top1"]:
        return "As published."
    return f"{_titles(outline)}, as published."


def _has_spread(point: Point) -> bool:
    return not (math.isnan(point.std) and math.isnan(point.published_std))


def note_of(outline: Outline) -> str:
    """What a reader must know of the study, the papers' numbers too."""
    average = "Average is the mean over a row's datasets once all are complete; its ± is the mean of theirs."
    return " ".join([outline.note] * bool(outline.note) + [average] * outline.average)


def counted(count: int, thing: str) -> str:
    """`1 seed`, `3 seeds`: never n, which is the size of a subset in the papers."""
    return f"{count} {thing}{'s' * (count != 1)}"


def _measured(outline: Outline) -> str:
    """The metrics' titles, the conditions, seeds and preset."""
    seeds = _joined(map(str, outline.seeds))
    what = f"{_titles(outline)} {outline.measured}"
    if len(outline.seeds) == 1:
        return f"{what}, of seed {seeds} at preset {outline.preset}."
    return f"{what}, as mean ± sample standard deviation over seeds {seeds} at preset {outline.preset}."


def _titles(outline: Outline) -> str:
    """The metrics' titles, and which way is better where that is not up."""
    metrics = [METRICS[name] for name in outline.metrics]
    titles = _joined(f"{metric.title}{' (lower is better)' * (metric.better == 'lower')}" for metric in metrics)
    return f"{titles[0].upper()}{titles[1:]}"


def _joined(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _stand_ins(outline: Outline) -> list[tuple[str, str]]:
    labels = {cell.dataset: cell.dataset_label for cell in outline.measured_cells}
    return [(labels[ours], registry.get(divide_text(theirs)[0]).label) for ours, theirs in outline.stand_ins()]
