"""execute(run): the one function that every launcher calls."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path

from benchmark.attempt import Attempt, attempt
from benchmark.build import obtain
from benchmark.job import Options, Outcome, now
from benchmark.kinds.base import Measure
from benchmark.measures import Measuring, start_measuring
from benchmark.protocol import load_preset
from benchmark.provenance import environment, forget_peak_memory
from benchmark.run import Run
from benchmark.stop import StopRequest
from benchmark.task import load_task
from benchmark.training.device import resolve_precision, take_device
from benchmark.training.evaluate import evaluate
from benchmark.training.loop import Training
from benchmark.training.nets import weights_hash
from datasets.subset import find_subset, subset_hash
from results.escape import one_line
from results.files import PREDICTIONS, WEIGHTS
from results.metrics import METRICS
from results.records import Metrics, Record, write_record


def execute(run: Run, store: Path, options: Options | None = None, stop: StopRequest | None = None) -> Outcome:
    """Trains and evaluates `run`, or measures, and writes its record into `store`; a finished run is left as it is.

    Never raises for what a run does wrong: a failure leaves failure.json in the run's folder. It takes up
    the run's checkpoint where there is one, and first builds the artifacts that it needs and that are not there.
    """
    return attempt(run, store, options or Options(), stop or StopRequest(), lambda at: _Execution(run, at).work())


class _Execution:
    """One attempt at a run, under its lock."""

    def __init__(self, run: Run, at: Attempt):
        self.run, self.at = run, at

    def work(self) -> str:
        self.device = take_device(load_preset(self.run.preset).cpu_threads(), self.at.options.deterministic)
        forget_peak_memory(self.device)
        self.precision = resolve_precision(self.run.protocol.precision, self.device)
        self.indices = find_subset(self.run.dataset, self.run.samples_per_class, self.run.seed)
        made = tuple(obtain(artifact, self.at, self.device) for artifact in self.run.artifacts)
        training = self.at.training(lambda: self._fresh(made))
        train_seconds = self.at.train(training)
        started = time.monotonic()
        metrics, digest, files = self._measured(training)
        record = self._record(training, metrics, digest, train_seconds, time.monotonic() - started)
        if PREDICTIONS in files:
            record = record.model_copy(update={"predictions_sha256": hashlib.sha256(files[PREDICTIONS]).hexdigest()})
        self._store(record, training, files)
        self.at.tracking.log(training.steps, {f"test/{name}": value for name, value in record.values.items()})
        return f"{self._said(record)} in {train_seconds + record.eval_seconds:.0f} s"

    def _fresh(self, made: tuple[object, ...]) -> Training | Measuring:
        task = load_task(self.run, self.indices, self.device, self.precision)
        if isinstance(self.run.protocol, Measure):
            return start_measuring(self.run, task, made)
        return Training(task, self.run.method.prepare(task, made), self.run.protocol)

    def _measured(self, training: Training | Measuring) -> tuple[Metrics | dict[str, float], str, dict[str, bytes]]:
        """The run's numbers, the hash of the weights that they are of, and what is kept beside the record."""
        if isinstance(training, Measuring):
            return training.metrics(), training.weights_sha256, training.files()
        metrics, said = evaluate(training.network, self.run.dataset.test(), self.precision, self.device)
        said = replace(said, classes=tuple(self.run.dataset.class_names()))
        return metrics, weights_hash(training.network), {PREDICTIONS: said.to_bytes(), **self._weights(training)}

    def _weights(self, training: Training) -> dict[str, bytes]:
        """The classifier's weights as a file, where they were asked for."""
        if not self.at.options.keep_weights:
            return {}
        from safetensors.torch import save

        return {WEIGHTS: save({name: value.contiguous() for name, value in training.network.state_dict().items()})}

    def _said(self, record: Record) -> str:
        name, value = next(iter(record.values.items()))
        return f"{METRICS[name].word} {value:.2f}"

    def _record(
        self,
        training: Training | Measuring,
        metrics: Metrics | dict[str, float],
        digest: str,
        train_seconds: float,
        eval_seconds: float,
    ) -> Record:
        run = self.run
        return Record(
            schema=1,
            key=run.key,
            run=run.identity,
            row=run.row,
            preset=run.preset,
            metrics=metrics,
            subset_sha256=subset_hash(self.indices),
            weights_sha256=digest,
            steps=training.steps,
            train_seconds=train_seconds,
            eval_seconds=eval_seconds,
            images_per_second=training.images_seen / max(train_seconds, 1e-9),
            resumed=self.at.resumed,
            finished=now(),
            environment=environment(self.device, self.precision, self.at.deterministic),
            warnings=self.at.warnings(),
            artifacts=[artifact.key for artifact in run.artifacts],
            prepare_seconds=self.at.prepare_seconds,
            images=one_line(run.dataset.text) if run.dataset.identity.get("content") else "",
        )

    def _store(self, record: Record, training: Training | Measuring, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            self.at.write(name, content)
        if training.history.lines:
            self.at.write_history(training.history)
        write_record(self.at.folder, record, self.at.lock.verify)
