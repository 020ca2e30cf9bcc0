"""WordNet's kinds of the classes, their texts, and the entropy over them, against numpy and by hand."""

import gzip
import lzma
import math

import numpy as np
import pytest
import torch

from benchmark.measures.entropy import TAU, synset_entropy, synset_probabilities
from benchmark.measures.prompts import class_prompts, prompts_hash
from benchmark.wordnet import SYNSETS, Synset, hyponyms_of, read_nouns
from datasets.base import DataCorrupt, DataMissing
from datasets.registry import BadInput

STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# FIDELITY section 15, Open English WordNet 2024 without instances
COUNTS = {"airplane": 32, "automobile": 41, "bird": 871, "car": 41, "cat": 38, "deer": 23, "dog": 189, "frog": 53}
COUNTS |= {"horse": 87, "monkey": 38, "ship": 84, "truck": 25}

LEXICON = """<?xml version="1.0" encoding="UTF-8"?>
<LexicalResource><Lexicon id="oewn" version="{version}">
<LexicalEntry id="e-dog"><Lemma writtenForm="dog" partOfSpeech="n"/></LexicalEntry>
<LexicalEntry id="e-puppy"><Lemma writtenForm="puppy" partOfSpeech="n"/></LexicalEntry>
<LexicalEntry id="e-whelp"><Lemma writtenForm="whelp" partOfSpeech="n"/></LexicalEntry>
<LexicalEntry id="e-laika"><Lemma writtenForm="Laika" partOfSpeech="n"/></LexicalEntry>
<LexicalEntry id="e-run"><Lemma writtenForm="run" partOfSpeech="v"/></LexicalEntry>
<Synset id="{dog}" members="e-dog" partOfSpeech="n"><Definition>a dog</Definition>
<SynsetRelation relType="hyponym" target="b"/><SynsetRelation relType="hypernym" target="x"/>
<SynsetRelation relType="instance_hyponym" target="c"/></Synset>
<Synset id="b" members="e-puppy e-whelp" partOfSpeech="n"><Definition>a young dog</Definition>
<SynsetRelation relType="hyponym" target="a"/></Synset>
<Synset id="a" members="e-puppy" partOfSpeech="n"><Definition>a small one</Definition>
<SynsetRelation relType="hyponym" target="b"/></Synset>
<Synset id="c" members="e-laika" partOfSpeech="n"><Definition>a dog in space</Definition></Synset>
<Synset id="v" members="e-run" partOfSpeech="v"><Definition>run</Definition></Synset>
</Lexicon></LexicalResource>
"""


@pytest.fixture(scope="module")
def nouns(real_data):
    if not (real_data / "wordnet").is_dir():
        pytest.skip(f"needs WordNet in {real_data}")
    return read_nouns()


@pytest.fixture
def put(empty_root):
    """Puts a small WordNet into the data root."""

    def write(name: str = "oewn-2024.xml.xz", version: str = "2024", cut: int | None = None) -> None:
        content = LEXICON.format(version=version, dog=SYNSETS["dog"]).encode()
        packed = (gzip if name.endswith("gz") else lzma).compress(content)
        (empty_root / "wordnet").mkdir(exist_ok=True)
        (empty_root / "wordnet" / name).write_bytes(packed[:cut])

    return write


def test_the_classes_have_as_many_kinds_as_written_down(nouns):
    assert {name: len(hyponyms_of(nouns, name)) for name in SYNSETS} == COUNTS
    assert all(name in nouns[synset].words for name, synset in SYNSETS.items())
    assert sum(COUNTS[name] for name in STL10) == 1428 and sum(COUNTS[name] for name in CIFAR10) == 1443


def test_the_bound_of_the_entropy_is_that_of_the_transitive_closure(nouns):
    """FIDELITY fact 13: with direct hyponyms alone the published 2.61 and 2.97 could not be."""
    closed = [math.log(len(hyponyms_of(nouns, name))) for name in STL10]
    direct = [math.log(len(nouns[SYNSETS[name]].hyponyms)) for name in STL10]
    assert np.mean(closed) == pytest.approx(4.172, abs=5e-4)
    assert np.mean(direct) == pytest.approx(2.570, abs=5e-4)


def test_the_papers_examples_are_among_the_texts(nouns):
    texts = [text for name in STL10 for text in class_prompts(nouns, name)]
    assert "twinjet : a jet plane propelled by two jet engines" in texts
    assert "seaplane, hydroplane : an airplane that can land on or take off from water" in texts
    for example in ("puppy", "police dog", "Chihuahua", "fire engine, fire truck", "biplane"):
        assert any(text.startswith((f"{example} : ", f"{example}, ")) for text in texts), example
    assert texts.count(next(text for text in texts if text.startswith("minivan"))) == 2  # a car and a truck
    assert prompts_hash(texts) == "b4d47c924a987a124c5df8cae7ece44e2cf3016cfebe5f620b0476424dcfa9d7"


def test_clip_reads_every_text_to_its_end(nouns):
    tokenize = pytest.importorskip("open_clip").get_tokenizer("ViT-B-16")
    tokens = tokenize([text for name in SYNSETS for text in class_prompts(nouns, name)])
    assert tokens.shape[1] == 77 and int((tokens != 0).sum(dim=1).max()) == 62


@pytest.mark.parametrize("name", ["oewn-2024.xml.xz", "english-wordnet-2024.xml.gz"])
def test_kinds_of_kinds_count_once_and_instances_do_not(put, name):
    put(name)
    nouns = read_nouns()
    assert hyponyms_of(nouns, "dog") == ["a", "b"] and "v" not in nouns
    assert class_prompts(nouns, "dog") == ["puppy : a small one", "puppy, whelp : a young dog"]
    assert nouns["c"] == Synset(("Laika",), "a dog in space", ())


def test_a_class_that_has_no_synset_is_named(put):
    put()
    with pytest.raises(BadInput, match="'monkeys'; did you mean monkey"):
        hyponyms_of(read_nouns(), "monkeys")


def test_a_missing_wordnet_says_where_it_is_published(empty_root):
    with pytest.raises(DataMissing, match=r"english-wordnet-2024\.xml\.gz"):
        read_nouns()


@pytest.mark.parametrize("name", ["oewn-2024.xml.xz", "english-wordnet-2024.xml.gz"])
@pytest.mark.parametrize("cut", [0, 10, 200, -8])
def test_a_broken_wordnet_is_named(put, name, cut):
    put(name, cut=cut)
    with pytest.raises(DataCorrupt, match="get it anew") as error:
        read_nouns()
    assert name in str(error.value) and "\n" not in str(error.value)


def test_another_edition_is_refused(put):
    put(version="2025")
    with pytest.raises(DataCorrupt, match="is oewn 2025, not oewn 2024"):
        read_nouns()


def direct_entropy(images: np.ndarray, synsets: np.ndarray, tau: float) -> float:
    """Equations 7 to 9 of HydraMix as they stand, a loop for every sum."""
    total = np.zeros(len(synsets))
    for image in images:
        cosines = [image @ s / (math.sqrt(image @ image) * math.sqrt(s @ s)) for s in synsets]
        weights = [math.exp(cosine / tau) for cosine in cosines]
        total += np.array(weights) / sum(weights)
    return -sum(p * math.log(p) for p in total / len(images))


@pytest.mark.parametrize("tau", [TAU, 0.1, 1.0])
def test_the_entropy_is_that_of_the_equations(tau):
    rng = np.random.default_rng(0)
    images, synsets = rng.standard_normal((7, 64)) + 1, 3 * rng.standard_normal((11, 64))
    probabilities = synset_probabilities(torch.from_numpy(images), torch.from_numpy(synsets), tau)
    assert synset_entropy(probabilities) == pytest.approx(direct_entropy(images, synsets, tau), rel=1e-12)


def test_images_of_one_kind_have_no_entropy_and_of_all_kinds_alike_the_most():
    axes = torch.eye(8)
    assert synset_entropy(synset_probabilities(axes[:1].repeat(5, 1), axes)) < 1e-30
    assert synset_entropy(synset_probabilities(axes, axes)) == pytest.approx(math.log(8))
    assert synset_entropy(synset_probabilities(axes[:2], axes)) == pytest.approx(math.log(2))
