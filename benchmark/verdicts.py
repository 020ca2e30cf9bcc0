"""Verdicts on selected studies, and the page that says what of the papers is reproduced."""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tabulate import tabulate

from benchmark.outline import Outline, load_outline
from benchmark.selection import Selection, study_names
from benchmark.stores import Stores
from benchmark.tabulate import stand_ins
from results.aggregate import aggregate, load_published
from results.cells import CellSpec
from results.escape import escape_markdown, one_line
from results.index import Records
from results.store import CHECKOUT
from results.verdict import ALPHA, EXIT_MATCH, EXIT_OFF, EXIT_OPEN, Scope, TableVerdict, Verdict, judge

DEVIATIONS = CHECKOUT / "results" / "deviations.md"
_HEAD = ("dataset", "method", "n/class", "published", "ours", "seeds", "difference", "z", "p", "verdict")


def judge_study(outline: Outline, records: Records) -> TableVerdict:
    """The verdict on every cell of an outline; averages over datasets have none of their own."""
    cells = [cell for cell in outline.cells if not cell.parts]
    scope = Scope(outline.preset, outline.papers_setting, len(outline.study_seeds))
    return judge(outline.title, aggregate(cells, records, load_published(outline.published)), cells, scope)


def verdicts(names: tuple[str, ...], selection: Selection, stores: Stores) -> tuple[dict[str, TableVerdict], list[str]]:
    """The verdicts on the named studies, or on all with published numbers, and the records that were left out."""
    records = stores.records()
    outlines = [load_outline(name, selection) for name in names or study_names()]
    found = {outline.name: judge_study(outline, records) for outline in outlines if names or outline.published}
    return found, records.problems


def verdicts_text(found: dict[str, TableVerdict]) -> str:
    """A line per cell of each study, and its summary."""
    return "\n\n\n".join(
        f"{verdict.title}\n\n{_table(verdict.cells, one_line, 'simple')}\n\n{verdict.summary()}"
        for verdict in found.values()
    )


def verdicts_json(found: dict[str, TableVerdict]) -> str:
    return json.dumps({name: verdict.as_json() for name, verdict in found.items()}, indent=1)


def _table(cells: Iterable[Verdict], escape: Callable[[str], str], form: str) -> str:
    return tabulate([_line(cell, escape) for cell in cells], _HEAD, form, disable_numparse=True)


def _line(cell: Verdict, escape: Callable[[str], str]) -> list[str]:
    dataset = cell.dataset if cell.dataset == cell.published_dataset else f"{cell.dataset} for {cell.published_dataset}"
    numbers = [_spread(cell.published, cell.published_std), _spread(cell.ours, cell.std), str(cell.n)]
    compared = [_show(cell.difference, "+.2f"), _show(cell.z, "+.2f"), _show_p(cell.p)]
    names = [escape(dataset), escape(cell.method), str(cell.samples_per_class)]
    return [*names, *numbers, *compared, cell.state]


def _spread(mean: float | None, std: float | None) -> str:
    return _show(mean, ".2f") + (f" ± {std:.2f}" if std is not None else "")


def _show(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _show_p(value: float | None) -> str:
    return "<0.001" if value is not None and value < 0.001 else _show(value, ".3f")


def reproduction(stores: Stores) -> str:
    """results/REPRODUCTION.md: every study with published numbers, at its own preset and wherever else it was run."""
    records = stores.records()
    sections = [section for name in study_names() for section in _sections(name, records)]
    summary = tabulate([[_place(o), o.preset, v.summary()] for o, v in sections], ("study", "preset", "state"), "pipe")
    details = "\n\n".join(_section(outline, verdict) for outline, verdict in sections)
    return f"{_INTRODUCTION}\n\n{summary}\n\n{DEVIATIONS.read_text().strip()}\n\n## Study by study\n\n{details}\n"


_INTRODUCTION = f"""# What of the papers is reproduced

Written by `make reproduction` from the records in `results/measured`; do not edit.

`match`: Welch's t test of our seeds against the published mean and standard deviation (5 seeds) gives p ≥ {ALPHA}. It
says that the two cannot be told apart, not that they are equal; of cells that are equal, 1 in 20 is `off` by chance.
`off`: p < {ALPHA}. `incomplete`: fewer seeds than the study asks for. `stand-in match` and `stand-in off`: another
dataset in the published one's place, never counted as a match. `other preset`: a shorter or changed training, not the
papers' setting. z = difference / sqrt(std²/n + published std²/5)."""


def _sections(name: str, records: Records) -> Iterator[tuple[Outline, TableVerdict]]:
    own, *others = outlines(name, records)
    if own.published is None:
        return
    yield own, judge_study(own, records)
    for outline in others:
        verdict = judge_study(outline, records)
        yield outline, replace(verdict, cells=tuple(cell for cell in verdict.cells if cell.n))


def outlines(name: str, records: Records) -> list[Outline]:
    """A study as it is, then at every other preset and on every stand-in for which there are records."""
    own = load_outline(name, Selection())
    others = (load_outline(name, selection) for selection in _elsewhere(own, records))
    return [own, *(outline for outline in others if any(key in records.by_key for key in outline.keys))]


def _elsewhere(own: Outline, records: Records) -> Iterator[Selection]:
    """The other presets and stand-in datasets that records were made with."""
    places = {cell.dataset for cell in own.cells}
    made = {(entry.preset, entry.dataset) for entry in records}
    for preset in sorted({preset for preset, _ in made}):
        datasets = sorted(name for at, name in made if at == preset and _stands_for(name) in places)
        others = tuple(name for name in datasets if preset != own.preset or name not in places)
        if others:
            yield Selection(preset=preset, datasets=others)


def _stands_for(dataset: str) -> str:
    from datasets.base import registry

    return getattr(registry.entries().get(dataset), "stands_for", None) or dataset


def _place(outline: Outline) -> str:
    return outline.title + "".join(f" ({ours} for {theirs})" for ours, theirs in stand_ins(outline))


def _section(outline: Outline, verdict: TableVerdict) -> str:
    run = [cell for cell in verdict.cells if cell.n]
    lines = [f"### {outline.title}, preset {outline.preset}", "", f"{verdict.summary()}.", "", command(outline)]
    if outline.note:
        lines += ["", escape_markdown(outline.note)]
    if run:
        lines += ["", _table(run, escape_markdown, "pipe")]
    return "\n".join(lines)


def command(outline: Outline) -> str:
    """The commands that run what is missing of an outline and judge it, as a Markdown block."""
    return f"```\n{words(outline, 'run')}\n{words(outline, 'verdict')}\n```"


def words(outline: Outline, verb: str, cell: CellSpec | None = None) -> str:
    """A command line that selects what the outline does, or one cell of it."""
    changed = [] if outline.preset == outline.study_preset else ["--preset", outline.preset]
    if cell is not None:
        changed += ["--dataset", cell.dataset, "--method", cell.method]
        changed += ["--samples-per-class", str(cell.samples_per_class)]
    elif stand_ins(outline):
        datasets = dict.fromkeys(cell.dataset for cell in outline.cells if not cell.parts)
        changed += ["--dataset", ",".join(datasets)]
    changed += ["--seeds", ",".join(map(str, outline.seeds))] if outline.seeds != outline.study_seeds else []
    return shlex.join(["python", "-m", "benchmark", verb, outline.name, *changed])


def worst(found: Iterable[TableVerdict]) -> int:
    """The exit code of several verdicts: off before open before match."""
    codes = {verdict.exit_code() for verdict in found}
    return next(code for code in (EXIT_OFF, EXIT_OPEN, EXIT_MATCH) if code in codes)
