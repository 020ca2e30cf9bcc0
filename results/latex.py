"""A table as LaTeX that needs booktabs, multirow, adjustbox and amssymb."""

from collections.abc import Sequence
from itertools import groupby

from results.escape import escape_latex

Row = Sequence[str]

_SHORT = {"AutoAugment": "AA", "TrivialAugment": "TA"}
TICKS = tuple(_SHORT.values())
_TICK, _NONE = r"$\checkmark$", "--"
AUGMENTED = "AA: AutoAugment, TA: TrivialAugment."


def latex_table(name: str, caption: str, titles: Row, heads: Sequence[Row], body: Sequence[Row], over: str) -> str:
    """A table environment with caption and label; the caption as plain text, all else as LaTeX already.

    titles: of the columns on the left; heads: of each other column, one text for each axis, equal neighbours being
    joined but in the last; over: a title above all of them, or nothing.
    """
    left = len(titles)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{escape_latex(caption)}}}", rf"\label{{tab:{name}}}"]
    lines += [r"\begin{adjustbox}{max width=\textwidth}", rf"\begin{{tabular}}{{{'l' * left}{'c' * len(heads)}}}"]
    lines += [r"\toprule", *_head(titles, heads, over), *_body(body)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{adjustbox}", r"\end{table}"])


def _head(titles: Row, heads: Sequence[Row], over: str) -> list[str]:
    upper = [(over,) * len(heads)] * bool(over) + list(zip(*heads, strict=True))[:-1]
    lines = [line for level in upper for line in _joined(len(titles), level)]
    return [*lines, " & ".join([*titles, *(head[-1] for head in heads)]) + r" \\"]


def _joined(left: int, texts: Row) -> list[str]:
    """A line of the head in which equal neighbours are one text with a rule below it."""
    cells, rules, at = [""] * left, [], left + 1
    for text, group in groupby(texts):
        width = len(list(group))
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{text}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
        at += width
    return [" & ".join(cells) + r" \\", " ".join(rules)]


def _body(body: Sequence[Row]) -> list[str]:
    """The lines of each first column's text, which stands beside all of them."""
    lines = []
    for first, group in groupby(body, lambda row: row[0]):
        rows = list(group)
        lines.append(r"\midrule")
        for number, row in enumerate(rows):
            label = "" if number else rf"\multirow{{{len(rows)}}}{{*}}{{{first}}}"
            lines.append(" & ".join([label, *row[1:]]) + r" \\")
    return lines


def is_ticked(labels: Sequence[str]) -> bool:
    """Whether a method stands before an augmentation that the papers' tables show by a tick."""
    return any(label.endswith(tuple(f" + {name}" for name in _SHORT)) for label in labels)


def tick_augmentations(label: str, blank: bool) -> list[str]:
    """A method without its augmentation, and a tick or none for each of TICKS; nothing there where it is blank."""
    method, _, last = label.rpartition(" + ")
    ticks = [_TICK if last == name else _NONE for name in _SHORT]
    return [method or last if last in _SHORT else label, *([""] * len(ticks) if blank else ticks)]
