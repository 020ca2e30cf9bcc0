"""YAML files that people write: found under any spelling of their name, and refused with file and line."""

import os
import re

import pytest
import yaml

from benchmark.config import Config, load_named, load_yaml
from datasets.registry import BadInput, named_files


class Site(Config):
    """A value to read."""

    account: str = ""
    cores: int = 1
    lines: tuple[str, ...] = ()


@pytest.mark.parametrize("file", ["my_cluster", "My-Cluster", "my-cluster"])
@pytest.mark.parametrize("name", ["my_cluster", "my-cluster", "MY_CLUSTER"])
def test_a_file_is_found_by_any_spelling_of_its_name(tmp_path, file, name):
    (tmp_path / f"{file}.yaml").write_text("cores: 7\n")
    assert list(named_files(tmp_path)) == ["my-cluster"]
    assert load_named("site", name, Site, tmp_path).cores == 7


def test_two_files_of_one_name_are_refused_and_a_later_folder_comes_first(tmp_path):
    for folder, file in (("a", "x_y"), ("a", "X-y"), ("b", "x-y")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{file}.yaml").write_text("cores: 2\n")
    assert load_named("site", "x-y", Site, tmp_path / "a", tmp_path / "b").cores == 2
    with pytest.raises(BadInput, match=r"site 'x-y' is 2 files in .*a: X-y\.yaml, x_y\.yaml; keep one"):
        load_named("site", "x-y", Site, tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("account: 2024-02-30", ":1: not YAML: '2024-02-30' is no timestamp; put text in quotes"),
        ("cores: " + "9" * 5000, ":1: not YAML: '9"),
        ("cores: 1\nlines: " + "[" * 5000, ":2: not YAML: nested too deeply"),
        ("lines: " + "- " * 5000 + "x", "not YAML"),
        ("cores: 1\naccount: a\ncores: 2", ":3: not YAML: key 'cores' is given twice"),
        ("lines: [{a: 1, a: 2}]", ":1: not YAML: key 'a' is given twice"),
        ("cores: 1\ncores: 1", ":2: not YAML: key 'cores' is given twice"),
        ("cores: 1\naccount: !!timestamp x", ":2: not YAML"),
        ("account: !!bool x", ":1: not YAML"),
        ("account: !!python/object:os.system x", ":1: not YAML"),
        ('cores: 1\naccount: "\\ud800"', ":2: not YAML"),
        ("? [a]\n: 1", ":1: not YAML"),
        ("? {a: 1}\n: 1", ":1: not YAML"),
        ("cores: 1\n---\ncores: 2", ":2: not YAML"),
        ("cores: &a [*a]", ":1: cores: "),
        ("lines: &a [*a]", ":1: lines.0: "),
        ("account: \x00", ":1: not YAML"),
        ("[]", ":1: : Input should be"),
        ("0", ":1: : Input should be"),
        ("account: 2024-02-03", ":1: account: Input should be a valid string"),
    ],
)
def test_whatever_a_file_says_the_answer_is_a_line_with_its_place(tmp_path, text, message):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(BadInput) as caught:
        load_yaml(tmp_path / "bad.yaml", Site)
    assert str(caught.value).startswith(f"{tmp_path}/bad.yaml{message}" if message[0] == ":" else str(tmp_path))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_pipe_a_giant_and_a_folder_are_refused_and_a_link_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "giant.yaml").write_bytes(b"#" * 2**21)
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    for name in ("pipe", "folder", "giant", "loop", "missing"):
        with pytest.raises(BadInput, match=rf"{re.escape(str(tmp_path))}/{name}\.yaml"):
            load_yaml(tmp_path / f"{name}.yaml", Site)
    (tmp_path / "good").write_text("cores: 3\n")
    (tmp_path / "link.yaml").symlink_to("good")
    assert load_yaml(tmp_path / "link.yaml", Site).cores == 3


def test_merged_keys_may_be_overridden_as_yaml_has_it(tmp_path):
    text = "<<: {cores: 4}\ncores: 5\n"
    (tmp_path / "merge.yaml").write_text(text)
    assert load_yaml(tmp_path / "merge.yaml", Site).cores == yaml.safe_load(text)["cores"] == 5
