"""The nouns of Open English WordNet 2024: what the classes of CIFAR-10 and STL-10 mean, and all kinds of each."""

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple
from xml.etree.ElementTree import Element, ParseError, iterparse

from datasets.base import DataCorrupt, DataMissing, data_root
from datasets.files import open_regular
from datasets.registry import unknown

EDITION = "oewn 2024"
URL = "https://en-word.net/static/english-wordnet-2024.xml.gz"

SYNSETS = {
    "airplane": "oewn-02694015-n",
    "automobile": "oewn-02961779-n",
    "bird": "oewn-01505702-n",
    "car": "oewn-02961779-n",
    "cat": "oewn-02124272-n",  # the animal; as a word it is the seventh sense of this file
    "deer": "oewn-02432691-n",
    "dog": "oewn-02086723-n",
    "frog": "oewn-01642406-n",
    "horse": "oewn-02377103-n",
    "monkey": "oewn-02486953-n",
    "ship": "oewn-04201332-n",
    "truck": "oewn-04497386-n",
}
"""The synset that a class's name means."""

_OPENERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    "oewn-2024.xml.xz": lzma.open,
    "english-wordnet-2024.xml.gz": gzip.open,  # type: ignore[dict-item]  # the name of the official file
}
_BROKEN = (ParseError, lzma.LZMAError, gzip.BadGzipFile, zlib.error, EOFError, KeyError, AttributeError)


class Synset(NamedTuple):
    """A concept: its words, of which any will do, what they mean, and the ids of its direct hyponyms."""

    words: tuple[str, ...]
    description: str
    hyponyms: tuple[str, ...]


Nouns = Mapping[str, Synset]
"""The synsets of nouns by id."""


def read_nouns() -> Nouns:
    """All nouns of the file under the data root, in about 4 s.

    Raises DataMissing, with the way to get it, where there is none, DataCorrupt where it is broken or another edition.
    """
    if (path := _find()) is None:
        raise DataMissing(wordnet_missing())
    try:
        with open_regular(path) as raw, _OPENERS[path.name](raw) as file:
            return _nouns(file, path)
    except _BROKEN as error:
        raise DataCorrupt(f"{path} is not a readable WordNet ({type(error).__name__}: {error}); get it anew") from error


def hyponyms_of(nouns: Nouns, class_name: str) -> list[str]:
    """The ids of all kinds of a class at any depth, ascending; instances (a ship's own name) are none of them.

    Kinds of kinds too: the paper's own examples (Chihuahua, twinjet) are two steps down (HydraMix, section 4.5).
    Raises BadInput for a class without a pinned synset.
    """
    if class_name not in SYNSETS:
        raise unknown("class with a WordNet synset", class_name, SYNSETS)
    found: set[str] = set()
    ahead = [SYNSETS[class_name]]
    while ahead:
        new = set(nouns[ahead.pop()].hyponyms) - found
        found |= new
        ahead += new
    return sorted(found)


def wordnet_missing() -> str:
    """How to get WordNet where it is not there, else ""."""
    if _find():
        return ""
    return f"WordNet is not in {data_root() / 'wordnet'}: fetch {URL} (CC BY 4.0) and put it there"


def _find() -> Path | None:
    places = (data_root() / "wordnet" / name for name in _OPENERS)
    return next((place for place in places if place.exists()), None)


def _nouns(file: IO[bytes], path: Path) -> Nouns:
    words: dict[str, str] = {}
    nouns: dict[str, Synset] = {}
    for element in _elements(file):
        if element.tag == "LexicalEntry":
            words[element.attrib["id"]] = element.find("Lemma").attrib["writtenForm"]  # type: ignore[union-attr]
        elif element.tag == "Synset" and element.attrib["partOfSpeech"] == "n":
            nouns[element.attrib["id"]] = _synset(element, words)
        elif element.tag == "Lexicon" and (edition := f"{element.get('id')} {element.get('version')}") != EDITION:
            raise DataCorrupt(f"{path} is {edition}, not {EDITION}; fetch {URL}")
    return nouns


def _elements(file: IO[bytes]) -> Iterator[Element]:
    """Entries, synsets and, at last, the lexicon, emptied after use: the whole tree would take gigabytes."""
    for _, element in iterparse(file):
        if element.tag in ("LexicalEntry", "Synset", "Lexicon"):
            yield element
            element.clear()


def _synset(element: Element, words: Mapping[str, str]) -> Synset:
    relations = element.iter("SynsetRelation")
    return Synset(
        tuple(words[member] for member in element.attrib["members"].split()),
        element.findtext("Definition", ""),
        tuple(relation.attrib["target"] for relation in relations if relation.attrib["relType"] == "hyponym"),
    )
