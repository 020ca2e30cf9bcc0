"""Rows of the papers' tables that this version cannot run: known by name, never run, never faked."""

from dataclasses import dataclass

from methods.base import Method
from methods.registry import register


@dataclass(frozen=True)
class Announced(Method):
    """A method of the papers that is not built yet."""

    available = False


for _name, _label, _source in [
    ("supermix", "SuperMix", "Dabouei et al., 2021"),
]:
    register(_name, label=_label, source=_source)(type(_label, (Announced,), {"__doc__": Announced.__doc__}))
