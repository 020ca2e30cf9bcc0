"""Ours against the papers' numbers, cell by cell."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

import pandas as pd
from scipy.special import stdtr
from tabulate import tabulate

from results.aggregate import PAPER_SEEDS, aggregate, load_published
from results.escape import one_line
from results.index import Records
from results.metrics import METRICS
from results.outline import CellSpec, Outline

ALPHA = 0.05
STATES = (
    "equivalent",
    "compatible",
    "off",
    "incomplete",
    "no std published",
    "stand-in equivalent",
    "stand-in compatible",
    "stand-in off",
    "stand-in incomplete",
    "stand-in no std published",
    "other preset",
    "not run",
    "nothing published",
)
MATCHES = ("equivalent", "compatible")
WHOLE = (*MATCHES, "off", "no std published")  # all seeds at the papers' setting
STAND_IN = "stand-in "
FEW = 20  # samples per class up to which a metric has its first margin
_HEAD = ("dataset", "method", "per class", "published", "ours", "seeds", "difference", "z", "p", "p equal", "verdict")
EXIT_MATCH, EXIT_OFF, EXIT_OPEN = 0, 1, 3  # 2 is for bad input


@dataclass(frozen=True)
class Verdict:
    """One cell beside its published number, accuracies in percent.

    n: seeds behind ours; z = difference / sqrt(std²/n + published_std²/5), or what the paper had in the place of 5
    seeds; p: Welch's t test of ours against the published mean and standard deviation; p_equal: two one-sided tests of
    the same that the means differ by less than `margin` points; None where there is nothing to compute it from.
    """

    dataset: str
    published_dataset: str | None
    method: str
    samples_per_class: int
    published: float | None
    published_std: float | None
    ours: float | None
    std: float | None
    n: int
    difference: float | None
    z: float | None
    p: float | None
    p_equal: float | None
    margin: float | None
    state: str
    dataset_shown: str = ""  # in lines for people; dataset is its id
    metric: str = "top1"


@dataclass(frozen=True)
class Scope:
    """What a table was made with, as far as a verdict depends on it. seeds: how many the study asks for.

    papers_setting: whether preset and protocol are the papers' own. margin: points within which means count as equal;
    None: the metric's, for accuracies 2 up to 20 samples per class, 1 above.
    """

    preset: str
    papers_setting: bool
    seeds: int
    margin: float | None = None

    def margin_of(self, cell: CellSpec) -> float:
        """The points within which means of a cell's metric count as equal; NaN where nobody has said."""
        few, many = METRICS[cell.metric].margins or (math.nan, math.nan)
        return self.margin or (few if cell.samples_per_class <= FEW else many)


@dataclass(frozen=True)
class TableVerdict:
    """The verdicts of one table, in its order."""

    title: str
    scope: Scope
    cells: tuple[Verdict, ...]

    def counts(self) -> dict[str, int]:
        found = Counter(cell.state for cell in self.cells)
        return {state: found[state] for state in STATES}

    def summary(self) -> str:
        """`54 of 198 cells run as in the paper: 30 equivalent, 20 compatible, 4 off`, and whatever else there is."""
        counts = self.counts()
        compared = counts["off"] + counts["no std published"] + self._matches()
        total = len(self.cells) - counts["nothing published"]
        shown = [state for state in STATES[:-2] if counts[state] or (compared and state in (*MATCHES, "off"))]
        found = [f"{counts[state]} {state}" for state in shown]
        return f"{compared} of {total} cells run as in the paper" + (f": {', '.join(found)}" if found else "")

    def _matches(self) -> int:
        return sum(self.counts()[state] for state in MATCHES)

    def exit_code(self) -> int:
        """0: every published cell is run at the papers' setting and is not off; 1: at least one is off; 3: neither."""
        counts = self.counts()
        if counts["off"]:
            return EXIT_OFF
        return EXIT_MATCH if self._matches() == len(self.cells) - counts["nothing published"] > 0 else EXIT_OPEN

    def as_json(self) -> dict[str, object]:
        scope = {"title": self.title, "preset": self.scope.preset, "summary": self.summary(), "counts": self.counts()}
        return scope | {"cells": [asdict(cell) for cell in self.cells]}


def judge(title: str, frame: pd.DataFrame, cells: Iterable[CellSpec], scope: Scope) -> TableVerdict:
    """The verdict on each line of a study's frame; cells: their specs in the same order."""
    lines = zip(frame.to_dict("records"), cells, strict=True)
    return TableVerdict(title, scope, tuple(_judge(line, cell, scope) for line, cell in lines))


def _judge(line: dict, cell: CellSpec, scope: Scope) -> Verdict:
    ours, theirs = (line["mean"], line["std"], line["n"]), (line["published_mean"], line["published_std"])
    margin, seeds = scope.margin_of(cell), line["published_n"]
    p, p_equal = welch(*ours, *theirs, seeds), equivalence(*ours, *theirs, margin, seeds)
    return Verdict(
        dataset=cell.dataset_id,
        published_dataset=cell.published_dataset,
        method=cell.method,
        samples_per_class=cell.samples_per_class,
        published=_known(line["published_mean"]),
        published_std=_known(line["published_std"]),
        ours=_known(line["mean"]),
        std=_known(line["std"]),
        n=int(line["n"]),
        difference=_known(line["difference"]),
        z=_known(line["z"]),
        p=_known(p),
        p_equal=_known(p_equal),
        margin=_known(margin),
        state=_state(line, cell, scope, p, p_equal),
        dataset_shown=cell.dataset_shown,
        metric=cell.metric,
    )


def _state(line: dict, cell: CellSpec, scope: Scope, p: float, p_equal: float) -> str:
    if math.isnan(line["published_mean"]):
        return "nothing published"
    if not line["n"]:
        return "not run"
    if not scope.papers_setting:
        return "other preset"
    state = _against(p, p_equal) if line["n"] >= scope.seeds else "incomplete"
    return state if cell.dataset == cell.published_dataset else f"{STAND_IN}{state}"


def _against(p: float, p_equal: float) -> str:
    """The word for a whole cell at the papers' setting, given the two tests."""
    if math.isnan(p):
        return "no std published"
    return "equivalent" if p_equal < ALPHA else "compatible" if p >= ALPHA else "off"


def welch(
    mean: float, std: float, n: int, published_mean: float, published_std: float, published_n: int = PAPER_SEEDS
) -> float:
    """p of Welch's t test against a mean and standard deviation over seeds; NaN where one of the two has no spread.

    It is scipy.stats.ttest_ind_from_stats with equal_var=False, whose import takes longer than a whole verdict.
    """
    spread, freedom = _spread_of(std, n, published_std, published_n)
    if spread == 0:
        return float(mean == published_mean)
    return float(2 * stdtr(freedom, -abs(mean - published_mean) / spread))


def equivalence(
    mean: float,
    std: float,
    n: int,
    published_mean: float,
    published_std: float,
    margin: float,
    published_n: int = PAPER_SEEDS,
) -> float:
    """p of two one-sided tests that two means differ by less than `margin`; NaN where one of the two has no spread.

    It is statsmodels' ttost_ind with usevar="unequal", of means and standard deviations in the place of values.
    """
    spread, freedom = _spread_of(std, n, published_std, published_n)
    away = abs(mean - published_mean) - margin
    if spread == 0:
        return float(away >= 0) if not math.isnan(away) else math.nan
    return float(stdtr(freedom, away / spread))


def _spread_of(std: float, n: int, published_std: float, published_n: int) -> tuple[float, float]:
    """The standard error of the difference of means, and its degrees of freedom; NaN where there is none."""
    if n < 2 or published_n < 2 or math.isnan(published_std):
        return math.nan, math.nan
    ours, theirs = std**2 / n, published_std**2 / published_n
    if ours + theirs == 0:
        return 0.0, math.nan
    freedom = (ours + theirs) ** 2 / (ours**2 / (n - 1) + theirs**2 / (published_n - 1))
    return math.sqrt(ours + theirs), freedom


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def judge_study(outline: Outline, records: Records, margin: float | None = None) -> TableVerdict:
    """The verdict on every cell of an outline; averages over datasets have none of their own. margin: see Scope."""
    cells = outline.measured_cells
    scope = Scope(outline.preset, outline.papers_setting, len(outline.study_seeds), margin)
    return judge(outline.title, aggregate(cells, records, load_published(outline.published)), cells, scope)


def verdicts_text(found: Mapping[str, TableVerdict]) -> str:
    """A line per cell of each study, its summary, and what `p equal` is of."""
    parts = (
        (verdict.title, verdict_table(verdict.cells, one_line, "simple"), verdict.summary() + _margins(verdict))
        for verdict in found.values()
    )
    return "\n\n\n".join(map("\n\n".join, parts))


def _margins(verdict: TableVerdict) -> str:
    known = sorted((c for c in verdict.cells if c.p_equal is not None), key=lambda c: c.samples_per_class)
    margins = dict.fromkeys((cell.margin, "up to" if cell.samples_per_class <= FEW else "above") for cell in known)
    places = [f" {where} {FEW} samples per class" for _, where in margins if verdict.scope.margin is None] or [""]
    told = " and ".join(f"{margin:g}{place}" for (margin, _), place in zip(margins, places, strict=False))
    return f"\np equal: that the means differ by less than so many points: {told}" if told else ""


def verdicts_json(found: Mapping[str, TableVerdict]) -> str:
    return json.dumps({name: verdict.as_json() for name, verdict in found.items()}, indent=1)


def verdict_table(cells: Iterable[Verdict], escape: Callable[[str], str], form: str) -> str:
    """A line per cell, in a form of tabulate's."""
    return tabulate([_line(cell, escape) for cell in cells], _HEAD, form, disable_numparse=True)


def _line(cell: Verdict, escape: Callable[[str], str]) -> list[str]:
    shown = cell.dataset_shown or cell.dataset
    dataset = shown if cell.dataset == cell.published_dataset else f"{shown} for {cell.published_dataset}"
    numbers = [_spread(cell.published, cell.published_std), _spread(cell.ours, cell.std), str(cell.n)]
    compared = [_show(cell.difference, "+.2f"), _show(cell.z, "+.2f"), _show_p(cell.p), _show_p(cell.p_equal)]
    metric = "" if cell.metric == "top1" else f", {METRICS[cell.metric].word}"
    names = [escape(dataset), escape(cell.method + metric), str(cell.samples_per_class)]
    return [*names, *numbers, *compared, cell.state]


def _spread(mean: float | None, std: float | None) -> str:
    return _show(mean, ".2f") + (f" ± {std:.2f}" if std is not None else "")


def _show(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _show_p(value: float | None) -> str:
    return "<0.001" if value is not None and value < 0.001 else _show(value, ".3f")


def worst(found: Iterable[TableVerdict]) -> int:
    """The exit code of several verdicts: off before open before match."""
    codes = {verdict.exit_code() for verdict in found}
    return next(code for code in (EXIT_OFF, EXIT_OPEN, EXIT_MATCH) if code in codes)
