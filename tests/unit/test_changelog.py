"""CHANGELOG.md names every version above 1 and no other; the pinned packages are those of the newest records."""

import re

import yaml

import benchmark.teacher  # noqa: F401  (recipes are found where they are imported)
from benchmark.provenance import PACKAGES
from datasets.base import registry as datasets
from methods.artifacts import Recipe
from methods.registry import registry as methods
from results.artifacts import load_artifacts
from results.files import CHECKOUT, MEASURED
from results.index import load_records

NUMBERS = (CHECKOUT / "CHANGELOG.md").read_text().split("\n## ")[1]
PINS = (MEASURED / "constraints.txt").read_text()


def _recipes() -> list[type[Recipe]]:
    return [cls for cls in Recipe.__subclasses__() if cls.__module__.startswith(("benchmark.", "methods."))]


def test_every_raised_version_is_named_with_what_changed():
    entries = [*methods.entries().items(), *datasets.entries().items(), *((cls.name, cls) for cls in _recipes())]
    raised = {name: cls.version for name, cls in entries if cls.version > 1}
    named = re.findall(r"^\| `([^`|]+)` \| (\d+) \| [\d-]{10} \| \S.*\|$", NUMBERS, re.MULTILINE)
    assert {name: max(int(v) for n, v in named if n == name) for name, _ in named} == raised


def test_a_mask_rule_with_a_version_of_its_own_is_named():
    rules = [cls().rule for cls in methods.entries().values() if hasattr(cls, "rule")]
    raised = {(rule.kind, str(rule.identity["version"])) for rule in rules if "version" in rule.identity}
    assert set(re.findall(r"^\| `generator` with `(\w+)` masks [^|]*\| (\d+) \|", NUMBERS, re.MULTILINE)) == raised


def test_the_pins_are_the_packages_of_the_newest_records():
    measured = [*(entry.record() for entry in load_records([MEASURED])), *load_artifacts([MEASURED], [])]
    versions = [record.environment.versions for record in sorted(measured, key=lambda record: record.finished)]
    assert dict(re.findall(r"^([\w-]+)==(\S+)$", PINS, re.MULTILINE)) == {p: versions[-1][p] for p in PACKAGES}
    others = {f"{p}=={found[p]}" for found in versions for p in PACKAGES if found[p] != versions[-1][p]}
    assert set(re.findall(r"\S+==\S+", PINS.split("Older records:")[1].splitlines()[0])) == others


def test_continuous_integration_runs_what_ci_runs_on_the_oldest_and_a_new_python():
    (job,) = yaml.safe_load((CHECKOUT / ".github/workflows/ci.yml").read_text())["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert [step["run"] for step in job["steps"] if "run" in step][-1] == ".ci/run"


def test_the_hooks_before_a_commit_are_those_of_lint():
    (repo,) = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["id"] for hook in repo["hooks"]] == ["ruff-check", "ruff-format"]
