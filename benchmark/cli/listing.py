"""What the verbs list, plan and show print."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from tabulate import tabulate

from benchmark.cli.notes import note_left_out, readable
from benchmark.selection import preset_names, study_names
from datasets.base import registry as dataset_registry
from datasets.registry import BadInput, unknown
from results.artifacts import ARTIFACT, artifact_files
from results.durations import about
from results.files import RECORD
from results.stores import Stores

if TYPE_CHECKING:
    from benchmark.outlines import PlanSummary
    from benchmark.run import Build

_WIDEST = {"name": 18, "label": 34, "available": 9, "source": 32}  # characters of a list that fits 100 columns
_WIDEST_STATE = 80
_FEW = 50  # training images for which a method's own protocol is listed


def listing(what: str) -> list[dict[str, object]]:
    """One object per method, dataset, study or preset: name, label, source, available, parameters.

    A method also has `own protocol for 50 images`: what it puts in the place of the paper preset's for so many.
    """
    return {"methods": _methods, "datasets": _datasets, "studies": _studies, "presets": _presets}[what]()


def show_json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def show_table(rows: list[dict[str, object]], every: bool = True) -> str:
    """The rows as text; not every column: name, label, whether available, and as much of the source as fits."""
    if not every:
        rows = [{name: row[name] for name in ("name", "label", "available", "source")} for row in rows]
        rows = [
            {name: shorten(str(_plain(value)), _WIDEST[name], placeholder=" …") for name, value in row.items()}
            for row in rows
        ]
    shown = [{name: _plain(value) for name, value in row.items()} for row in rows]
    return tabulate(shown, headers="keys", disable_numparse=True)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name}={part}" for name, part in value.items())
    return {True: "yes", False: "not yet"}[value] if isinstance(value, bool) else value


def _entry(name: str, label: str, source: str, available: bool, parameters: dict[str, object]) -> dict[str, object]:
    return {"name": name, "label": label, "source": source, "available": available, "parameters": parameters}


def _methods() -> list[dict[str, object]]:
    from dataclasses import fields

    from methods.registry import registry as method_registry

    return [
        _entry(name, cls.label, cls.source, cls().available, {field.name: field.default for field in fields(cls)})
        | {f"own protocol for {_FEW} images": cls().protocol(_FEW)}
        for name, cls in method_registry.entries().items()
    ]


def _datasets() -> list[dict[str, object]]:
    return [
        _entry(name, cls.label, cls.source, True, {"stands_for": cls.stands_for} if cls.stands_for else {})
        for name, cls in dataset_registry.entries().items()
    ]


def _studies() -> list[dict[str, object]]:
    from benchmark.study import load_study

    studies = dict(readable(study_names(), lambda name: (name, load_study(name))))
    return [
        _entry(
            name, study.title, study.published or "ours", True, {"preset": study.preset, "cells": len(study.cells())}
        )
        for name, study in studies.items()
    ]


def _presets() -> list[dict[str, object]]:
    from benchmark.protocol import load_preset

    presets = dict(readable(preset_names(), lambda name: (name, load_preset(name))))
    return [
        _entry(n, p.description, f"presets/{n}.yaml", True, {"threads": p.threads, **p.protocols["small"]})
        for n, p in presets.items()
    ]


def plan_json(plan: "PlanSummary") -> str:
    value = {"study": plan.study, "preset": plan.preset, "runs": sum(plan.counts.values())} | plan.counts
    value |= {"from_measured": plan.from_measured, "estimated_hours": round(plan.hours, 4), "guessed": plan.guessed}
    artifacts = [_artifact(job, state) for state, job in plan.builds]
    value |= {"left_out": list(plan.left_out), "lacking": list(plan.missing)}
    value |= {"warnings": list(plan.doubts)}
    return show_json(value | {"artifacts": artifacts, "note": plan.note})


def _artifact(job: "Build", state: str) -> dict[str, object]:
    value = {"kind": job.artifact.recipe.name, "source": job.dataset.training_source, "title": job.row}
    return value | {
        "samples_per_class": job.samples_per_class,
        "seed": job.seed,
        "key": job.key,
        "path": str(job.path),
        "state": state,
    }


def plan_text(plan: "PlanSummary", every: bool = False) -> str:
    """What `plan` says; every: names each artifact that is to be built."""
    counts = {"runs": sum(plan.counts.values())} | plan.counts
    lines = [plan.title, f"preset {plan.preset}, seeds {','.join(map(str, plan.seeds))}", ""]
    lines += [f"{count:6d} {state}" for state, count in counts.items()]
    if plan.note:
        lines.append(f"note: {plan.note}")
    if plan.from_measured:
        lines.append(f"{plan.from_measured} of the done ones are in results/measured")
    lines += [f"stale, made by an older version: {path}" for path in plan.stale]
    lines += [f"left out, not in the study: {combination}" for combination in plan.left_out]
    lines += [f"unavailable: {reason}" for reason in plan.missing]
    lines += [f"warning: {doubt}" for doubt in plan.doubts]
    if plan.builds:
        states = ", ".join(f"{count} {state}" for state, count in Counter(state for state, _ in plan.builds).items())
        lines += ["", f"artifacts that these runs share, built first: {states}"]
        lines += [f"  {line}" for line in (_each if every else _summed)(plan.builds)]
    guess = " (a guess at nominal rates: no wall time is recorded for some of it)" if plan.guessed else ""
    possible = counts["runs"] > plan.counts["unavailable"]
    time = f"{about(3600 * plan.hours)} in one process{guess}" if possible else "nothing of it can be run here"
    return "\n".join([*lines, time])


def _each(builds: Iterable[tuple[str, "Build"]]) -> list[str]:
    return [f"{state:8} {job}" for state, job in builds if state != "done"]


def _summed(builds: Iterable[tuple[str, "Build"]]) -> list[str]:
    """A line for each kind of artifact that is not done, whatever its size and seed."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for state, job in builds:
        if state != "done":
            found.setdefault((state, job.row), Counter())[job.dataset.training_source] += 1
    return [
        f"{state:8} {row}: {', '.join(f'{count} of {source}' for source, count in sources.items())}"
        for (state, row), sources in found.items()
    ]


def find_record(text: str, stores: Stores) -> Path:
    """The record file, of a run or an artifact, that a key, its beginning, or a folder names."""
    for name in (RECORD, ARTIFACT):
        if (Path(text) / name).exists():
            return Path(text, name)
    records = stores.records()
    note_left_out(records.problems)
    key = text.rsplit("-", 1)[-1].strip("[]/")
    found = [entry.path for name, entry in records.by_key.items() if name.startswith(key)]
    found += artifact_files(stores.folders(), key)
    if len(found) > 1:
        names = sorted(path.parent.name for path in found)
        raise BadInput(f"'{text}' fits {len(found)} records: {', '.join(names[:5])}")
    if not found:
        raise unknown("record", text, records.by_key) if records.by_key else BadInput("there are no records yet")
    return found[0]


def dataset_states() -> str:
    """Every dataset with its test images, or what is missing, as text of at most 100 columns."""
    rows = [{"name": name, "state": _dataset_state(name)} for name in dataset_registry.entries()]
    return tabulate(rows, headers="keys", disable_numparse=True, maxcolwidths=[None, _WIDEST_STATE])


def _dataset_state(name: str) -> str:
    from datasets.base import get_dataset

    if name == "folder":
        return "your own images: folder:PATH"
    try:
        dataset = get_dataset(name)
        dataset.check()
        train, test = dataset.sizes()
        return f"ready: {train} training labels, {test} test images"
    except BadInput as error:
        return str(error)
