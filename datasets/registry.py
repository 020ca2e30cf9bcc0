"""Names to classes, with help for misspelt names; shared by datasets and methods."""

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from importlib.metadata import entry_points
from pathlib import Path, PurePath
from typing import Generic, TypeVar

T = TypeVar("T")
LARGEST_INTEGER = 2**53 - 1  # what every reader of JSON and Parquet holds exactly

_MOST_NAMES = 60  # that an error lists: more than there are methods or studies
_CHECKOUT = Path(__file__).resolve().parents[1]

left_out: list[str] = []  # files and plug-ins, of any registry, that could not be imported, and why


class BadInput(ValueError):
    """What a person gave cannot be used; the message is one line that says what to do (exit status 2)."""


class Malformed(BadInput):
    """A file that is not what it should be; who needs it not goes on without."""


def canonical(name: str) -> str:
    """A registry name as written everywhere: lower case, hyphens between words."""
    return name.strip().lower().replace("_", "-")


def named_files(*folders: Path) -> dict[str, Path]:
    """The YAML files of folders by name; those of a later folder come before an earlier one's."""
    return {canonical(path.stem): path for folder in folders for path in sorted(folder.glob("*.yaml"))}


@lru_cache(maxsize=8)
def with_plugged(kind: str, own: Path) -> tuple[Path, ...]:
    """Folders of YAML files, for `named_files`: those of plug-ins, then our `own`, whose names stay ours.

    A plug-in names a package of such files in the entry-point group hydrabench.<kind>. One that cannot be imported, and
    a file whose name another one has, is told of in `left_out`.
    """
    folders: list[Path] = []
    for point in entry_points(group=f"hydrabench.{kind}"):
        try:
            folders.append(Path(next(iter(point.load().__path__))))
        except (Exception, SystemExit) as error:  # it is anybody's code
            left_out.append(f"{kind} of plug-in '{point.name}' ({point.value}): {type(error).__name__}: {error}")
    files = {path: folder for folder in folders for path in named_files(folder).values()}
    used = set(named_files(*folders, own).values())
    left_out.extend(f"{path}: another one of {kind} has its name; rename it" for path in files if path not in used)
    return (*folders, own)


def as_text(name: str, value: object) -> str:
    """What a program gives where a command line has text, a path too; raises BadInput for anything else."""
    if not isinstance(value, (str, PurePath)):
        raise BadInput(f"{name}={value!r} is no text")
    return str(value)


def unknown(kind: str, name: str, known: Iterable[str]) -> BadInput:
    """The error for a name that nothing has, with the nearest known names (or all of a few)."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or [k for k in known if name and name in k][:3]
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known)[:_MOST_NAMES])}{more}"
    return BadInput(f"unknown {kind} '{name}'; {hint}")


def split_outside(text: str, separator: str) -> list[str]:
    """The parts of `text` between separators that stand outside parentheses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


class Registry(Generic[T]):
    """Registered classes of one kind by name, in the order of registration.

    `package`, one of this project, is imported whole on first use, then the entry-point group `group`, so that
    an outside package registers by being installed. A name given twice raises and names both places. A module or a
    plug-in whose import fails is named in `left_out`, and nothing that it registered is kept.
    """

    def __init__(self, kind: str, package: str, group: str | None = None):
        self.kind, self.package, self.group = kind, package, group
        self._entries: dict[str, T] = {}
        self._loaded = False

    def add(self, name: str, entry: T) -> T:
        if name != canonical(name):
            raise ValueError(f"{self.kind} name '{name}' must be lower-case words joined by hyphens")
        if name in self._entries:
            raise ValueError(
                f"{self.kind} '{name}' is registered twice: {_place(self._entries[name])}, {_place(entry)}"
            )
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> T:
        """The entry called `name`; raises BadInput with near names otherwise."""
        entries, name = self.entries(), canonical(name)
        if name not in entries:
            raise unknown(self.kind, name, entries)
        return entries[name]

    def entries(self) -> dict[str, T]:
        if not self._loaded:
            self._loaded = True
            for origin, load in _modules(self.package):
                self._take(origin, load)
            for point in entry_points(group=self.group) if self.group else ():
                self._take(f"{self.kind} plug-in '{point.name}' ({point.value})", point.load)
        return self._entries

    def _take(self, origin: str, load: Callable[[], object]) -> None:
        before = dict(self._entries)
        try:
            load()
        except (Exception, SystemExit) as error:  # it is anybody's code
            self._entries = before
            left_out.append(f"{origin}: {type(error).__name__}: {error}")


def _modules(package: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """The file and the import of each module of this project's `package`; raises ImportError where the name means a
    package elsewhere."""
    spec, folder = importlib.util.find_spec(package), _CHECKOUT / package
    if spec is None or Path(spec.origin or "").resolve() != folder / "__init__.py":
        found = spec.origin if spec else "nowhere"
        raise ImportError(f"package '{package}' is {found}, not HydraBench's {folder}: use an environment without it")
    for module in sorted(pkgutil.iter_modules([str(folder)]), key=lambda m: m.name):
        yield f"{package}/{module.name}", partial(importlib.import_module, f"{package}.{module.name}")


def _place(entry: object) -> str:
    """file:line of a class or of a function; the repr of anything else."""
    target: object = entry if inspect.isclass(entry) or inspect.isfunction(entry) else type(entry)
    try:
        return f"{inspect.getsourcefile(target)}:{inspect.getsourcelines(target)[1]}"  # type: ignore[arg-type]
    except (OSError, TypeError):
        return repr(entry)
