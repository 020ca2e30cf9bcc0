"""Runs on a bundle: the keys and the bits of runs on the data it came from."""

import pytest

from benchmark.execute import execute
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.records import read_record

TINY = ("protocol.epochs=1", "protocol.images_per_class=2", "protocol.network=wrn-10-1")


def test_a_run_on_a_bundle_has_the_key_and_the_bits_of_a_run_on_the_data(bundle, store, monkeypatch):
    def only_run():
        (run,) = load_grid("demo", Selection("demo", ("digits",), ("mixup",), (2,), (1,), TINY)).runs()
        return run

    run = only_run()
    assert execute(run, store).state == "done"
    monkeypatch.setenv("HYDRABENCH_BUNDLE", str(bundle))
    monkeypatch.setattr("datasets.digits._digits", lambda: pytest.fail("the data were read"))
    other = only_run()
    assert other.key == run.key
    assert execute(other, store / "other").state == "done"
    records = [read_record(root / run.path / "record.json") for root in (store, store / "other")]
    assert records[0].weights_sha256 == records[1].weights_sha256
    assert records[0].metrics == records[1].metrics


def test_the_verb_writes_what_the_option_reads(tmp_path, hydrabench, store):
    path = tmp_path / "b.npz"
    words = ["--dataset", "digits", "--samples-per-class", "2", "--seeds", "0", "-o", str(path)]
    assert "wrote" in hydrabench("data", "export", *words, "--test").stderr
    short = [word for text in TINY for word in ("--set", text)]
    selection = ["--method", "baseline", "--samples-per-class", "2", "--dataset-bundle", str(path), *short]
    answer = hydrabench("run", "demo", *selection, "--seeds", "0")
    assert "summary: 1 done" in answer.stderr, answer.stderr
    lacking = hydrabench("run", "demo", *selection, "--seeds", "0-1")
    assert (lacking.returncode, "seed 1" in lacking.stderr) == (2, True)
    assert hydrabench("data", "export", *words[:-1], "b.txt").returncode == 2
