"""--set protocol.field=value and --set METHOD.field=value."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from benchmark.kinds import protocol_of
from datasets.registry import BadInput, canonical, unknown
from methods.base import Method
from methods.compose import Composition
from methods.registry import make_method, parse_value, registry
from results.records import CLASSIFY


class Settings:
    """Overrides of single fields; each must fit something in the selected grid. kind: of its runs' protocol."""

    def __init__(self, texts: Sequence[str], kind: str = CLASSIFY):
        self._fields = protocol_of(kind).model_fields
        self.protocol: dict[str, object] = {}
        self._methods: dict[str, dict[str, object]] = {}
        for text in texts:
            self._read(text)

    def apply_to_method(self, method: Method) -> Method:
        """`method` with the overrides that name it, also inside a composition."""
        if isinstance(method, Composition):
            return Composition(self.apply_to_method(method.method), self.apply_to_method(method.augmentation))
        changes = self._methods.get(method.name)
        return make_method(type(method), method.parameters() | changes) if changes else method

    def require_all_used(self, methods: Iterable[Method]) -> None:
        """Raises BadInput for an override of a method that is not in the grid."""
        present = {part.name for method in methods for part in _parts(method)}
        for name in self._methods:
            if name not in present:
                raise unknown("method in this grid (--set)", name, present | {"protocol"})

    def _read(self, text: str) -> None:
        target, equals, value = text.partition("=")
        owner, dot, name = target.strip().partition(".")
        if not equals or not dot:
            raise BadInput(f"--set {text}: expected protocol.field=value or method.field=value")
        owner, name = canonical(owner), name.replace("-", "_")
        if (owner, name) == ("protocol", "image_size"):
            raise BadInput(f"--set {text}: the size of images is a folder's own: --dataset 'folder(size=64):PATH'")
        if owner == "protocol":
            self.protocol[_known("protocol field", name, self._fields)] = parse_value(value)
        elif owner not in registry.entries():
            raise unknown("method in --set", owner, ["protocol", *registry.entries()])
        else:
            known = [field.name for field in fields(registry.get(owner))]
            self._methods.setdefault(owner, {})[_known(f"parameter of {owner}", name, known)] = parse_value(value)


def _known(kind: str, name: str, known: Iterable[str]) -> str:
    if name not in (known := list(known)):
        raise unknown(kind, name, known) if known else BadInput(f"unknown {kind} '{name}': it has none")
    return name


def _parts(method: Method) -> list[Method]:
    return [method.method, method.augmentation] if isinstance(method, Composition) else [method]
