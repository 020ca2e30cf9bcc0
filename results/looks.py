"""How methods and datasets look in figures: always the same, and told apart without colours too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

BLUE, RED, GREEN, PINK, YELLOW, SKY, BLACK = COLOURS = (  # Okabe and Ito
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
_GREY, _OLIVE, _WINE, _INDIGO, _BROWN = "#777777", "#999933", "#882255", "#332288", "#8C510A"
_MARKERS = "osX^DvP<d>p*"


@dataclass(frozen=True)
class Look:
    """A colour, a marker and a line style, as matplotlib takes them."""

    colour: str
    marker: str
    dash: str | tuple[int, tuple[float, ...]] = "-"


_KNOWN = {
    "Baseline": Look(BLACK, "o"),
    "Cutout": Look(_OLIVE, "s"),
    "Random Erasing": Look(_BROWN, "v"),
    "Cosine": Look(PINK, "<"),
    "MixUp": Look(YELLOW, "^"),
    "MixUpN": Look(_WINE, ">"),
    "Scattering": Look(_GREY, "X"),
    "GLICO": Look(GREEN, "P"),
    "SuperMix": Look(_INDIGO, "p"),
    "ChimeraMix+Grid": Look(SKY, "d"),
    "ChimeraMix+Seg": Look(BLUE, "D"),
    "HydraMix": Look(RED, "*"),
    "GridMix": Look(YELLOW, "s"),
    "SegMix": Look(GREEN, "^"),
    "NMix": Look(PINK, "v"),
    "DiffuseMix": Look(_INDIGO, "p"),
    "DINO": Look(BLACK, "o"),
    "Original images": Look(_GREY, "X"),
    "ciFAIR-10": Look(BLUE, "o"),
    "CIFAR-10 (dedup)": Look(BLUE, "o"),
    "STL-10": Look(YELLOW, "s"),
    "STL-10 (part)": Look(YELLOW, "s"),
    "ciFAIR-100": Look(GREEN, "^"),
    "CIFAR-100 (dedup)": Look(GREEN, "^"),
}
_DASHES = {"AutoAugment": (0, (5.0, 2.0)), "TrivialAugment": (0, (1.0, 1.5))}


def looks_of(labels: Iterable[str]) -> dict[str, Look]:
    """A look for each label: the papers' methods have their own, others one that follows from their label.

    Behind an automatic augmentation a method keeps colour and marker, and its line is dashed or dotted. Of two labels
    that would have one colour or marker by chance, the later in the alphabet has the next that is free.
    """
    found = {label: known for label in labels if (known := _known(label))}
    for label in sorted(set(labels) - set(found)):
        found[label] = _free(crc32(label.encode()), list(found.values()))
    return found


def _known(label: str) -> Look | None:
    base, _, augmentation = label.rpartition(" + ")
    if augmentation in _DASHES and (look := _KNOWN.get(base or "Baseline")):
        return Look(look.colour, look.marker, _DASHES[augmentation])
    return _KNOWN.get(label)


def _free(number: int, taken: list[Look]) -> Look:
    colour = _first_free(COLOURS, number, [look.colour for look in taken])
    return Look(colour, _first_free(_MARKERS, number, [look.marker for look in taken]))


def _first_free(choices: Sequence[str], number: int, taken: list[str]) -> str:
    """The choice of a number, or the next that is not taken, where there is one."""
    turned = [choices[(number + step) % len(choices)] for step in range(len(choices))]
    return next((choice for choice in turned if choice not in taken), turned[0])
