"""The kind `cse`: CLIP Synset Entropy of a method's images, and what it is made of (HydraMix, section 4.5)."""

from functools import cached_property
from statistics import fmean
from typing import NamedTuple

from torch import Tensor

from benchmark.kinds.sets import SynsetEntropy
from benchmark.measures.clip import Clip, load_clip
from benchmark.measures.entropy import TAU, synset_entropy, synset_probabilities
from benchmark.measures.extraction import Extraction, OfOneSet
from benchmark.measures.prompts import class_prompts
from benchmark.measures.sets import set_of
from benchmark.run import Run
from benchmark.wordnet import Nouns, hyponyms_of, read_nouns
from methods.task import Task
from results.files import VALUES
from results.synsets import SHOWN, ClassValues, values_csv


class ClassEntropy(NamedTuple):
    """entropy: in nats, at most ln of the number of synsets."""

    entropy: float
    values: ClassValues


class Entropies(OfOneSet):
    """Encodes a set, batch after batch; then the mean over classes of the entropy of each."""

    def __init__(self, clip: Clip, nouns: Nouns, extraction: Extraction, class_names: tuple[str, ...], tau: float):
        super().__init__(extraction, clip.weights_sha256)
        self._clip, self._nouns, self._class_names, self._tau = clip, nouns, class_names, tau

    def metrics(self) -> dict[str, float]:
        return {"cse": fmean(found.entropy for found in self._found)}

    def files(self) -> dict[str, bytes]:
        return {VALUES: values_csv([found.values for found in self._found])}

    @cached_property
    def _found(self) -> list[ClassEntropy]:
        features, labels = self.extraction.features, self.extraction.labels
        return [
            class_entropy(self._clip, self._nouns, name, features[labels == label], self._tau)
            for label, name in enumerate(self._class_names)
        ]


def start(run: Run, task: Task, made: tuple[object, ...]) -> Entropies:
    """Raises BadInput, before an image is made, where a class has no synset or weights or WordNet are missing."""
    assert isinstance(run.protocol, SynsetEntropy)
    nouns = read_nouns()
    for name in task.class_names:
        hyponyms_of(nouns, name)
    clip = load_clip(task.device, task.precision)
    images = set_of(run, task, made, run.protocol.per_class * task.num_classes)
    return Entropies(clip, nouns, Extraction(images, clip.encode_images), task.class_names, run.protocol.tau)


def class_entropy(clip: Clip, nouns: Nouns, class_name: str, features: Tensor, tau: float = TAU) -> ClassEntropy:
    """Over the hyponyms of a class, given the features N×D of its images (`Clip.encode_images`).

    Raises BadInput for a class without a pinned synset.
    """
    texts = class_prompts(nouns, class_name)
    probabilities = synset_probabilities(features, clip.encode_texts(texts), tau)
    mean, shown = probabilities.mean(dim=0).numpy(), probabilities[:SHOWN].T.numpy()
    values = ClassValues(class_name, hyponyms_of(nouns, class_name), texts, mean, shown)
    return ClassEntropy(synset_entropy(probabilities), values)
