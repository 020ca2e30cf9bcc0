"""Foreign text made harmless for LaTeX, Markdown and terminals. (HTML is escaped by the template engine.)"""

import unicodedata

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {character: f"\\{character}" for character in "&%$#_{}"}
_LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
_LATEX |= {"±": r"$\pm$", "–": "--", "—": "---", "×": r"$\times$", "→": r"$\to$", "↓": r"$\downarrow$"}
_LATEX |= {"²": "$^2$", "†": r"\dag{}"}
_LATEX |= {"’": "'", "“": "``", "”": "''", "…": r"\ldots{}"}
_ACCENTS = {"\u0300", "\u0301", "\u0302", "\u0303", "\u0308", "\u030a", "\u0327", "\u030c"}  # what plain LaTeX has
_BREAKS = str.maketrans("\n\r\t", "   ")
_MARKDOWN = "\\`*_|<>[]~#&"


def one_line(text: str) -> str:
    """No line breaks (a space instead), no control characters: what is not printable is shown as its escape."""
    shown = text.translate(_BREAKS)
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in shown)


def printable(text: str) -> str:
    """Text of several lines without what moves a terminal's cursor or colours it: shown as its escape."""
    return "".join(c if c in "\n\t" else one_line(c) for c in text) if not text.isprintable() else text


def escape_spreadsheet(value: object) -> object:
    """A CSV cell that a spreadsheet shows and does not compute: one line, with a quote before what begins like a
    formula."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def escape_latex(text: str) -> str:
    """Text that plain pdflatex prints and does not interpret; a character it has no glyph for becomes [U+4E2D]."""
    return "".join(map(_latex, one_line(text)))


def _latex(character: str) -> str:
    if character.isascii() or character in _LATEX:
        return _LATEX.get(character, character)
    base, *accents = list(unicodedata.normalize("NFD", character))
    known = base.isascii() and base.isalpha() and len(accents) == 1 and accents[0] in _ACCENTS
    return character if known and ord(character) < 0x180 else f"[U+{ord(character):04X}]"


def escape_markdown(text: str) -> str:
    """Text that Markdown, and the HTML inside it, prints and does not interpret, within one line."""
    return "".join(f"\\{character}" if character in _MARKDOWN else character for character in one_line(text))


def escape_mathematics(text: str) -> str:
    """Text for matplotlib, without mathematics: a dollar sign is a dollar sign."""
    return text.replace("$", r"\$")
