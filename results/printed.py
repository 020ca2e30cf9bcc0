"""Keeps what documents quote from records true: `python -m results.printed FILE...` prints every quoted part anew.

A quoted part of a Markdown file stands between `<!-- printed by: hydrabench ... -->` (a table, or any other text in a
fence) or `<!-- line of FILE: BEGINNING -->` and `<!-- end -->`.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from datasets.base import CHECKOUT
from datasets.registry import BadInput
from results.files import MEASURED, write_atomically

_PART = re.compile(r"(<!-- (printed by|line of)[:]? (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """A document with every quoted part as it is now; raises BadInput for a command that fails."""
    return _PART.sub(lambda part: part[1] + _quoted(part[2], part[3]) + "\n" + part[4], text)


def _quoted(kind: str, source: str) -> str:
    if kind == "line of":
        name, _, beginning = source.partition(": ")
        lines = (CHECKOUT / name).read_text().splitlines()
        return next(line for line in lines if line.startswith(beginning))
    _, *arguments = shlex.split(source)
    said = _said(arguments)
    if "markdown" in arguments:
        return "\n".join(line for line in said.splitlines() if line.startswith("|"))
    return f"```\n{said.strip()}\n```"


def _said(arguments: list[str]) -> str:
    """What a verb prints of the committed records alone."""
    command = [sys.executable, "-m", "benchmark", *arguments, "--results", str(MEASURED)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    if done.returncode:
        raise BadInput(f"hydrabench {shlex.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        text = path.read_text()
        if (now := renewed(text)) != text:
            write_atomically(path, now.encode())


if __name__ == "__main__":
    main()
