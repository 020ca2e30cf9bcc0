"""Images of a folder whose names are not UTF-8: every verb reads them, names them alike and ends well."""

import os
from pathlib import Path

from results.index import load_records

TINY = ("protocol.epochs=1", "protocol.images_per_class=2", "protocol.network=wrn-10-1")


def test_runs_tables_and_verify_agree_on_names_that_are_not_utf8(draw_tree, tmp_path, store, hydrabench):
    odd = draw_tree(tmp_path / "mine", 0).rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    for split in ("train", "test"):
        (odd / split / "b").rename(os.fsdecode(os.fsencode(odd / split) + b"/\xff"))
        file = next((odd / split / "a").iterdir())
        file.rename(os.fsdecode(os.fsencode(file.parent) + b"/\xfe.png"))
        Path(os.fsdecode(os.fsencode(file.parent) + b"/\xfd.heic")).touch()
    chosen = ("--preset", "demo", "--dataset", f"folder:{odd}", "--method", "baseline", "--seeds", "0")
    grid = (*chosen, "--samples-per-class", "2", *(part for field in TINY for part in ("--set", field)))
    written = str(tmp_path / "table.txt")
    for command in (
        ("data", "verify", "--dataset", f"folder:{odd}"),
        ("run", "table1", *grid),
        ("table", "table1", *grid),
        ("table", "table1", *grid, "-o", written),
        ("figure", "table1", *grid, "-o", str(tmp_path / "a.pdf")),
    ):
        answer = hydrabench(*command)
        assert answer.returncode == 0 and "Traceback" not in answer.stderr + answer.stdout, answer.stderr
    assert r"Folder caf\udce9" in Path(written).read_text()
    (entry,) = load_records([store])
    (warning,) = (warning for warning in entry.record().warnings if "not read" in warning)
    assert "not read: 2 .heic (" in warning and r"caf\udce9/train/a/\udcfd.heic" in warning
    (log,) = store.rglob("run.log")
    assert r"caf\udce9 2/class baseline seed 0" in log.read_text()
