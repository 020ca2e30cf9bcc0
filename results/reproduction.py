"""results/REPRODUCTION.md: what of the papers is reproduced, study by study."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tabulate import tabulate

from datasets.base import CHECKOUT
from results.escape import escape_markdown
from results.index import Records
from results.outline import Outline
from results.verdict import ALPHA, TableVerdict, judge_study, verdict_table

DEVIATIONS = CHECKOUT / "results" / "deviations.md"


def reproduction(studies: Iterable[Sequence[Outline]], records: Records) -> str:
    """The page. studies: of each the outline as the paper has it, then at other presets and on stand-ins."""
    sections = [section for outlines in studies for section in _sections(outlines, records)]
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
