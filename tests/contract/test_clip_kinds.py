"""The kinds `cse` and `embedding` from study to figure, with a tiny CLIP and a WordNet of a few words."""

import hashlib
import json
import lzma
import math

import numpy as np
import pytest
import torch
from safetensors.torch import save

import benchmark.measures.cse
import benchmark.measures.embedding
import benchmark.weights
from benchmark.execute import execute
from benchmark.job import Options
from benchmark.measures.clip import Clip, load_clip
from benchmark.measures.cse import class_entropy
from benchmark.measures.embedding import nearest_distance
from benchmark.outlines import load_outline
from benchmark.plan import make_plan
from benchmark.selection import Selection
from benchmark.stop import StopRequest
from benchmark.study import load_grid
from benchmark.weights import CLIP, Weights, WeightsFile
from benchmark.wordnet import SYNSETS, read_nouns
from datasets.registry import BadInput
from noise import draw_noise
from results.figures import write_figure
from results.files import POINTS, VALUES
from results.points import ORIGINAL, read_points
from results.records import read_record
from results.stores import Stores
from results.synsets import read_values

CPU = torch.device("cpu")
CLASSES = ("airplane", "cat")
KINDS = 6  # of each class
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
SMALL = ("protocol.per_class=7", "protocol.batch_size=3")


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    """The weights of open_clip's tiny architecture, as a safetensors file."""
    open_clip = pytest.importorskip("open_clip")
    path = tmp_path_factory.mktemp("architectures") / "tiny-clip.json"
    path.write_text(json.dumps(TINY))
    open_clip.add_model_config(path)
    torch.manual_seed(0)
    return save(open_clip.CLIP(**open_clip.get_model_config("tiny-clip")).state_dict())


@pytest.fixture(autouse=True)
def root(content, tmp_path, monkeypatch, one_thread):
    """A data root with a WordNet, weights of a known checksum, and nothing else."""
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.delenv("WEIGHTS_ROOT", raising=False)
    for folder in ("wordnet", "weights"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    (tmp_path / "data/weights/tiny.safetensors").write_bytes(content)
    (tmp_path / "data/wordnet/oewn-2024.xml.xz").write_bytes(lzma.compress(lexicon().encode()))
    tiny = Weights(CLIP, "", "make it", (WeightsFile("tiny.safetensors", hashlib.sha256(content).hexdigest()),))
    monkeypatch.setitem(benchmark.weights.KNOWN, CLIP, tiny)
    for kind in (benchmark.measures.cse, benchmark.measures.embedding):
        monkeypatch.setattr(kind, "load_clip", tiny_clip)
    return tmp_path / "data"


def tiny_clip(device: torch.device, precision: str = "fp32") -> Clip:
    return load_clip(device, precision, architecture="tiny-clip")


def lexicon() -> str:
    entries, synsets = [], []
    for name in CLASSES:
        kinds = [f"{name}-{number}" for number in range(KINDS)]
        for word in (name, *kinds):
            entries.append(f'<LexicalEntry id="{word}"><Lemma writtenForm="{word}" partOfSpeech="n"/></LexicalEntry>')
        below = "".join(f'<SynsetRelation relType="hyponym" target="id-{kind}"/>' for kind in kinds)
        for place, word, relations in ((SYNSETS[name], name, below), *((f"id-{kind}", kind, "") for kind in kinds)):
            text = f"<Definition>what {word} means</Definition>{relations}"
            synsets.append(f'<Synset id="{place}" members="{word}" partOfSpeech="n">{text}</Synset>')
    return f'<L><Lexicon id="oewn" version="2024">{"".join(entries + synsets)}</Lexicon></L>'


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> str:
    """A folder of three images of noise of each class."""
    return draw_noise(tmp_path_factory.mktemp("mine"), CLASSES, 3)


@pytest.fixture
def selection(tree):
    def select(*methods: str, settings: tuple[str, ...] = SMALL) -> Selection:
        return Selection("demo", (tree,), methods, (3,), (0,), settings)

    return select


def measured(run, store):
    outcome = execute(run, store)
    assert outcome.state == "done", outcome.message
    return read_record(store / run.path / "record.json")


def test_an_entropy_is_that_of_its_images_and_keeps_every_synset_s_value(selection, store):
    settings = ("protocol.per_class=6", "protocol.batch_size=4")  # each image twice, which is as if once
    (run,) = load_grid("figure3", selection("original", settings=settings)).runs()
    record = measured(run, store)
    clip, nouns, labels = tiny_clip(CPU), read_nouns(), run.dataset.train_labels()
    images = torch.from_numpy(run.dataset.train_images(np.arange(len(labels))))
    features = [clip.encode_images(images[labels == label]) for label in range(len(CLASSES))]
    entropies = [class_entropy(clip, nouns, *each).entropy for each in zip(CLASSES, features, strict=True)]
    assert record.metrics["cse"] == pytest.approx(np.mean(entropies), abs=1e-5)
    assert 0 < record.metrics["cse"] < math.log(KINDS)
    values = read_values(store / run.path / VALUES)
    assert [one.name for one in values] == list(CLASSES)
    assert all(one.mean.sum() == pytest.approx(1) and len(one.texts) == KINDS for one in values)
    assert "cat-0 : what cat-0 means" in values[1].texts


@pytest.mark.parametrize("method", ["original", "baseline", "mixup"])
def test_stopped_and_taken_up_it_gives_the_same_entropy(selection, store, tmp_path, method):
    (run,) = load_grid("figure3", selection(method)).runs()
    assert run.steps == 2 * 3
    assert execute(run, tmp_path / "stopped", Options(), StopRequest(deadline=0)).state == "unfinished"
    again, undisturbed = (measured(run, at) for at in (tmp_path / "stopped", store))
    assert (again.metrics, again.resumed, again.weights_sha256) == (undisturbed.metrics, 1, undisturbed.weights_sha256)
    kept = [(at / run.path / VALUES).read_bytes() for at in (tmp_path / "stopped", store)]
    assert kept[0] == kept[1]


def test_weights_and_wordnet_are_in_the_key_and_their_absence_in_the_plan(selection, root, store):
    grid = load_grid("figure3", selection("mixup"))
    (run,) = grid.runs()
    protocol = run.identity["protocol"]
    assert protocol["weights"] == benchmark.weights.KNOWN[CLIP].identity and protocol["wordnet"] == "oewn 2024"
    assert make_plan(grid, Stores(store, True)).counts()["missing"] == 1
    (root / "weights/tiny.safetensors").unlink()
    (root / "wordnet/oewn-2024.xml.xz").unlink()
    plan = make_plan(grid, Stores(store, True))
    assert plan.counts()["unavailable"] == 1 and plan.jobs() == []
    assert "make it" in plan.missing()[0] and "english-wordnet-2024.xml.gz" in plan.missing()[0]
    outcome = execute(run, store)
    assert outcome.state == "failed" and "WordNet is not in" in outcome.message


def test_a_class_without_a_synset_fails_before_an_image_is_made(make_run, store):
    selection = Selection("demo", ("digits",), ("mixup",), (2,), (0,), SMALL)
    (run,) = load_grid("figure3", selection).runs()
    assert "class with a WordNet synset" in execute(run, store).message


def test_figure_3_and_7_are_drawn_from_the_same_record(selection, store, tmp_path):
    for name in ("figure3", "figure7"):
        with pytest.raises(BadInput, match=f"hydrabench run {name}"):
            write_figure(load_outline(name, selection("original")), Stores(store, True).records(), tmp_path)
    (run,) = load_grid("figure3", selection("original")).runs()
    measured(run, store)
    for name in ("figure3", "figure7"):
        paths = write_figure(load_outline(name, selection("original")), Stores(store, True).records(), tmp_path)
        assert [path.name for path in paths] == [f"{name}.{suffix}" for suffix in ("pdf", "png", "txt", "tex")]
        assert all(path.exists() for path in paths)


def test_an_embedding_has_every_set_s_points_and_the_distance_to_the_originals(selection, store, tmp_path):
    pytest.importorskip("pacmap")
    settings = ("protocol.per_class=18", "protocol.batch_size=8", "protocol.class_name=cat")
    (run,) = load_grid("figure9", selection("baseline", settings=settings)).runs()
    assert run.steps == 1 + 3 + 3
    assert execute(run, tmp_path / "stopped", Options(), StopRequest(deadline=0)).state == "unfinished"
    again, undisturbed = (measured(run, at) for at in (tmp_path / "stopped", store))
    assert again.metrics == undisturbed.metrics and 0 < again.metrics["nearest"] < 1
    kept = [(at / run.path / POINTS).read_bytes() for at in (tmp_path / "stopped", store)]
    assert kept[0] == kept[1]
    points = read_points(store / run.path / POINTS)
    assert {name: len(cloud.xy) for name, cloud in points.items()} == {ORIGINAL: 3, "MixUp": 18, "Baseline": 18}
    outline = load_outline("figure9", selection("baseline", settings=settings))
    assert all(path.exists() for path in write_figure(outline, Stores(store, True).records(), tmp_path))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("protocol.beside=hydramix", "take a method that trains nothing first"),
        ("protocol.class_name=cats", "'cats'; did you mean cat"),
        ("protocol.per_class=2", "at least 36 images"),
    ],
)
def test_what_cannot_be_embedded_says_so_at_once(selection, store, setting, message):
    settings = ("protocol.class_name=cat", setting)
    (run,) = load_grid("figure9", selection("baseline", settings=settings)).runs()
    assert message in execute(run, store).message


def test_the_original_images_are_no_distance_from_themselves():
    features = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    assert nearest_distance(3 * features, features) == pytest.approx(0, abs=1e-12)
    assert nearest_distance(torch.eye(2)[:1], torch.tensor([[1.0, 1.0]])) == pytest.approx(1 - math.sqrt(0.5))
