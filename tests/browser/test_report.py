"""The report in a real browser: silent, filtered, sorted, explaining its cells, running nobody else's code."""

import csv
import json
import re
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from bench_records import make_record as generate
from bench_records import plant_records
from PIL import Image

from benchmark.outlines import outlines_with_records
from benchmark.selection import Selection, study_names
from benchmark.study import load_grid
from results.artifacts import ArtifactRecord, write_artifact
from results.files import FAILURE, HISTORY, LOG, PREDICTIONS, write_json
from results.predictions import Predictions
from results.records import Record, key_of, write_record
from results.report import REPORT, write_report
from results.stores import Stores
from results.verdict import STATES

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")

ATTACK = "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 2'>\"'></script><!--"
AXES = Selection("quick", ("cifar10-dedup",), ("baseline", "mixup", "cutout"), (5, 50), (0, 1, 2))


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser):
    """Opens a file and fails the test for anything on the console, any error, and any request beyond the file."""
    said: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))

    def go(path: Path):
        page.on("request", lambda request: request.url.startswith(("data:", path.as_uri())) or said.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=120_000, state="attached")
        return page

    yield go
    assert said == []
    assert page.evaluate("window.pwned") is None
    page.close()


def _write(folder: Path, store: Path, change=lambda outline: outline) -> tuple[Path, list[str]]:
    """The page about a store, with every outline changed, and the files that it leaves out."""
    stores = Stores(store, alone=True)
    records = stores.records()
    outlines = [change(outline) for name in study_names() for outline in outlines_with_records(name, records)]
    return write_report(folder, outlines, stores, records), records.problems


def _plant(store: Path, attack: str = "") -> None:
    """Three methods at two sizes: cutout failed with seed 2, mixup runs with seed 2, all else is done."""
    for cell in load_grid("table1", AXES).cells:
        for run in cell.runs:
            folder = store / run.path
            if cell.row == "baseline" or run.seed < 2:
                made = generate(run).model_dump(by_alias=True) | {"row": run.row + attack}
                made["environment"] |= {"device": f"a device {attack}"}
                write_record(folder, Record.model_validate(made))
                (folder / HISTORY).write_text("step,learning_rate,loss\n1,0.1,2.5\n2,0.1,1.5\n")
            elif cell.row == "cutout":
                value = {
                    "run": run.identity,
                    "row": run.row,
                    "preset": run.preset,
                    "error": f"ValueError: {attack}boom",
                }
                write_json(folder / FAILURE, value | {"traceback": attack})
                (folder / LOG).write_text("\n".join(f"line {i} {attack}" for i in range(1000)))
            else:
                folder.mkdir(parents=True)
                holder = {"host": f"{socket.gethostname()}.elsewhere", "pid": 1, "started": 0, "token": "t"}
                (folder / "lock").write_text(json.dumps(holder))
    _plant_artifact(store, attack)
    _plant_predictions(store, attack)


def _plant_predictions(store: Path, attack: str) -> None:
    """Of the baseline's first seed, which is right in 30 of 100 test images of each class."""
    run = next(run for run in load_grid("table1", AXES).runs() if (run.row, run.seed) == ("baseline", 0))
    labels = np.tile(np.arange(10, dtype=np.int32), 1000)
    said = np.where(np.arange(10_000) % 1000 < 300, labels, (labels + 1) % 10).astype(np.int32)
    names = tuple(f"class {label}{attack}" for label in range(10))
    (store / run.path / PREDICTIONS).write_bytes(Predictions(labels, said, None, names).to_bytes())


def _plant_artifact(store: Path, attack: str) -> None:
    identity = {"recipe": {"name": f"generator{attack}"}, "seed": 0}
    key = key_of(identity)
    folder = store / "artifacts" / "generator" / f"cifar10{attack.replace('/', '')}" / "n5" / f"seed0-{key}"
    run = next(load_grid("table1", AXES).runs())
    values = {"schema": 1, "key": key, "artifact": identity, "preset": "quick", "losses": {"reconstruction": 1.0}}
    values |= {"subset_sha256": "", "tensors_sha256": "", "steps": 2, "train_seconds": 1.0, "images_per_second": 1.0}
    values |= {"resumed": 0, "finished": "", "environment": generate(run).environment, "warnings": []}
    write_artifact(folder, ArtifactRecord.model_validate(values))
    (folder / HISTORY).write_text("step,learning_rate,reconstruction,adversarial\n1,1,2,3\n2,1,1,2\n")
    Image.new("RGB", (64, 64), "red").save(folder / "samples.png")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page about the planted records, which no test changes."""
    folder = tmp_path_factory.mktemp("planted")
    _plant(folder / "store")
    return _write(folder / "report", folder / "store")[0]


@pytest.fixture(scope="module")
def empty_report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    return _write(folder / "report", folder / "store")[0]


def _charted(page) -> set[str]:
    """The labels of the lines in the studies' charts that a person can see."""
    return set(
        page.eval_on_selector_all(
            "#tables .chart g[data-label]",
            "lines => lines.filter(one => one.checkVisibility()).map(one => one.dataset.label)",
        )
    )


def _rows(page) -> list[tuple[str, str]]:
    """(dataset, method) of the rows of result tables that a person can see."""
    shown = page.locator("section:not([hidden]) details[open] table.results tbody tr:visible")
    return [(row.get_attribute("data-dataset"), row.get_attribute("data-method")) for row in shown.all()]


def test_what_is_shown(report, opened):
    page = opened(report)
    quick = page.locator("section[data-preset=quick]", has_text="HydraMix Table 1")
    row = quick.locator("tr[data-method=mixup]")
    assert "30.50 ± 0.71 (2 seeds)" in row.inner_text()
    assert "33.41 ± 2.70" in row.inner_text()
    assert "1 running" in row.inner_text()
    assert "1 failed" in quick.locator("tr[data-method=cutout]").inner_text()
    assert "boom" in page.locator("#failures details").first.inner_text()
    assert page.locator(".samples img").count() == 1
    page.locator(".samples img").scroll_into_view_if_needed()
    width = "async image => { await image.decode(); return image.naturalWidth; }"
    assert page.locator(".samples img").evaluate(width) == 64
    assert page.locator("#run-plot figure").count() == 2  # of 5 and of 50 per class
    assert page.locator("#run-plot [data-label]").count() == 6  # three methods in each
    assert page.locator("#run-plot [data-legend]").all_inner_texts() == ["Baseline", "Cutout", "MixUp"]
    assert page.locator("#generator-plot [data-legend]").count() == 2
    assert page.locator("#machines details").get_attribute("open") is None


def test_a_cell_explains_itself_and_links_to_its_records(report, opened):
    page = opened(report)
    cell = page.locator("section:not([hidden]) tr[data-method=mixup] td.cell[data-value]").first
    cell.hover()
    tip = page.locator("#tip")
    assert tip.is_visible()
    text = tip.inner_text()
    for part in ("other preset; n = 2 of 5 seeds", "published 33.41 ± 2.70", "0 done", "2 running", "3 missing"):
        assert part in text
    assert "hydrabench run" in text and "--method mixup --samples-per-class 5" in text
    links = [link.get_attribute("href") for link in tip.locator("a").all()]
    assert len(links) == 2
    for link in links:
        record = json.loads((report.parent / unquote(link)).resolve().read_text())
        assert record["run"]["method"]["name"] == "mixup"


def test_filters(report, opened):
    page = opened(report)
    assert {method for _, method in _rows(page)} == {"baseline", "mixup", "cutout"}
    assert _charted(page) > {"Baseline", "MixUp"}
    page.select_option("#filter-method", "mixup")
    assert {method for _, method in _rows(page)} == {"mixup"}
    assert _charted(page) == {"MixUp"}
    assert page.locator("#curve-count").inner_text().startswith("4 of 4 runs")
    page.select_option("#filter-method", "")
    page.uncheck("#only-run")
    assert {method for _, method in _rows(page)} > {"baseline", "mixup", "cutout"}
    page.select_option("#filter-preset", "quick")
    assert page.locator("section:visible").count() == page.locator("section[data-preset=quick]").count() > 0


def test_what_is_empty_hides(report, opened):
    page = opened(report)
    table = page.locator("section[data-preset=quick]", has_text="HydraMix Table 1").locator("table.results")
    heads = table.locator("th")
    assert [head.inner_text() for head in heads.all() if head.is_visible()] == [
        "dataset",
        "method",
        "5/class",
        "50/class",
    ]
    assert page.locator("section[data-preset=paper]:visible").count() == 0
    assert page.locator("#coverage tbody tr:visible [href^='#table8']").count() == 0
    page.uncheck("#only-run")
    assert all(head.is_visible() for head in heads.all())
    assert page.locator("section[data-preset=paper]:visible").count() > 0


def test_the_page_opens_with_a_headline_and_table_1(report, opened):
    page = opened(report)
    header = page.locator("header").inner_text()
    for part in ("14 runs done", "2 runs running", "2 runs failed", "Measured at the papers' preset: 0 of", "boom"):
        assert part in " ".join(header.split())
    assert re.search(r"Left: [\d,]+ runs of the studies that are begun: (about|less than)", header)
    first = page.locator("section:visible").first
    assert "HydraMix Table 1" in first.inner_text()
    best = first.locator(".best:visible")
    assert [one.locator("xpath=../..").get_attribute("data-method") for one in best.all()] == ["baseline", "baseline"]
    assert first.locator(".chart figure").count() == 1
    assert first.locator(".chart [data-legend]").all_inner_texts() == ["Baseline", "Cutout", "MixUp"]


def test_a_legend_fades_the_other_methods(report, opened):
    page = opened(report)
    chart = page.locator("section:visible .chart").first
    chart.locator("[data-legend=MixUp]").click()
    assert chart.locator("g.faded").count() == 2
    chart.locator("[data-legend=MixUp]").click()
    assert chart.locator("g.faded").count() == 0
    assert chart.locator(".hollow").count() > 0
    chart.locator("button", has_text="as published").click()
    assert chart.locator(".hollow").count() == 0


def test_every_verdict_has_its_own_look_and_a_place_in_the_legend(report, opened):
    page = opened(report)
    key = page.locator(".key span")
    assert key.all_inner_texts() == list(STATES)
    look = "one => { const style = getComputedStyle(one); return style.backgroundColor + style.boxShadow; }"
    for _ in ("light", "dark"):
        assert len({one.evaluate(look) for one in key.all()}) == len(STATES)
        page.click("#theme")


@pytest.mark.parametrize("which", ["report", "empty_report"])
def test_a_phone_scrolls_down_alone(opened, request, which):
    """At 390 pixels nothing is wider than the screen, opened or not, but what scrolls in a box of its own."""
    page = opened(request.getfixturevalue(which))
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        wide = "[...document.querySelectorAll('.wide')].filter((one) => one.scrollWidth > one.clientWidth + 1).length"
        assert page.evaluate(wide) == 0
        page.set_checked("#only-run", not page.is_checked("#only-run"))


def test_what_classifiers_take_for_what(report, opened):
    page = opened(report)
    row = page.locator("#class-table tbody tr").nth(3)
    assert row.locator("td").all_inner_texts() == ["class 3", "30.00", "1000", "class 4 (70.0%)"]
    assert page.locator("#confusion rect").count() == 20
    assert page.locator("#confusion title").first.text_content() == "class 0 taken for class 0: 300 (30.0%)"
    page.select_option("#filter-method", "mixup")
    assert page.locator("#classes").is_hidden()


def test_a_table_is_taken_along(report, opened, tmp_path):
    page = opened(report)
    section = page.locator("section:visible").first
    taken: dict[str, Path] = {}
    for form in ("csv", "tex", "png"):
        with page.expect_download() as waiting:
            section.locator(f"[data-take={form}]").click()
        assert waiting.value.suggested_filename == f"table1-quick.{form}"
        waiting.value.save_as(taken.setdefault(form, tmp_path / form))
    line = next(line for line in csv.DictReader(taken["csv"].open()) if line["method"] == "mixup")
    assert (line["samples_per_class"], line["mean"]) == ("5", "30.5")
    assert r"\begin{tabular}" in taken["tex"].read_text()
    with Image.open(taken["png"]) as picture:
        assert picture.size > (400, 100) and len(picture.convert("RGB").getcolors(2**16)) > 2


def test_sorting(report, opened):
    page = opened(report)
    table = page.locator("table.results:visible").first
    table.locator("th").nth(1).click()
    names = [cell.inner_text() for cell in table.locator("tbody td:nth-child(2)").all()]
    assert names == sorted(names, key=str.lower)
    table.locator("th").nth(2).click()
    table.locator("th").nth(2).click()
    values = [cell.get_attribute("data-value") for cell in table.locator("tbody td:nth-child(3)").all()]
    numbers = [float(value) for value in values if value]
    assert numbers == sorted(numbers, reverse=True)
    assert values.index(None) == len(numbers)


def test_light_and_dark(report, opened):
    page = opened(report)
    back = "getComputedStyle(document.body).backgroundColor"
    first = page.evaluate(back)
    page.click("#theme")
    assert page.evaluate(back) != first
    page.click("#theme")
    assert page.evaluate(back) == first


def test_hostile_text_is_text(store, tmp_path, opened):
    """In labels of methods, names in records, devices, failures, logs, folders and damaged files."""

    def hostile(outline):
        cells = tuple(replace(cell, method_label=f"{cell.method_label}{ATTACK}") for cell in outline.cells)
        return replace(outline, cells=cells, title=f"{outline.title}{ATTACK}", note=ATTACK)

    _plant(store, ATTACK)
    damaged = store / ATTACK.replace("/", "") / "record.json"
    damaged.parent.mkdir()
    damaged.write_text(ATTACK)
    path, problems = _write(tmp_path / "report", store, hostile)
    assert len(problems) == 1
    page = opened(path)
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true; }")
    page.locator("td.cell[data-value]").first.hover()
    page.select_option("#filter-method", index=1)
    page.select_option("#filter-method", index=0)
    text = page.inner_text("body")
    assert text.count("<script>window.pwned = 1</script>") > 20
    assert page.locator("img[src=x]").count() == 0


def test_logs_show_their_end(report):
    text = report.read_text()
    assert "line 999" in text
    assert "line 974 " not in text


def test_an_empty_store(empty_report, opened):
    header = " ".join(opened(empty_report).locator("header").inner_text().split())
    assert "0 runs done" in header and "hydrabench run demo" in header
    assert "Left:" not in header


def test_five_thousand_records(tmp_path, opened, monkeypatch):
    plant_records(tmp_path / "store", 5000)
    path, problems = _write(tmp_path / "report", tmp_path / "store")
    assert problems == []
    assert path.stat().st_size < 11 * 2**20
    start = time.monotonic()
    page = opened(path)
    page.select_option("#filter-method", "mixup")
    assert time.monotonic() - start < 60
    assert page.locator("#run-plot figure").count() == 12


def test_the_verb(hydrabench, store, tmp_path):
    _plant(store)
    done = hydrabench("report", "-o", str(tmp_path / "page"))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "page" / "index.html").exists()
    assert REPORT.name == "report"
