"""`compare`: which records are paired, and what a person reads of it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from tabulate import tabulate

from benchmark.outline import Outline, load_outline
from benchmark.selection import Selection
from datasets.registry import BadInput
from results.compare import ALPHA, Accuracies, Cell, Comparison, Pair, Ranking, compare, rank, smallest_p
from results.escape import one_line
from results.index import Records

_NAMES = ("dataset", "n/class", "first", "second", "pairs")
_HEAD = (*_NAMES, "difference", "95% interval", "t p", "Holm", "flip p", "Holm", "d_z")


def gather(methods: tuple[str, ...], study: str, selection: Selection, records: Records) -> tuple[Outline, Accuracies]:
    """The accuracies of methods on a study's datasets and sizes; raises BadInput where fewer than two have records."""
    outline = load_outline(study, replace(selection, methods=methods))
    found = accuracies_of(outline, records)
    if len(found) < 2:
        raise BadInput("compare needs two different methods")
    for name, accuracies in found.items():
        if not accuracies:
            raise BadInput(f"{name} has no records in {study} at preset {outline.preset}; see `plan {study}`")
    return outline, found


def accuracies_of(outline: Outline, records: Records) -> dict[str, dict[Pair, float]]:
    """What there is of an outline, by method and pair."""
    found: dict[str, dict[Pair, float]] = {cell.method: {} for cell in outline.cells if not cell.parts}
    for cell in outline.cells:
        for seed, key in zip(outline.seeds, () if cell.parts else cell.keys, strict=False):
            if key in records.by_key:
                found[cell.method][Pair(Cell(cell.dataset, cell.samples_per_class), seed)] = records.by_key[key].top1
    return found


def comparison_text(outline: Outline, accuracies: Accuracies) -> str:
    made = compare(accuracies)
    lines = [f"{outline.title}, preset {outline.preset}: first minus second, in percentage points, paired by seed", ""]
    lines += [tabulate([_line(one) for one in made], _HEAD, disable_numparse=True)] if made else []
    return "\n".join([*lines, "", *_rank_lines(accuracies), *_remarks(made)])


def comparison_json(outline: Outline, accuracies: Accuracies) -> str:
    made, ranking = compare(accuracies), _ranking(accuracies)
    value: dict[str, object] = {"study": outline.name, "preset": outline.preset, "cells": [asdict(one) for one in made]}
    if ranking is not None:
        nemenyi = None if ranking.nemenyi is None else ranking.nemenyi.to_dict()
        value |= {"ranks": ranking.ranks, "ranked_cells": ranking.cells}
        value |= {"friedman_p": ranking.friedman_p, "nemenyi": nemenyi}
    return json.dumps(value | {"remarks": _remarks(made)}, indent=1)


def _ranking(accuracies: Accuracies) -> Ranking | None:
    return rank(accuracies) if set.intersection(*(set(found) for found in accuracies.values())) else None


def _line(one: Comparison) -> list[str]:
    interval = "–" if one.low is None else f"{one.low:+.2f} to {one.high:+.2f}"
    ps = [_p(value) for value in (one.t_p, one.t_holm, one.flip_p, one.flip_holm)]
    names = [one_line(one.dataset), str(one.samples_per_class), one_line(one.first), one_line(one.second), str(one.n)]
    return [*names, f"{one.difference:+.2f}", interval, *ps, "–" if one.effect is None else f"{one.effect:+.2f}"]


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _rank_lines(accuracies: Accuracies) -> list[str]:
    ranking = _ranking(accuracies)
    if ranking is None:
        return ["No cell has a seed that all methods share: no ranks."]
    best_first = sorted(ranking.ranks.items(), key=lambda item: item[1])
    ranks = ", ".join(f"{one_line(name)} {value:.2f}" for name, value in best_first)
    lines = [f"average rank over {ranking.cells} cells (1 is best): {ranks}"]
    if ranking.friedman_p is not None:
        lines.append(f"Friedman test that all ranks are equal: p = {ranking.friedman_p:.4f}")
    return lines


def _remarks(made: Iterable[Comparison]) -> list[str]:
    """What a reader must know before he believes a p."""
    made = list(made)
    if not made:
        return ["The methods share no seed in any cell: nothing can be paired."]
    small = sorted({one.n for one in made if smallest_p(one.n) > ALPHA})
    remarks = [
        f"{n} pairs are too few for significance: the exact sign-flip test cannot go below p = {smallest_p(n):.4g}; "
        "the t test can, if the differences are normal. Run at least 6 seeds."
        for n in small
    ]
    reach = [one for one in made if smallest_p(one.n) <= ALPHA < smallest_p(one.n) * len(made)]
    if reach:
        pairs = f"{reach[0].n} pairs cannot reach p < {ALPHA:.2f} exactly"
        remarks.append(f"After Holm's correction over {len(made)} comparisons, {pairs}.")
    return remarks


def write_diagram(path: Path, accuracies: Accuracies) -> None:
    """The critical-difference diagram, as PDF or PNG; raises BadInput where there are too few methods or cells."""
    from results.figures import critical_difference

    ranking = _ranking(accuracies)
    if ranking is None or ranking.nemenyi is None:
        raise BadInput("a critical-difference diagram needs three methods with common seeds in at least two cells")
    critical_difference(ranking, path)
