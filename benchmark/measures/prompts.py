"""Synsets as texts that CLIP reads: "syn1, …, synK : description" (HydraMix, section 4.5)."""

import hashlib
from collections.abc import Iterable

from benchmark.wordnet import Nouns, Synset, hyponyms_of


def prompt(synset: Synset) -> str:
    """The paper's text of a synset, e.g. `twinjet : a jet plane propelled by two jet engines`."""
    return f"{', '.join(synset.words)} : {synset.description}"


def class_prompts(nouns: Nouns, class_name: str) -> list[str]:
    """The texts of all hyponyms of a class, in the order of `hyponyms_of`."""
    return [prompt(nouns[synset]) for synset in hyponyms_of(nouns, class_name)]


def prompts_hash(prompts: Iterable[str]) -> str:
    """sha256 of texts, one a line: tells in a record which ones a number was measured with."""
    return hashlib.sha256("\n".join(prompts).encode()).hexdigest()
