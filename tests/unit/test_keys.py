"""Keys live long: three golden ones, what enters them, and that committed records still have theirs."""

import pytest

from benchmark.run import Run
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.artifacts import artifact_files, read_artifact
from results.files import MEASURED
from results.index import load_records
from results.records import slot_of


def only_run(study: str, **axes: tuple) -> Run:
    (run,) = load_grid(study, Selection(**axes)).runs()
    return run


@pytest.mark.parametrize(
    ("study", "axes", "key"),
    [
        (
            "table1",
            {"datasets": ("cifair10",), "methods": ("baseline",), "samples_per_class": (5,), "seeds": (0,)},
            "92d39f820d98",
        ),
        (
            "table1",
            {"datasets": ("stl10",), "methods": ("cutout",), "samples_per_class": (50,), "seeds": (4,)},
            "d86c2eabc5e2",
        ),
        (
            "table2",
            {"preset": "quick", "datasets": ("cifar10-dedup",), "methods": ("mixup(alpha=0.5)+autoaugment",)}
            | {"samples_per_class": (5,), "seeds": (2,)},
            "4d6d4e54512a",
        ),
    ],
)
def test_golden_keys(study, axes, key):
    assert only_run(study, **axes).key == key


def test_key_ignores_study_row_and_preset_name(make_run):
    from dataclasses import replace

    run = make_run()
    assert replace(run, row="other", preset="paper").key == run.key


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"size": 3}, {"method": "mixup"}, {"epochs": 2}, {"precision": "fp32"}]
)
def test_key_changes_with_what_changes_the_number(make_run, change):
    assert make_run(**change).key != make_run().key


def test_a_default_spelled_out_has_the_same_key(make_run):
    assert make_run("cutout(length=8)").key == make_run("cutout").key


def test_a_new_version_moves_the_key_but_not_the_slot(make_run, monkeypatch):
    run = make_run("mixup")
    key, before = run.key, run.identity
    monkeypatch.setattr(type(run.method), "version", 2)
    after = make_run("mixup").identity
    assert make_run("mixup").key != key
    assert slot_of(after) == slot_of(before)


def test_the_path_is_readable_and_ends_in_the_key(make_run):
    run = make_run("cutout(length=4)+autoaugment", seed=3)
    assert str(run.path) == f"digits/n2/cutout_length=4_+autoaugment_policy=cifar10/seed3-{run.key}"


def test_committed_records_have_their_keys():
    records = load_records([MEASURED])
    assert records.problems == []
    assert list(records)
    for record in records:
        assert record.preset in record.path.relative_to(MEASURED).parts[0]


def test_committed_quick_records_are_found_by_the_studies():
    records = load_records([MEASURED])
    axes = {"preset": "quick", "datasets": ("cifar10-dedup",), "samples_per_class": (5, 50), "seeds": (0, 1, 2)}
    one = ("baseline", "cutout", "random-erasing", "cosine", "mixup", "mixupn", "scattering", "glico")
    runs = [*load_grid("table1", Selection(methods=(*one, "chimeramix-seg", "hydramix"), **axes)).runs()]
    runs += load_grid("table2", Selection(methods=("autoaugment", "trivialaugment"), **axes)).runs()
    runs += load_grid(
        "table2", Selection(methods=("hydramix+autoaugment",), **axes | {"samples_per_class": (5,)})
    ).runs()
    mixed = ("gridmix", "segmix", "nmix", "chimeramix-grid", "chimeramix-seg", "hydramix")
    runs += load_grid("table6", Selection(methods=mixed, **axes | {"samples_per_class": (5,)})).runs()
    hundred = {**axes, "datasets": ("cifar100-dedup",), "samples_per_class": (5,)}
    runs += load_grid("table1", Selection(methods=("baseline", "supermix"), **hundred)).runs()
    assert len(runs) == 60 + 12 + 3 + 18 + 6
    assert {run.key for run in runs} <= set(records.by_key)


def _subset(artifact):
    return tuple(artifact.artifact[name] for name in ("source", "samples_per_class", "seed"))


def test_committed_records_of_artifacts_are_of_committed_runs():
    made = [read_artifact(path) for path in artifact_files([MEASURED])]
    used = {key for entry in load_records([MEASURED]) for key in entry.record().artifacts}
    subsets = {_subset(one) for one in made if one.artifact["recipe"]["name"] == "dino"}
    behind = {one.key for one in made if one.artifact["recipe"]["name"] == "teacher"}
    behind |= {one.key for one in made if one.artifact["recipe"]["name"] == "generator" and _subset(one) in subsets}
    assert {artifact.key for artifact in made} - behind <= used  # those behind made other artifacts
    assert not any(artifact.environment.dirty for artifact in made)
