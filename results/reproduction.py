"""results/REPRODUCTION.md: what of the papers is reproduced, study by study."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from tabulate import tabulate

from datasets.base import CHECKOUT
from results.escape import escape_markdown
from results.index import Records
from results.metrics import METRICS
from results.outline import Outline
from results.verdict import ALPHA, FEW, STATES, TableVerdict, judge_study, verdict_table

DEVIATIONS = CHECKOUT / "results" / "deviations.md"


def reproduction(studies: Iterable[Sequence[Outline]], records: Records) -> str:
    """The page. studies: of each the outline as the paper has it, then at other presets and on stand-ins."""
    studies = list(studies)
    sections = [section for outlines in studies for section in _sections(outlines, records)]
    summary = tabulate([[_place(o), o.preset, v.summary()] for o, v in sections], ("study", "preset", "state"), "pipe")
    details = "\n\n".join(_section(outline, verdict) for outline, verdict in sections)
    head = f"{_INTRODUCTION}\n\n{coverage(studies, records).sentence()}"
    return f"{head}\n\n{summary}\n\n{DEVIATIONS.read_text().strip()}\n\n## Study by study\n\n{details}\n"


_MARGIN_FEW, _MARGIN = METRICS["top1"].margins or (math.nan, math.nan)
_INTRODUCTION = f"""# What of the papers is reproduced

Written by `make reproduction` from the records in `results/measured`; do not edit.

Each cell's seeds are compared with the published mean and standard deviation over 5 seeds:

- `equivalent`: two one-sided tests (p < {ALPHA}) say that the means differ by less than {_MARGIN_FEW:g} points up to
  {FEW} samples per class, {_MARGIN:g} point above. It claims that the number is reproduced.
- `off`: Welch's t test says that they differ (p < {ALPHA}), and they are not equivalent. Of cells that are equal,
  1 in 20 is `off` by chance.
- `compatible`: neither. The two cannot be told apart, which more seeds may change.
- `incomplete`: fewer seeds than the study asks for. `no std published`: the difference alone.
- `stand-in ...`: another dataset in the published one's place, never counted as reproduced.
- `other preset`: a shorter or changed training, not the papers' setting.

z = difference / sqrt(std²/n + published std²/5)."""


class Coverage(NamedTuple):
    """How much of what the papers print is measured at their own preset. total: published cells of the studies, each
    once; measured: of those, with a whole cell of records; stand_ins: further ones, on another dataset in its place;
    elsewhere: at other presets."""

    total: int
    measured: int
    equivalent: int
    compatible: int
    off: int
    stand_ins: int
    elsewhere: int

    def sentence(self) -> str:
        """For the first screen of README and of the page."""
        found = f"{self.equivalent} equivalent, {self.compatible} compatible, {self.off} off"
        return (
            f"Measured at the papers' preset: {self.measured} of {self.total} published cells ({found}) and "
            f"{self.stand_ins} on stand-in datasets; at shorter presets: {self.elsewhere}."
        )


def coverage(studies: Iterable[Sequence[Outline]], records: Records) -> Coverage:
    """Counts over all studies; a published number that several of them show counts once."""
    states: dict[tuple, set[str]] = {}
    for outline, verdict in (section for outlines in studies for section in _sections(outlines, records)):
        for cell in verdict.cells:
            if cell.published is not None:
                place = (outline.published, cell.published_dataset, cell.method, cell.samples_per_class, cell.metric)
                states.setdefault(place, set()).add(cell.state)

    def count(*wanted: str) -> int:
        return sum(not found.isdisjoint(wanted) for found in states.values())

    return Coverage(
        total=len(states),
        measured=count("equivalent", "compatible", "off", "no std published"),
        equivalent=count("equivalent"),
        compatible=count("compatible"),
        off=count("off"),
        stand_ins=count(*(state for state in STATES if state.startswith("stand-in "))),
        elsewhere=count("other preset"),
    )


def _sections(outlines: Sequence[Outline], records: Records) -> Iterator[tuple[Outline, TableVerdict]]:
    own, *others = outlines
    if own.published is None:
        return
    yield own, judge_study(own, records)
    for outline in others:
        verdict = judge_study(outline, records)
        yield outline, replace(verdict, cells=tuple(cell for cell in verdict.cells if cell.n))


def _place(outline: Outline) -> str:
    return outline.title + "".join(f" ({ours} for {theirs})" for ours, theirs in outline.stand_ins())


def _section(outline: Outline, verdict: TableVerdict) -> str:
    run = [cell for cell in verdict.cells if cell.n]
    commands = f"```\n{outline.command('run')}\n{outline.command('verdict')}\n```"
    lines = [f"### {outline.title}, preset {outline.preset}", "", f"{verdict.summary()}.", "", commands]
    if outline.note:
        lines += ["", escape_markdown(outline.note)]
    if run:
        lines += ["", verdict_table(run, escape_markdown, "pipe")]
    return "\n".join(lines)
