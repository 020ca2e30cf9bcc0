"""HydraBench in your own program: augmenters for any training loop, and the suite's results as data frames.

    import hydrabench

    augmenter = hydrabench.HydraMix.fit(images, labels)     # trains its generator; uint8 or floats 0 to 1, N×3×H×H
    for images, targets in hydrabench.AugmentedLoader(loader, augmenter, p_gen=0.5):
        ...                                                 # targets: B×classes; normalise images after, not before

    hydrabench.MixUp(num_classes=10)(images, labels)        # methods that train nothing
    hydrabench.results("table1", preset="quick")            # a pandas.DataFrame, a line per run
    hydrabench.table("table1", preset="quick").to_latex()

Every registered method is here by its label (`dir(hydrabench)`). What cannot be used raises BadInput, in one line that
says what was expected. Importing this module imports no torch.
"""

from collections.abc import Iterable
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchmark as _benchmark  # noqa: F401 - which looks whether the rooms are this project's
from datasets.registry import BadInput, as_text, unknown

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.selection import Selection
    from hydrabench.augmenter import Augmenter, fit
    from hydrabench.loader import AugmentedLoader
    from results.stores import Stores
    from results.tables import Table

__all__ = ["AugmentedLoader", "Augmenter", "BadInput", "RunsFailed", "fit", "load", "results", "run", "table"]

_LAZY = ("AugmentedLoader", "Augmenter", "fit")


class RunsFailed(RuntimeError):
    """Runs of a study failed or could not start; the message is what `hydrabench run` says of them."""


def load(path: str | Path, device: Any = None) -> "Augmenter":
    """The augmenter that was saved under `path`; raises BadInput for anything else."""
    from hydrabench.augmenter import Augmenter

    return Augmenter.load(path, device)


def results(
    studies: str | Iterable[str] = (), *, store: str | Path | None = None, measured: bool = True, **selectors: Any
) -> "pd.DataFrame":
    """The records of studies, or all there are: a line per run, as `hydrabench export` has them.

    store: the folder of records, by default the command line's; measured: whether results/measured is read beside it.
    selectors, of studies: preset, datasets, methods, samples_per_class, seeds, settings; texts as the command line's
    ("mixup,cutout(length=8)", "0-2") or lists. Records that cannot be trusted are named in warnings and left out.
    Raises BadInput for unknown names.
    """
    from benchmark.outlines import load_outline
    from results.exchange import entries_of, frame

    several = isinstance(studies, Iterable) and not isinstance(studies, str)
    names = [as_text("study", name) for name in (studies if several else [studies])]
    if selectors and not names:
        raise BadInput("selectors pick from a study: name one, or take all records without them")
    outlines = [load_outline(name, _selection(selectors)) for name in names]
    records = _stores(store, measured).records()
    problems = list(records.problems)
    found = frame(entries_of(outlines, records) if names else records, problems)
    _warn(problems)
    return found


def table(
    study: str,
    *,
    metric: str | None = None,
    store: str | Path | None = None,
    measured: bool = True,
    **selectors: Any,
) -> "Table":
    """The table of a study: `.frame` has a line per cell, `.to_latex()` and `.render(form)` give text.

    metric: top1, top5, loss, nll, balanced or ece. Everything else as in `results`.
    """
    from benchmark.outlines import load_outline
    from results.tables import fill_table

    records = _stores(store, measured).records()
    outline, problems = load_outline(as_text("study", study), _selection(selectors)), list(records.problems)
    if metric is not None:
        as_text("metric", metric)
        from results.predictions import of_metric

        outline, without = of_metric(metric, outline, records)
        problems += without
    _warn(problems)
    return fill_table(outline, records)


def run(
    study: str,
    *,
    workers: int = 1,
    store: str | Path | None = None,
    measured: bool = True,
    **selectors: Any,
) -> "pd.DataFrame":
    """Runs what is missing of a study, in processes of their own, and returns its `results`.

    They start by importing the calling script, so that has its calls under `if __name__ == "__main__"`. What happens is
    said on standard error; stopped, it goes on from checkpoints when called again. Raises RunsFailed where runs failed.
    """
    from benchmark.cli.notes import note, screen
    from benchmark.plan import make_plan
    from benchmark.study import load_grid
    from benchmark.sweep import RunRequest, run_plan

    stores, said = _stores(store, measured), []

    def tell(text: str) -> None:
        said.append(text)
        note(text)

    made = make_plan(load_grid(as_text("study", study), _selection(selectors)), stores)
    if run_plan(made, stores.own, RunRequest(workers=workers, yes=True), screen()._replace(note=tell)):
        raise RunsFailed("; ".join(line for line in said if line.startswith(("failed", "unavailable", "summary"))))
    return results(study, store=store, measured=measured, **selectors)


def _selection(selectors: dict[str, Any]) -> "Selection":
    """What selectors pick, by the command line's rules; raises BadInput for unknown ones."""
    from benchmark.cli.options import Integers, Names
    from benchmark.selection import Selection

    lists = {"datasets": Names(), "methods": Names(), "samples_per_class": Integers(1), "seeds": Integers(0)}
    for name in selectors:
        if name not in Selection.__dataclass_fields__:
            raise unknown("selector", name, Selection.__dataclass_fields__)
    values: dict[str, Any] = {name: _listed(name, value) for name, value in selectors.items() if value is not None}
    for name, kind in lists.items():
        if name in values:
            values[name] = kind.convert(",".join(values[name]), None, None)
    if "preset" in values:
        values["preset"] = as_text("preset", selectors["preset"])
    return Selection(**values)


def _listed(name: str, value: Any) -> tuple[str, ...]:
    """A value or several as a command line has them: texts, paths, whole numbers."""
    several = isinstance(value, Iterable) and not isinstance(value, (str, bytes))
    found = tuple(value) if several else (value,)
    return tuple(str(one) if isinstance(one, Integral) else as_text(name, one) for one in found)


def _stores(store: str | Path | None, measured: bool) -> "Stores":
    import os

    from datasets.paths import given_path
    from results.files import DEFAULT_STORE
    from results.stores import Stores, store_folder

    folder = given_path(store or os.environ.get("HYDRABENCH_RESULTS") or DEFAULT_STORE)
    return Stores(store_folder(folder), not measured)


def _warn(problems: Iterable[str]) -> None:
    import warnings

    from results.escape import one_line

    for problem in dict.fromkeys(problems):
        warnings.warn(f"left out: {one_line(problem)}", stacklevel=3)


def __getattr__(name: str) -> Any:
    """What needs torch, when it is first asked for: the augmenters, and a class for each registered method."""
    if name not in _LAZY and not name[:1].isupper():
        raise AttributeError(f"module 'hydrabench' has no attribute '{name}'")
    from hydrabench import augmenter, loader

    if name in _LAZY:
        return getattr(loader if name == "AugmentedLoader" else augmenter, name)
    classes = augmenter.classes()
    if name not in classes:
        raise AttributeError(str(unknown("name in hydrabench:", name, [*__all__, *classes])))
    return classes[name]


def __dir__() -> list[str]:
    from hydrabench.augmenter import classes

    return sorted([*__all__, *classes()])
