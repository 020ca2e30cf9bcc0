"""A device that no machine needs: its tensors say `pretend:0`, compute on the CPU, and are counted.

It minds what a GPU minds: tensors of two devices in one operator raise Mismatch, but for CPU scalars. What needs a
value on the host, or sends one there or back, makes the host wait: `waits`; what the host sends: `copies`. It sees no
kernels inside an operator, no arithmetic of a GPU's own, and no mixed precision: autocast changes nothing.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "pretend"
_ROOMS = tuple(f"{CHECKOUT / room}/" for room in ("benchmark", "methods", "datasets"))
# no work for a device: memory alone, or another look at it that torch's schema does not call a view
_FREE = {"empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided", "_unsafe_view", "resize_", "set_"}
_ASKS_HOST = {"_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "_unique2", "bincount"}
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
_NO_SCALARS = {"cat", "stack", "index_select", "gather", "scatter", "embedding"}  # which a CPU scalar does not fit

# what a CPU tensor only notes, and would forget among a device's operators
_AT_ONCE: dict[str, Callable[[Tensor], Tensor]] = {"_conj": torch.conj_physical, "_neg_view": torch.neg}


class Mismatch(RuntimeError):
    """An operator got tensors of two devices."""


class Unavailable(RuntimeError):
    """This torch has no hook for a device that is written in Python."""


@dataclass
class Counts:
    """operators: launched on the device; waits: of the host for it; copies: from the host; places: of both."""

    operators: int = 0
    waits: int = 0
    copies: int = 0
    places: Counter[str] = field(default_factory=Counter)

    def wait(self, what: str) -> None:
        self.waits += 1
        self.places[f"wait, {what}, {_place()}"] += 1

    def copy(self, what: str, wait: bool) -> None:
        self.copies += 1
        self.places[f"copy, {what}, {_place()}"] += 1
        if wait:
            self.wait(what)

    def clear(self) -> None:
        self.operators = self.waits = self.copies = 0
        self.places.clear()


COUNTS = Counts()


class Remote(Tensor):
    """A tensor of the device; `held` has its values."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "Remote":
        how = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        made = Tensor._make_wrapper_subclass(cls, held.size(), device=torch.device(NAME, 0), **how)
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return _dispatch(func, args, kwargs or {})

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As a checkpoint gives it back, which is read onto the CPU."""
        return self.held.detach().clone(memory_format=torch.preserve_format).__reduce_ex__(protocol)


class _Machine(TorchDispatchMode):
    """Sees the operators that have no tensor of the device yet, like those that make one."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return _dispatch(func, args, kwargs or {})


class Constants(TorchFunctionMode):
    """Lets numbers become a tensor of the device, as torchvision makes them: on the host first, as on any device.

    Every call of torch is slower with it, and our own code does without.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and _is_ours(kwargs.get("device")):
            return func(*args, **{**kwargs, "device": "cpu"}).to(kwargs["device"])
        return func(*args, **kwargs)


@contextmanager
def pretend_device() -> Iterator[torch.device]:
    """The device, while the context lasts; raises Unavailable."""
    _register()
    # a module's parameters are replaced, not given other data: that would leave `held` behind
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        # the backward pass stays in this thread, where the mode is
        with torch.autograd.set_multithreading_enabled(False), _Machine():
            yield torch.device(NAME, 0)
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


@lru_cache(maxsize=1)
def _register() -> torch.library.Library:
    try:
        from torch.utils import backend_registration as hooks

        set_up, module = hooks._setup_privateuseone_for_python_backend, hooks._DummyBackendModule
    except (ImportError, AttributeError) as error:
        raise Unavailable(f"torch {torch.__version__} has no hook for a device in Python: {error}") from error
    precisions = {"get_amp_supported_dtype": lambda self: [torch.bfloat16, torch.float16]}
    set_up(NAME, backend_module=type("Module", (module,), precisions)())
    autocast = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
    autocast.fallback(torch.library.fallthrough_kernel)
    return autocast  # which ends with its object


def _dispatch(func: Any, args: tuple, kwargs: dict) -> Any:
    if torch.is_inference_mode_enabled():  # where what autograd takes apart comes whole
        with _Machine():
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
    name = func.overloadpacket.__name__
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    remote = [tensor for tensor in tensors if isinstance(tensor, Remote)]
    if not remote and not _is_ours(kwargs.get("device")):
        return func(*args, **kwargs)
    if move := _MOVES.get(name):
        return move(func, args, kwargs)
    if name in _INDEXING:
        _check_indices(name, *args)
    else:
        _check(name, tensors)
    _count(func, name)
    return _compute(func, args, kwargs, remote)


def _is_ours(device: torch.device | str | None) -> bool:
    return device is not None and torch.device(device).type == NAME


def _count(func: Any, name: str) -> None:
    if name in _ASKS_HOST:
        COUNTS.wait(name)
    if not func.is_view and name not in _FREE:
        COUNTS.operators += 1


def _check(name: str, tensors: list[Tensor]) -> None:
    for tensor in tensors:
        is_scalar = tensor.dim() == 0 and name not in _NO_SCALARS
        if not isinstance(tensor, Remote) and not is_scalar:
            raise Mismatch(f"{name}: a tensor {tuple(tensor.shape)} of the CPU among the device's, {_place()}")


def _check_indices(name: str, values: Tensor, indices: list[Tensor | None], *put: Any) -> None:
    """A GPU takes indices of the CPU, which are sent at once; booleans become positions, whose number is asked for."""
    given = [index for index in indices if index is not None]
    if not isinstance(values, Remote):
        raise Mismatch(f"{name}: a tensor of the CPU at indices of the device, {_place()}")
    for index in given:
        if not isinstance(index, Remote):
            COUNTS.copy("an index of the CPU", wait=True)
        if index.dtype in (torch.bool, torch.uint8):
            COUNTS.wait("a boolean index")
    if put and isinstance(put[0], Tensor) and put[0].dim() and not isinstance(put[0], Remote):
        raise Mismatch(f"{name}: values of the CPU, {_place()}")


def _compute(func: Any, args: tuple, kwargs: dict, remote: list[Remote]) -> Any:
    """The operator on the inner tensors; what it returns of its arguments is returned as them."""
    known = {id(tensor.held): tensor for tensor in remote}
    args, kwargs = tree_map_only(Remote, lambda tensor: tensor.held, (args, kwargs))
    if "device" in kwargs:
        kwargs["device"] = torch.device("cpu")
    result = _AT_ONCE.get(func.overloadpacket.__name__, func)(*args, **kwargs)
    # as in C++, a view of a tensor that was made outside inference mode is none of inference
    normal = func.is_view and bool(remote) and not remote[0].is_inference()

    def wrap(made: Tensor) -> Remote:
        with torch.inference_mode(torch.is_inference_mode_enabled() and not normal):
            return known[id(made)] if id(made) in known else Remote(made)

    return tree_map_only(Tensor, wrap, result)


def _to_copy(func: Any, args: tuple, kwargs: dict) -> Tensor:
    source, device = args[0], kwargs.get("device")
    here = isinstance(source, Remote)
    onto = _is_ours(device) if device is not None else here
    if here and not onto:
        COUNTS.wait("to the host")
    elif onto and not here:
        COUNTS.copy("to the device", wait=not kwargs.get("non_blocking"))
    else:
        COUNTS.operators += 1
    how = {name: value for name, value in kwargs.items() if name not in ("device", "non_blocking")}
    values = source.held if here else source
    moved = func(values, **how)
    if moved.data_ptr() == values.data_ptr():  # to the CPU, where it already is
        moved = moved.clone(memory_format=torch.preserve_format)
    return Remote(moved) if onto else moved


def _copy(func: Any, args: tuple, kwargs: dict) -> Tensor:
    into, source, *more = args
    non_blocking = more[0] if more else kwargs.get("non_blocking", False)
    here, onto = isinstance(source, Remote), isinstance(into, Remote)
    if here and not onto:
        COUNTS.wait("to the host")
    elif onto and not here:
        COUNTS.copy("to the device", wait=not non_blocking)
    else:
        COUNTS.operators += 1
    (into.held if onto else into).copy_(source.held if here else source)
    return into


_MOVES: dict[str, Callable[[Any, tuple, dict], Tensor]] = {"_to_copy": _to_copy, "copy_": _copy}


def _place() -> str:
    """The line of this project's code that is being executed, or that has something sent."""
    frame = sys._getframe(1)
    while frame.f_back and (not frame.f_code.co_filename.startswith(_ROOMS) or frame.f_code.co_name == "send"):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    return f"{path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path}:{frame.f_lineno}"
