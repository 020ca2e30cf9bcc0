"""Methods by name: registration, and the text `name(parameter=value)+augmentation` both ways."""

import ast
import re
from collections.abc import Callable
from dataclasses import fields
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from datasets.registry import LARGEST_INTEGER, BadInput, Registry, split_outside, unknown
from methods.base import Method
from methods.compose import Composition

registry: Registry[type[Method]] = Registry("method", "methods", "hydrabench.methods")
M = TypeVar("M", bound=type[Method])

_TERM = re.compile(r"\s*([A-Za-z0-9_-]+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_PLAIN = "baseline"


def register(name: str, *, label: str, source: str) -> Callable[[M], M]:
    """Registers a frozen dataclass as the method `name`; `source` cites where it comes from.

    Raises TypeError for a class that is none: its fields would be no parameters, and no part of a run's key.
    """

    def decorate(cls: M) -> M:
        if "__dataclass_params__" not in vars(cls):
            raise TypeError(f"method '{name}': {cls.__name__} needs @dataclass(frozen=True) below @register(...)")
        cls.name, cls.label, cls.source = name, label, source
        cls.__pydantic_config__ = {"allow_inf_nan": False}  # type: ignore[attr-defined]
        registry.add(name, cls)
        return cls

    return decorate


def parse_method(text: str) -> Method:
    """The method that a text names; raises BadInput for unknown names, parameters and unfit values.

    `baseline+autoaugment` is `autoaugment`: a plain method behind an augmentation is the augmentation alone.
    """
    base, *augmentations = [_parse_term(term) for term in split_outside(text, "+")]
    if not augmentations:
        return base
    augmentation = augmentations[0]
    if len(augmentations) > 1 or not augmentation.automatic or base.automatic:
        automatic = [name for name, cls in registry.entries().items() if cls.automatic]
        raise BadInput(f"method '{text}': after one method may stand one of +{', +'.join(automatic)}")
    return augmentation if base.name == _PLAIN else Composition(base, augmentation)


def format_method(method: Method) -> str:
    """The text that parses to `method`, with the parameters that differ from their defaults."""
    if isinstance(method, Composition):
        return f"{format_method(method.method)}+{format_method(method.augmentation)}"
    changed = [
        f"{f.name}={_show(getattr(method, f.name))}" for f in fields(method) if getattr(method, f.name) != f.default
    ]
    return f"{method.name}({', '.join(changed)})" if changed else method.name


def label_method(method: Method) -> str:
    """A method's label, each part followed by the parameters that differ from their defaults."""
    if isinstance(method, Composition):
        return f"{label_method(method.method)} + {label_method(method.augmentation)}"
    changed = format_method(method).removeprefix(method.name)
    return f"{method.label} {changed}" if changed else method.label


def make_method(cls: type[Method], parameters: dict[str, object]) -> Method:
    """An instance of `cls` with checked parameters; raises BadInput with near names or what was expected."""
    known = [field.name for field in fields(cls)]
    for name in parameters:
        if name not in known:
            raise (
                unknown(f"parameter of {cls.name}", name, known)
                if known
                else BadInput(f"method '{cls.name}' has no parameters, so no '{name}'")
            )
    try:
        return TypeAdapter(cls).validate_python(parameters)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"method '{cls.name}': {where}={first['input']!r}: {first['msg']}") from error


def _parse_term(text: str) -> Method:
    match = _TERM.fullmatch(text)
    if not match:
        raise BadInput(f"method '{text.strip()}' is not written name or name(parameter=value, ...)")
    name, arguments = match.groups()
    parameters: dict[str, object] = {}
    for part in filter(str.strip, split_outside(arguments or "", ",")):
        parameter, value = _parse_argument(part)
        if parameter in parameters:
            raise BadInput(f"method '{text.strip()}': {parameter} is given twice")
        parameters[parameter] = value
    return make_method(registry.get(name), parameters)


def _parse_argument(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f"parameter '{text.strip()}' is not written name=value")
    return name.strip().replace("-", "_"), parse_value(value)


def parse_value(text: str) -> object:
    """A Python literal (8, 0.5, none, true) or, where it is none, the text itself; BadInput for a giant integer."""
    text = text.strip()
    named = {"none": None, "null": None, "true": True, "false": False}
    if text.lower() in named:
        return named[text.lower()]
    try:
        value = ast.literal_eval(text)
        repr(value)  # 0xfff... may have more digits than Python prints
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # the last three: nonsense, deep nesting
        return text
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise BadInput(f"{text:.40} is a larger number than {LARGEST_INTEGER}")
    return value


def _show(value: object) -> str:
    if isinstance(value, Method):
        return format_method(value)
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
