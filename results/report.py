"""One page about everything: HTML by a template that escapes every string, with all it needs inside."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Section:
    """A study at one preset. columns: samples per class; rows: label texts and one cell number (or None) per column.

    coverage: runs by state; ranks: (method, average rank); comparisons: of every method with the first.
    """

    anchor: str
    title: str
    preset: str
    summary: str
    note: str
    command: str
    columns: list[int]
    rows: list[dict[str, Any]]
    coverage: dict[str, int]
    against: str
    ranks: list[tuple[str, float]]
    comparisons: list[dict[str, Any]]


@dataclass(frozen=True)
class Page:
    """cells: what the page shows when a cell is pointed at, by number; runs and generators: learning curves;
    samples: pictures as data: addresses; machines, versions: (name, value, records) as found in records;
    left_out: what there is too much of to show, in words; problems: files that cannot be trusted."""

    made: str
    stores: list[str]
    counts: dict[str, int]
    sections: list[Section]
    cells: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    generators: list[dict[str, Any]]
    samples: list[dict[str, str]]
    failures: list[dict[str, str]]
    machines: list[tuple[str, str, int]]
    versions: list[tuple[str, str, int]]
    left_out: list[str]
    problems: list[str]
    datasets: list[str]
    methods: list[str]
    presets: list[str]


def render(page: Page) -> str:
    """The whole page; its only foreign code is plotly.js, which is inside."""
    from plotly.offline import get_plotlyjs

    loader = FileSystemLoader(TEMPLATES)
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    values = {field.name: getattr(page, field.name) for field in fields(page)}
    return templates.get_template("report.html").render(**values, plotly=get_plotlyjs())
