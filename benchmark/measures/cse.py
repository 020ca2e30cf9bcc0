"""CLIP Synset Entropy of a class's images, with what it is made of (HydraMix, section 4.5 and Figure 7)."""

from typing import NamedTuple

from torch import Tensor

from benchmark.measures.clip import Clip
from benchmark.measures.entropy import synset_entropy, synset_probabilities
from benchmark.measures.prompts import class_prompts
from benchmark.wordnet import Nouns, hyponyms_of
from results.synsets import SHOWN, ClassValues


class ClassEntropy(NamedTuple):
    """entropy: in nats, at most ln of the number of synsets."""

    entropy: float
    values: ClassValues


def class_entropy(clip: Clip, nouns: Nouns, class_name: str, features: Tensor) -> ClassEntropy:
    """Over the hyponyms of a class, given the features N×D of its images (`Clip.encode_images`).

    Raises BadInput for a class without a pinned synset.
    """
    texts = class_prompts(nouns, class_name)
    probabilities = synset_probabilities(features, clip.encode_texts(texts))
    mean, shown = probabilities.mean(dim=0).numpy(), probabilities[:SHOWN].T.numpy()
    values = ClassValues(class_name, hyponyms_of(nouns, class_name), texts, mean, shown)
    return ClassEntropy(synset_entropy(probabilities), values)
