"""results/REPRODUCTION.md: what of the papers is reproduced, study by study."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from tabulate import tabulate

from datasets.base import CHECKOUT
from results.escape import escape_markdown
from results.index import Records
from results.metrics import METRICS
from results.outline import Outline
from results.verdict import ALPHA, FEW, STAND_IN, WHOLE, TableVerdict, judge_study, verdict_table

DEVIATIONS = CHECKOUT / "results" / "deviations.md"


def reproduction(studies: Iterable[Sequence[Outline]], records: Records) -> str:
    """The page. studies: of each the outline as the paper has it, then at other presets and on stand-ins."""
    studies = list(studies)
    sections = [section for outlines in studies for section in _sections(outlines, records)]
    lines = [[_place(outline), outline.preset, verdict.summary()] for outline, verdict in sections]
    lines += [line for outlines in studies for line in _unpublished(outlines, records)]
    summary = tabulate(lines, ("study", "preset", "state"), "pipe")
    details = "\n\n".join(_section(outline, verdict) for outline, verdict in sections)
    head = f"{_INTRODUCTION}\n\n{coverage(studies, records).sentence()}"
    return f"{head}\n\n{summary}\n\n{DEVIATIONS.read_text().strip()}\n\n## Study by study\n\n{details}\n"


_MARGIN_FEW, _MARGIN = METRICS["top1"].margins or (math.nan, math.nan)
_INTRODUCTION = f"""# What of the papers is reproduced

Written by `make reproduction` from the records in `results/measured`; do not edit.

Each cell's seeds are compared with the published mean and standard deviation over 5 seeds (HydraMix Table 8: 3):

- `equivalent`: two one-sided tests (p < {ALPHA}) say that the means differ by less than {_MARGIN_FEW:g} points up to
  {FEW} samples per class, {_MARGIN:g} point above. It claims that the number is reproduced.
- `off`: Welch's t test says that they differ (p < {ALPHA}), and they are not equivalent. Of cells that are equal,
  1 in 20 is `off` by chance.
- `compatible`: neither. The two cannot be told apart, which more seeds may change.
- `incomplete`: fewer seeds than the study asks for. `no std published`: the difference alone.
- `stand-in ...`: another dataset in the published one's place, never counted as reproduced.
- `other preset`: a shorter or changed training, not the papers' setting.

z = difference / sqrt(std²/n + published std²/published seeds)."""


class Coverage(NamedTuple):
    """How much of what the papers print is measured at their own preset. total: published cells of the studies, each
    once; found: those with a whole cell of records, by the verdict's word; begun: those with some of their seeds;
    stand_ins: cells of records on another dataset in its place, by the word; elsewhere: cells of records at other
    presets. Of a cell that two papers or studies show the less favourable word counts."""

    total: int
    found: Counter[str]
    begun: int
    stand_ins: Counter[str]
    elsewhere: int

    def sentence(self) -> str:
        """For the first screen of README and of the page."""
        begun = f", {self.begun} more begun" if self.begun else ""
        return (
            f"Measured at the papers' preset: {self.found.total()} of {self.total} published cells "
            f"({_words(self.found)}){begun}; on stand-in datasets, which are other test sets: "
            f"{self.stand_ins.total()} ({_words(self.stand_ins)}); at shorter presets: {self.elsewhere}."
        )


# what is said of a cell that two studies show: the last of their words here
_BY_WEIGHT = ("equivalent", "compatible", "no std published", "incomplete", "off")


def _words(found: Counter[str]) -> str:
    """`1 equivalent, 0 compatible, 2 off`, and whatever else there is."""
    shown = dict.fromkeys((*WHOLE[:3], *found))
    return ", ".join(f"{found[word]} {word}" for word in shown)


def coverage(studies: Iterable[Sequence[Outline]], records: Records) -> Coverage:
    """Counts over all studies; a published number that several of them show counts once, and so does a cell of records
    that both papers print."""
    published: dict[tuple, str] = {}
    others: dict[tuple, str] = {}
    for outline, verdict in (section for outlines in studies for section in _sections(outlines, records)):
        for cell in (cell for cell in verdict.cells if cell.published is not None):
            place = (cell.published_dataset, cell.method, cell.samples_per_class, cell.metric)
            published.setdefault((outline.published, *place), "not run")
            if cell.state in _BY_WEIGHT:
                keep_the_less_favourable(published, (outline.published, *place), cell.state)
            elif cell.n:
                keep_the_less_favourable(
                    others, (outline.preset, outline.settings, cell.dataset, *place[1:]), cell.state
                )
    states, elsewhere = Counter(published.values()), Counter(others.values())
    return Coverage(
        total=len(published),
        found=Counter({word: states[word] for word in WHOLE if states[word]}),
        begun=states["incomplete"],
        stand_ins=Counter({word: count for word in _BY_WEIGHT if (count := elsewhere[STAND_IN + word])}),
        elsewhere=elsewhere["other preset"],
    )


def keep_the_less_favourable(states: dict[tuple, str], place: tuple, state: str) -> None:
    """Notes the state of a cell, unless one that is noted says worse of it."""

    def weight(state: str) -> int:
        word = state.removeprefix(STAND_IN)
        return _BY_WEIGHT.index(word) if word in _BY_WEIGHT else -1

    states[place] = max(state, states.get(place, state), key=weight)


def _sections(outlines: Sequence[Outline], records: Records) -> Iterator[tuple[Outline, TableVerdict]]:
    own, *others = outlines
    if own.published is None:
        return
    yield own, judge_study(own, records)
    for outline in others:
        verdict = judge_study(outline, records)
        yield outline, replace(verdict, cells=tuple(cell for cell in verdict.cells if cell.n))


def _unpublished(outlines: Sequence[Outline], records: Records) -> Iterator[list[str]]:
    """Lines for a study of the papers that print no number of it: how many of its runs there are."""
    own = outlines[0]
    if own.published is None and own.study_preset == "paper":
        for outline in outlines:
            done = sum(key in records.by_key for key in outline.keys)
            yield [_place(outline), outline.preset, f"{done} of {len(outline.keys)} runs; the paper prints no number"]


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
