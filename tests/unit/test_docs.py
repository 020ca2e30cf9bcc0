"""What is cited is there: facts by their numbers, links and paths in Markdown, the contracts that a page draws."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.plan import BUILD_STATES
from benchmark.plan import STATES as PLAN_STATES
from results.files import CHECKOUT
from results.verdict import STATES as VERDICTS
from slurm.status import STATES as STATUS_STATES

IGNORED = {line.strip("/") for line in (CHECKOUT / ".gitignore").read_text().split()}
MADE_UP = {"methods/noise.py"}  # what a reader is told to write
OUTCOMES = ("done", "failed", "unfinished", "elsewhere", "cancelled")  # of benchmark.job and benchmark.pool
TEXTS = (".py", ".yaml", ".md", ".toml")


def committed(*suffixes: str) -> Iterator[str]:
    """The project's own files as paths from the checkout, without what git ignores."""
    for folder, below, names in os.walk(CHECKOUT):
        at = Path(folder).relative_to(CHECKOUT)
        below[:] = [name for name in below if name != ".git" and not _ignored(at / name)]
        yield from ((at / name).as_posix() for name in names if name.endswith(suffixes))


def _ignored(path: Path) -> bool:
    return path.as_posix() in IGNORED or path.name in IGNORED or path.suffix == ".egg-info"


def read(name: str) -> str:
    return (CHECKOUT / name).read_text()


def prose(text: str) -> str:
    """Markdown without its blocks of code."""
    return re.sub(r"^( *)```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)


def anchor(heading: str) -> str:
    """GitHub's name of a heading, as links use it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def cited(text: str) -> tuple[int, set[tuple[str, str]]]:
    """How often a text says FIDELITY, and what it cites there: ("section", "8"), ("fact", "3"), ..."""
    text = re.sub(r"\s+(# )?", " ", text)  # a mention may go on in the next line, of a comment too
    found = re.findall(rf"{NAME} (section|fact)s? (\d+(?:(?:, | and |, and )\d+)*)", text)
    return len(found), {(kind, number) for kind, numbers in found for number in re.findall(r"\d+", numbers)}


NAME = "FIDELITY"


def test_citations_are_found_in_all_their_spellings():
    assert cited(f"({NAME} section 8)") == (1, {("section", "8")})
    assert cited(f"({NAME} sections 8, 9 and\n# 11; {NAME}\n    fact 3)")[1] == {
        *(("section", number) for number in ("8", "9", "11")),
        ("fact", "3"),
    }
    assert cited(f"{NAME} 8") == (0, set())


def test_every_fact_that_is_cited_is_in_the_page_of_facts():
    """A mention that names no section and no fact, or names them in another way, fails too."""
    texts = {name: read(name) for name in committed(*TEXTS)}
    texts = {name: text for name, text in texts.items() if NAME in text and Path(name).name != Path(__file__).name}
    assert len(texts) > 30
    assert [name for name, text in texts.items() if cited(text)[0] != text.count(NAME)] == []
    assert {name: absent for name, text in texts.items() if (absent := cited(text)[1] - facts())} == {}


def facts() -> set[tuple[str, str]]:
    found = (re.match(r"(Section|Fact) (\d+): ", heading) for heading in headings(read("docs/fidelity.md")))
    return {(match[1].lower(), match[2]) for match in found if match}


def test_the_page_of_facts_has_every_number_once():
    numbers = re.findall(r"^#+ (Section|Fact) (\d+): ", read("docs/fidelity.md"), re.MULTILINE)
    wanted = [("Fact", n) for n in range(1, 17)] + [("Section", n) for n in range(1, 16)]
    assert [(kind, int(number)) for kind, number in numbers] == wanted


@pytest.mark.parametrize("name", sorted(committed(".md")))
def test_every_link_leads_somewhere(name):
    """Files from the page's own folder, and headings; addresses on the web are not tried."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(read(name))):
        file, _, heading = target.partition("#")
        if re.match(r"\w+:", target):
            continue
        path = (CHECKOUT / name).parent / file if file else CHECKOUT / name
        assert path.exists(), f"{name}: {target}"
        if heading:
            assert heading in map(anchor, headings(path.read_text())), f"{name}: {target}"


def test_headings_have_the_names_that_github_gives_them():
    assert anchor("Fact 14: Table 8 has three seeds, and n - 1") == "fact-14-table-8-has-three-seeds-and-n---1"
    assert anchor("Recipe, `Artifact` and GLICO's") == "recipe-artifact-and-glicos"


@pytest.mark.parametrize("name", sorted(committed(".md")))
def test_every_file_named_in_backticks_is_there(name):
    paths = {text for text in re.findall(r"`([^`\n]+)`", prose(read(name))) if is_path(text)} - MADE_UP
    if name == "docs/fidelity.md":  # which also names files of other repositories
        paths = {path for path in paths if re.match(r"(benchmark|methods|results|tests)/|datasets/\w+\.py", path)}
        assert paths
    assert [path for path in paths if not any(CHECKOUT.glob(path.rstrip("/")))] == []


def is_path(text: str) -> bool:
    """Whether a text in backticks is a path from the checkout: of a known folder, or of a source by its name."""
    if re.search(r"[^\w./*-]", text) or any(f"{text}/".startswith(f"{folder}/") for folder in IGNORED):
        return False
    top = text.partition("/")[0]
    return ("/" in text and (CHECKOUT / top).is_dir()) or text.endswith(TEXTS)


def test_paths_are_told_from_other_texts():
    assert is_path("benchmark/gone.py") and is_path("plan.py") and is_path("results/*.md")
    assert not is_path("train/<class>/*.png") and not is_path("results/records/x") and not is_path("record.json")


def test_every_file_that_code_speaks_of_is_there():
    rooms = "benchmark|datasets|docs|methods|results|slurm|tests"
    named = re.compile(rf"(?<![\w/.<>])(?:{rooms})/[\w/-]+\.(?:py|yaml|md)\b")
    code = [name for name in committed(".py", ".yaml") if not name.startswith("tests/")]
    found = [(name, path) for name in code for path in named.findall(read(name))]
    assert found
    assert [(name, path) for name, path in found if not (CHECKOUT / path).exists()] == []


@pytest.mark.parametrize("state", sorted({*PLAN_STATES, *BUILD_STATES, *STATUS_STATES, *VERDICTS, *OUTCOMES}))
def test_the_vocabulary_has_every_state(state):
    kind = "stand-in" if state.startswith("stand-in ") else state
    assert re.search(rf"^(\| |- )(`[\w -]+`, )*`{re.escape(kind)}`", read("docs/words.md"), re.MULTILINE)


def test_the_drawn_layers_are_those_that_lint_holds():
    """The first block of text in docs/design.md: a line of it is a layer, as in pyproject.toml, highest first."""
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    drawn = re.search(r"^```text layers\n(.*?)^```", read("docs/design.md"), re.DOTALL | re.MULTILINE)
    assert drawn
    lines = [re.sub(r"\s{2,}.*", "", line.strip()) for line in drawn[1].splitlines()]
    assert lines == layers
    for contract in contracts:
        assert contract["name"] in read("docs/design.md")
