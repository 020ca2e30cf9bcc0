"""The site has every page of docs/, and renders lists; the containers' recipes name what is there."""

import re
import tomllib
from itertools import pairwise

import pytest
import yaml

from results.files import CHECKOUT

SITE = yaml.load((CHECKOUT / "mkdocs.yml").read_text(), yaml.BaseLoader)  # which makes texts, of tags too
MAKEFILE = (CHECKOUT / "Makefile").read_text()
RECIPES = ("Dockerfile", "apptainer.def")


def leaves(nav: object) -> list[str]:
    """The files that a navigation leads to."""
    if isinstance(nav, str):
        return [nav]
    return [leaf for entry in (nav.values() if isinstance(nav, dict) else nav) for leaf in leaves(entry)]


PAGES = leaves(SITE["nav"])


def test_every_page_is_in_the_navigation_once_and_there():
    assert sorted(set(PAGES)) == sorted(PAGES)
    assert {f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md")} == {
        page for page in PAGES if page.startswith("docs/")
    }
    assert PAGES[0] == "README.md" and {"CHANGELOG.md", "CONTRIBUTING.md"} < set(PAGES)


def test_what_pages_link_to_is_laid_beside_them():
    variable = re.search(r"^PAGES = ((?:.*\\\n)*.*)", MAKEFILE, re.MULTILINE)
    assert variable
    laid = {CHECKOUT / name for name in variable[1].replace("\\\n", "").split()}
    for page in PAGES:
        folder = (CHECKOUT / page).parent
        for target in re.findall(r"\]\(([^)\s#]+)", (CHECKOUT / page).read_text()):
            path = (folder / target).resolve()
            assert re.match(r"\w+:", target) or {path, path.parent} & laid, f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_lists_are_lists_in_the_site_too(page):
    """Python-Markdown wants an empty line before a list, and what follows one in an item four characters in."""
    code = False
    for before, line in pairwise(["", *(CHECKOUT / page).read_text().splitlines()]):
        code ^= line.lstrip().startswith("```")
        if not code and re.match(r"- |\d+\. ", line):
            assert not before or re.match(r"- |\d+\. | {2,3}\S", before), line
        assert code or before or not re.match(r" {1,3}\S", line), line


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_container_has_the_commands_of_readme(recipe):
    text = (CHECKOUT / recipe).read_text()
    targets = set(re.findall(r"^(\w[\w-]*):", MAKEFILE, re.MULTILINE))
    assert {"demo", "test"} < targets
    assert "setup" in set(re.findall(r"\bmake (\w+)", text)) <= targets
    assert re.search(r"^CMD \[\"make\", \"demo\"\]$|exec make \"\$\{@:-demo\}\"$", text, re.MULTILINE)
    assert "install -y --no-install-recommends git make &&" in text  # what README says that both need


def test_containers_have_one_base_that_the_package_allows():
    base = re.compile(r"^F(?:ROM|rom:) python:(\d+\.\d+)-slim$", re.MULTILINE)
    bases = [base.findall((CHECKOUT / name).read_text()) for name in RECIPES]
    needs = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert bases[0] == bases[1] == [needs.removeprefix(">=")]


def test_the_docker_image_gets_nothing_that_git_ignores():
    def names(file: str) -> set[str]:
        return {line.removeprefix("**/").strip("/") for line in (CHECKOUT / file).read_text().split()}

    assert names(".dockerignore") == names(".gitignore")
