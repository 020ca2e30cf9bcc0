"""What a training loses and what comes out of it, sent to TensorBoard or Weights & Biases while it runs.

A view of a run and no part of it: off unless `--track` names one, in no key; where it fails the training goes on.
"""

import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from benchmark.job import Job, logger
from datasets.registry import BadInput
from methods.history import LossHistory
from results.escape import one_line

FOLDER = ".tracked"  # in a store, beside the runs' folders


class Tracker(Protocol):
    """Where numbers are sent."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


class _TensorBoard:
    """Event files below <store>/.tracked/tensorboard, in folders as runs have: `tensorboard --logdir` shows them."""

    def __init__(self, job: Job, folder: Path):
        self._writer = _summary_writer()(str(folder / job.path))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _WandB:
    """A run of the project hydrabench under the job's key; the package's own environment variables say the rest."""

    def __init__(self, job: Job, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._run = _wandb_init()(
            project="hydrabench", id=job.key, name=str(job), config=job.identity, dir=str(folder), resume="allow"
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


def _summary_writer() -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter


def _wandb_init() -> Any:
    import wandb

    return wandb.init


_ENTRIES: dict[str, Callable[[], object]] = {"tensorboard": _summary_writer, "wandb": _wandb_init}
_TRACKERS: dict[str, Callable[[Job, Path], Tracker]] = {"tensorboard": _TensorBoard, "wandb": _WandB}


def require_tracker(name: str) -> None:
    """Raises BadInput where a tracker's package is not installed or cannot be used; each is named as its tracker."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:  # no package, or a folder of that name, such as wandb leaves
        raise BadInput(f"--track {name} needs a package: pip install 'hydrabench[{name}]', or pip install {name}")
    try:
        _ENTRIES[name]()
    except (Exception, SystemExit) as error:  # it is anybody's code
        raise BadInput(one_line(f"--track {name}: its package fails: {type(error).__name__}: {error}")) from error


class Tracking:
    """One attempt's tracker, opened when there is something to send; what goes wrong with it ends it and is logged."""

    def __init__(self, name: str | None, job: Job, store: Path):
        self._open: Callable[[], Tracker] | None = None
        self._tracker: Tracker | None = None
        self._sent = 0
        if name:
            self._open = lambda: _TRACKERS[name](job, store / FOLDER / name)

    def begin(self, history: LossHistory) -> None:
        """What a checkpoint brought was sent by an earlier attempt."""
        self._sent = len(history.lines)

    def follow(self, history: LossHistory) -> None:
        """Sends the lines of a history that were not sent yet."""
        for line in history.lines[self._sent :]:
            self.log(int(line["step"]), {name: value for name, value in line.items() if name != "step"})
        self._sent = len(history.lines)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Sends numbers of a step; steps ascend."""
        self._try(lambda tracker: tracker.log(step, values))

    def close(self) -> None:
        if self._tracker is not None:
            self._try(lambda tracker: tracker.close())
        self._open = self._tracker = None

    def _try(self, action: Callable[[Tracker], None]) -> None:
        try:
            with warnings.catch_warnings(action="ignore"):  # what a tracker warns of is no part of a record
                if self._tracker is None and self._open is not None:
                    self._tracker = self._open()
                if self._tracker is not None:
                    action(self._tracker)
        except (Exception, SystemExit) as error:  # it is anybody's code, and the network
            logger.warning("tracking ended: %s: %s", type(error).__name__, error)
            self._open = self._tracker = None
