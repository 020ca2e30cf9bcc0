"""What all figures share: colours, the head, the files."""

import io
from pathlib import Path
from textwrap import wrap

from matplotlib.figure import Figure

from results.escape import escape_mathematics
from results.files import write_atomically

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
_DPI = 150
_NO_DATE = {".pdf": {"CreationDate": None}, ".png": {"Software": None}}  # equal content gives equal bytes


def head(figure: Figure, title: str, caption: str) -> None:
    """Writes title and caption above a figure, in lines as long as it is wide."""
    lines = [escape_mathematics(title), *wrap(escape_mathematics(caption), int(22 * figure.get_figwidth()))]
    figure.suptitle("\n".join(lines), fontsize=8)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure whole or not at all, in the format of the suffix (.pdf or .png)."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:], dpi=_DPI, metadata=_NO_DATE[path.suffix])
    write_atomically(path, buffer.getvalue())
