"""Which studies there are, and what a command line picks of one; known without importing any method."""

from dataclasses import dataclass
from pathlib import Path

from datasets.registry import named_files, with_plugged

STUDIES, PRESETS = Path(__file__).parent / "studies", Path(__file__).parent / "presets"


def study_names() -> list[str]:
    return sorted(named_files(*with_plugged("studies", STUDIES)))


def preset_names() -> list[str]:
    return sorted(named_files(*with_plugged("presets", PRESETS)))


@dataclass(frozen=True)
class Selection:
    """What a command line picks of a study: an empty axis keeps the study's own values.

    preset: a name, or the path of a file.
    """

    preset: str | None = None
    datasets: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    samples_per_class: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()
    settings: tuple[str, ...] = ()
