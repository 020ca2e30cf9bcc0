"""The report in a real browser: silent, filtered, sorted, explaining its cells, running nobody else's code."""

import json
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from bench_records import make_record as generate
from bench_records import plant_records
from PIL import Image

from benchmark.outlines import outlines_with_records
from benchmark.selection import Selection, study_names
from benchmark.study import load_grid
from results.artifacts import ArtifactRecord, write_artifact
from results.files import FAILURE, HISTORY, LOG, write_json
from results.records import Record, key_of, write_record
from results.report import REPORT, write_report
from results.stores import Stores

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


@pytest.fixture
def report(store, tmp_path):
    _plant(store)
    return _write(tmp_path / "report", store)[0]


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
    assert "boom" in page.locator("#failures + details").inner_text()
    assert page.locator(".samples img").count() == 1
    page.locator(".samples img").scroll_into_view_if_needed()
    width = "async image => { await image.decode(); return image.naturalWidth; }"
    assert page.locator(".samples img").evaluate(width) == 64
    assert page.locator("#run-plot .legendtext").count() == 14
    assert page.locator("#generator-plot .legendtext").count() == 2
    header = page.locator("header").inner_text()
    assert "14 runs done, 2 runs running, 2 runs failed" in header


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
    assert {method for _, method in _rows(page)} > {"baseline", "mixup"}
    page.select_option("#filter-method", "mixup")
    assert {method for _, method in _rows(page)} == {"mixup"}
    assert page.locator("#curve-count").inner_text() == "4 of 4"
    page.select_option("#filter-method", "")
    page.check("#only-run")
    assert {method for _, method in _rows(page)} == {"baseline", "mixup", "cutout"}
    page.uncheck("#only-run")
    page.select_option("#filter-preset", "quick")
    assert page.locator("section:visible").count() == page.locator("section[data-preset=quick]").count() > 0


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
    page.wait_for_timeout(300)
    text = page.inner_text("body")
    assert text.count("<script>window.pwned = 1</script>") > 20
    assert page.locator("img[src=x]").count() == 0


def test_logs_show_their_end(report):
    text = report.read_text()
    assert "line 999" in text
    assert "line 974 " not in text


def test_an_empty_store(tmp_path, opened):
    path, problems = _write(tmp_path / "report", tmp_path / "nothing")
    assert problems == []
    assert "0 runs done" in opened(path).locator("header").inner_text()


def test_five_thousand_records(tmp_path, opened, monkeypatch):
    plant_records(tmp_path / "store", 5000)
    path, problems = _write(tmp_path / "report", tmp_path / "store")
    assert problems == []
    assert path.stat().st_size < 15 * 2**20
    start = time.monotonic()
    page = opened(path)
    page.select_option("#filter-method", "mixup")
    assert time.monotonic() - start < 60
    assert page.locator("#curve-count").inner_text().startswith("40 of ")


def test_the_verb(hydrabench, store, tmp_path):
    _plant(store)
    done = hydrabench("report", "-o", str(tmp_path / "page"))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "page" / "index.html").exists()
    assert REPORT.name == "report"
