"""Stores whose names are not UTF-8: what is made of them is written, links included."""

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from benchmark.cli.notes import put
from benchmark.outlines import load_outline
from benchmark.selection import Selection
from results.exchange import export
from results.records import write_record
from results.report import write_report
from results.stores import Stores

TINY = ("protocol.epochs=1", "protocol.images_per_class=2", "protocol.network=wrn-10-1")


@pytest.fixture
def store(tmp_path, make_run, make_record) -> Path:
    """One with a record in it."""
    store = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    run = make_run()
    write_record(store / run.path, make_record(run, 50.0))
    return store


def test_a_report_names_the_store_and_links_to_its_records(store, tmp_path):
    stores = Stores(store, alone=True)
    outline = load_outline("demo", Selection("demo", ("digits",), ("baseline",), (2,), (0,), TINY))
    written = write_report(tmp_path / "page", [outline], stores, stores.records()).read_text()
    assert "caf\\udce9" in written
    links = {os.fsdecode(unquote_to_bytes(link)) for link in re.findall(r'"([^"]*caf%E9[^"]*)"', written)}
    assert links and all((tmp_path / "page" / link).exists() for link in links)


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_an_export_and_a_text_with_such_a_name_are_written(form, store, tmp_path):
    records = Stores(store, alone=True).records()
    assert export(records, form, [])
    put(f"of {store}", tmp_path / "text")
    assert (tmp_path / "text").read_text() == f"of {tmp_path}/caf\\udce9\n"
