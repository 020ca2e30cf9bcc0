"""The kinds `fid` and `mde` from study to table: with a stand-in for Inception, and itself where it is installed."""

import hashlib

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import benchmark.weights
from benchmark.build import build
from benchmark.cli import cli
from benchmark.cli.measure import fitting, study_of
from benchmark.execute import execute
from benchmark.job import Options
from benchmark.measures import inception
from benchmark.measures.frechet import frechet_distance, kernel_distance, moments
from benchmark.measures.sets import draw_real
from benchmark.outlines import load_outline
from benchmark.plan import make_plan
from benchmark.reference import RealFeatures
from benchmark.selection import Selection
from benchmark.stop import StopRequest
from benchmark.study import load_grid
from benchmark.weights import INCEPTION, Weights, WeightsFile, get_weights
from datasets.base import get_dataset
from datasets.registry import BadInput
from datasets.subset import find_subset
from noise import draw_noise
from results.artifacts import ARTIFACT, read_artifact
from results.figures import write_figure
from results.files import HISTORY, POINTS
from results.points import ORIGINAL, WHOLE, read_points
from results.records import read_record
from results.stores import Stores
from results.tables import fill_table

STUDY = "chimeramix-figure4"
CLASSES = ("airplane", "cat", "ship")
FEW = ("protocol.total=16", "protocol.reference=10", "protocol.batch_size=4")
CPU = torch.device("cpu")
real_weights = get_weights(INCEPTION)


class Colours:
    """Twelve numbers of an image: the means of its quarters."""

    def __init__(self, device, precision="fp32"):
        self.precision = precision

    def __call__(self, images):
        halves = images.float().unflatten(1, (2, -1)).unflatten(3, (2, -1))
        return halves.mean((2, 4)).flatten(1).cpu()


@pytest.fixture
def colours(tmp_path, monkeypatch, one_thread):
    """Weights of a known checksum, and the stand-in that needs none of what is in them."""
    monkeypatch.setenv("WEIGHTS_ROOT", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/any.pt").write_bytes(b"any")
    known = Weights(INCEPTION, "", "make it", (WeightsFile("any.pt", hashlib.sha256(b"any").hexdigest()),))
    monkeypatch.setitem(benchmark.weights.KNOWN, INCEPTION, known)
    monkeypatch.setattr(inception, "Inception", Colours)
    return known


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> str:
    """A folder of six images of noise of each class, for training and for tests."""
    return draw_noise(tmp_path_factory.mktemp("mine"), CLASSES, 6)


@pytest.fixture
def select(tree):
    def select(*methods: str, seeds=(0,), settings=FEW) -> Selection:
        return Selection("demo", (tree,), methods, (3,), seeds, settings)

    return select


def measured(run, store):
    outcome = execute(run, store)
    assert outcome.state == "done", outcome.message
    return read_record(store / run.path / "record.json")


@pytest.mark.usefixtures("colours")
def test_the_numbers_are_those_of_the_same_images(select, tree, store):
    """The baseline without crops is the subset itself; real images are the seed's, the reference seed 0's."""
    (run,) = load_grid(STUDY, select("original", settings=("protocol.total=9", *FEW[1:]))).runs()
    record = measured(run, store)
    dataset = get_dataset(tree)
    labels, test = torch.from_numpy(dataset.train_labels()), dataset.test()
    at = [draw_real(labels, 10, 3, 0), draw_real(torch.from_numpy(test.labels), 9, 3, run.seed)]
    reference = Colours(CPU)(torch.from_numpy(dataset.train_images(at[0].numpy())))
    real = Colours(CPU)(torch.from_numpy(test.images[at[1].numpy()]))
    assert record.metrics["fid_real"] == pytest.approx(frechet_distance(moments(real), moments(reference)))
    assert record.metrics["kid_real"] == pytest.approx(1000 * kernel_distance(real, reference))
    own = Colours(CPU)(torch.from_numpy(dataset.train_images(find_subset(dataset, 3, run.seed))))
    assert record.metrics["fid"] == pytest.approx(frechet_distance(moments(own), moments(reference)))
    assert record.metrics["kid"] == pytest.approx(1000 * kernel_distance(own, reference))


@pytest.mark.usefixtures("colours")
@pytest.mark.parametrize("method", ["baseline", "mixup", "chimeramix-grid(generator_size=32)"])
def test_stopped_twice_and_taken_up_it_gives_the_same_bits(select, store, tmp_path, method):
    (run,) = load_grid(STUDY, select(method)).runs()
    assert run.steps == 2 + 2 + 2
    undisturbed, stopped = measured(run, store), tmp_path / "stopped"
    for _ in range(2):  # first in what is built first, then in the run itself
        assert execute(run, stopped, Options(), StopRequest(deadline=0)).state == "unfinished"
        for job in run.artifacts:
            assert build(job, stopped).state == "done"
    again = measured(run, stopped)
    assert (again.metrics, again.resumed) == (undisturbed.metrics, 1)
    for job in run.artifacts[-2:]:
        sums = [read_artifact(at / job.path / ARTIFACT).tensors_sha256 for at in (store, stopped)]
        assert sums[0] == sums[1] and not (store / job.path / HISTORY).exists()


@pytest.mark.usefixtures("colours")
def test_rows_share_the_reference_and_a_seed_s_real_images(select, store):
    grid = load_grid(STUDY, select("baseline", "mixup", seeds=(0, 1)))
    plan = make_plan(grid, Stores(store, True))
    assert [job.row for job in plan.builds["missing"]] == [
        "features of 10 train images",
        "features of 16 test images",
        "features of 16 test images",
    ]
    assert plan.estimate(plan.jobs())[0] > 0
    assert len({record.metrics["fid_real"] for record in (measured(run, store) for run in grid.runs())}) == 2
    outline, records = load_outline(STUDY, select("baseline", "mixup", seeds=(0, 1))), Stores(store, True).records()
    text = fill_table(outline, records).render("text")
    assert "of 16 images against 10 training images" in text and "FID of real" in text and "FID of real ↓" not in text
    *pictures, caption, _ = write_figure(outline, records, store)
    assert all(path.exists() for path in pictures)
    assert "Dotted: FID of as many test images." in caption.read_text() and "kernel" not in caption.read_text()


def test_what_is_compared_enters_the_key(colours, select, tree, monkeypatch):
    (run,) = load_grid(STUDY, select("mixup")).runs()
    (more,) = load_grid(STUDY, select("mixup", settings=(*FEW[:1], "protocol.reference=12"))).runs()
    assert run.identity["protocol"]["weights"] == colours.identity and run.key != more.key
    assert [one.key == other.key for one, other in zip(run.artifacts, more.artifacts, strict=True)] == [False, True]
    dataset = get_dataset(tree)
    whole = RealFeatures(dataset, "train", None, "fp32").identity
    monkeypatch.setattr(dataset, "present", lambda: np.arange(7))
    assert RealFeatures(dataset, "train", None, "fp32").identity != whole


def test_without_weights_it_is_unavailable_and_says_how_to_get_them(colours, select, store, tmp_path):
    (tmp_path / "weights/any.pt").unlink()
    plan = make_plan(load_grid(STUDY, select("mixup")), Stores(store, True))
    assert (plan.counts()["unavailable"], plan.jobs()) == (1, []) and "make it" in plan.missing()[0]


@pytest.mark.usefixtures("colours")
def test_too_few_test_images_are_told_of(select, store):
    (run,) = load_grid(STUDY, select("mixup", settings=("protocol.total=40",))).runs()
    assert "ask for at most 18" in execute(run, store).message


@pytest.mark.skipif(not real_weights.available(), reason=real_weights.missing())
@pytest.mark.usefixtures("one_thread")
def test_inception_itself_on_a_few_images(select, store):
    settings = ("protocol.total=3", "protocol.reference=3", "protocol.batch_size=2")
    (run,) = load_grid(STUDY, select("baseline", settings=settings)).runs()
    record = measured(run, store)
    assert record.metrics["fid"] > 0 and record.metrics["fid_real"] > 0
    assert record.weights_sha256 == real_weights.files[0].sha256


@pytest.mark.usefixtures("colours")
def test_an_embedding_has_the_whole_set_the_originals_and_the_method_s_images(select, store, tmp_path):
    pytest.importorskip("pymde")
    settings = ("protocol.total=12", "protocol.reference=15", "protocol.batch_size=4")
    selection = select("mixup", settings=settings)
    (run,) = load_grid("chimeramix-figure5", selection).runs()
    assert run.steps == 3 + 3 and len(run.artifacts) == 1
    assert build(run.artifacts[0], tmp_path / "stopped").state == "done"
    assert execute(run, tmp_path / "stopped", Options(), StopRequest(deadline=0)).state == "unfinished"
    again, undisturbed = (measured(run, at) for at in (tmp_path / "stopped", store))
    assert again.metrics == undisturbed.metrics and again.resumed == 1 and 0 < again.metrics["nearest"] < 1
    points = read_points(store / run.path / POINTS)
    assert {name: len(cloud.xy) for name, cloud in points.items()} == {WHOLE: 15, ORIGINAL: 9, "MixUp": 12}
    assert points[WHOLE].labels.tolist() == [label for label in range(3) for _ in range(5)]
    assert np.bincount(points["MixUp"].labels).tolist() == [4, 4, 4]
    outline = load_outline("chimeramix-figure5", selection)
    assert all(path.exists() for path in write_figure(outline, Stores(store, True).records(), tmp_path))


@pytest.mark.usefixtures("colours")
def test_the_verb_measure_takes_as_many_images_as_there_are_and_prints_the_table(select, store, tree):
    """Of what is measured already: workers are processes of their own, without the stand-in."""
    fitted = fitting(STUDY, select("mixup", settings=FEW[1:]))
    assert fitted.settings == (*FEW[1:], "protocol.total=18")
    assert fitting(STUDY, select("mixup")) == select("mixup")
    (run,) = load_grid(STUDY, fitted).runs()
    measured(run, store)
    words = f"measure --preset demo --method mixup --samples-per-class 3 --seeds 0 --results {store} --ignore-measured"
    settings = [word for setting in FEW[1:] for word in ("--set", setting)]
    result = CliRunner().invoke(cli, [*words.split(), "--dataset", tree, *settings])
    assert result.exit_code == 0, result.output
    assert "of 18 images against 10 training images" in result.stdout and "MixUp" in result.stdout


def test_a_measure_is_found_by_its_name():
    assert (study_of("fid"), study_of("cse")) == (STUDY, "figure3")
    with pytest.raises(BadInput, match="unknown measure 'fids'; did you mean fid"):
        study_of("fids")
