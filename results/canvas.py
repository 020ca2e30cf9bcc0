"""What all figures share: the widths of papers, letters and lines, the files."""

import io
from pathlib import Path
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.figure import Figure

from results.files import write_atomically

Width = Literal["column", "page"]
WIDTHS: dict[Width, float] = {"column": 3.3, "page": 6.8}  # inches, of papers of two columns
STYLE: Any = {  # sizes as in print: nothing is scaled
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,  # TrueType: publishers refuse matplotlib's own, Type 3
}
_DPI = 300
_NO_DATE = {".pdf": {"CreationDate": None}, ".png": {"Software": None}}  # equal content gives equal bytes


@rc_context(STYLE)
def save(figure: Figure, path: Path) -> None:
    """Writes a figure whole or not at all, in the format of the suffix (.pdf or .png)."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:], dpi=_DPI, metadata=_NO_DATE[path.suffix])
    write_atomically(path, buffer.getvalue())


def add_legend(figure: Figure, handles: list, most: int = 5) -> float:
    """A legend below the axes, in as many columns (at most `most`) as there is room for; its height in inches."""
    for columns in range(min(most, len(handles)), 0, -1):
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
        extent = legend.get_window_extent()
        if columns == 1 or extent.width <= figure.bbox.width:
            break
        legend.remove()
    return extent.height / figure.dpi
