"""What a shell completes: names of studies, presets, datasets and methods, paths of studies and presets."""

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

from benchmark.selection import preset_names, study_names

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def of_names(names: Callable[[], list[str]]) -> Completer:
    """Completes one name, or the last of a comma-separated list."""

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        before, comma, last = typed.rpartition(",")
        return [CompletionItem(before + comma + name) for name in names() if name.startswith(last)]

    return complete


def or_path(complete: Completer) -> Completer:
    """Completes as a path, which is the shell's own business, what begins no name."""

    def complete_or_leave(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        return complete(context, parameter, typed) or [CompletionItem(typed, type="file")]

    return complete_or_leave


def _datasets() -> list[str]:
    from datasets.base import registry

    return [*registry.entries(), "folder:"]


def _methods() -> list[str]:
    from methods.registry import registry

    return list(registry.entries())


studies, presets = or_path(of_names(study_names)), or_path(of_names(preset_names))
datasets, methods = of_names(_datasets), of_names(_methods)
