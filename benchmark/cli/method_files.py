"""What is wrong with a method file: it is imported, its methods are made, named, and trained two steps."""

import importlib.util
import json
import sys
import traceback
from pathlib import Path

import torch

from benchmark.protocol import run_protocol
from benchmark.run import Run
from benchmark.task import load_task
from benchmark.training.loop import Training
from datasets.base import get_dataset
from datasets.paths import real_path
from datasets.registry import BadInput, left_out
from datasets.subset import find_subset
from methods.base import Method
from methods.registry import format_method, parse_method, registry

_STEPS, _SIZE, _PRESET = 2, 1, "demo"  # of what is tried; an image of each of the ten digits


def faults_of_methods(path: Path) -> list[str]:
    """A line for each fault of a method file of this project or, yet to be installed, of one's own."""
    before = set(registry.entries())
    if broken := _import(path):
        return [broken]
    names = [name for name, cls in registry.entries().items() if name not in before or _file_of(cls) == path]
    if not names:
        return [f'{path}: registers no method; write @register("name", label="Label", source="paper") over a class']
    return [f"{path}: method '{name}': {fault}" for name in names if (fault := _fault(registry.get(name)))]


def _import(path: Path) -> str:
    """Imports a file that is not in methods/, which the registry has imported; why it cannot be, else nothing."""
    ours = f"methods/{path.stem}:"
    if path.parent == Path(sys.modules["methods"].__path__[0]).resolve():
        return next((f"{path}: {line.removeprefix(ours).strip()}" for line in left_out if line.startswith(ours)), "")
    spec = importlib.util.spec_from_file_location(f"checked_{path.stem}", path)
    assert spec and spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # it is anybody's code
        return f"{path}: {_told(error, path)}"
    return ""


def _fault(cls: type[Method]) -> str:
    """The first thing that is wrong with a registered class, else nothing."""
    try:
        method = cls()
        json.dumps(method.identity, allow_nan=False)
        if parse_method(format_method(method)) != method:
            return f"'{format_method(method)}' does not name it again: the defaults must be of the fields' types"
        if method.available:
            _train(method)
    except BadInput as error:
        return str(error)
    except Exception as error:  # it is anybody's code
        return _told(error, _file_of(cls))
    return ""


def _train(method: Method) -> None:
    """Two steps on the digits; of a method that trains something first, no more than naming it."""
    digits = get_dataset("digits")
    method = method.resolve(digits)
    if method.needs(digits, _SIZE, 0):
        return
    protocol = run_protocol(method, _PRESET, digits, _SIZE)
    run = Run(digits, _SIZE, method, 0, protocol, format_method(method), _PRESET)
    task = load_task(run, find_subset(digits, _SIZE, 0), torch.device("cpu"), "fp32")
    training = Training(task, method.prepare(task, ()), protocol)
    for _ in range(_STEPS):
        training.advance()


def _told(error: BaseException, path: Path) -> str:
    """What was raised, and the last line of the file that it came by."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if real_path(Path(frame.filename)) == path]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else 1
    return f"line {line}: {type(error).__name__}: {error}"


def _file_of(cls: type[Method]) -> Path:
    return real_path(Path(sys.modules[cls.__module__].__file__ or ""))
