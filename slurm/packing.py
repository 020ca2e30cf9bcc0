"""Many short runs into few long jobs: packs, arrays of packs, and which arrays wait for which."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from benchmark.job import Job

T = TypeVar("T")


@dataclass(frozen=True)
class Pack:
    """The jobs of one Slurm job, in the order in which they start; seconds: their estimated sum."""

    jobs: tuple[Job, ...]
    seconds: float


@dataclass(frozen=True)
class Array:
    """Packs that are sent together. after: positions of earlier arrays in the same list; queued: ids of jobs
    that are queued already; this array starts when all of them have ended, whichever way."""

    kind: str
    packs: tuple[Pack, ...]
    after: tuple[int, ...] = ()
    queued: tuple[str, ...] = ()


def fill(jobs: Iterable[Job], seconds: Callable[[Job], float], limit: float) -> list[Pack]:
    """Packs of at most `limit` estimated seconds (a longer job has a pack of its own), in the order of `jobs`."""
    packs: list[Pack] = []
    taken: list[Job] = []
    total = 0.0
    for job in jobs:
        cost = seconds(job)
        if taken and total + cost > limit:
            packs.append(Pack(tuple(taken), total))
            taken, total = [], 0.0
        taken.append(job)
        total += cost
    return [*packs, Pack(tuple(taken), total)] if taken else packs


def spread(jobs: Iterable[Job], seconds: Callable[[Job], float], count: int) -> list[Pack]:
    """At most `count` packs of about equal length, for executors that start all of them at once."""
    members: list[list[Job]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for job in jobs:
        least = loads.index(min(loads))
        members[least].append(job)
        loads[least] += seconds(job)
    return [Pack(tuple(share), load) for share, load in zip(members, loads, strict=True) if share]


def cut(items: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """Consecutive pieces of at most `size` items."""
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]


@dataclass
class Arrangement:
    """Turns jobs into arrays, builds before what needs them.

    seconds: a job's estimated time; limit: seconds of work per pack; largest: jobs per array;
    queued: Slurm's id of the job that already holds a build, by the build's key.
    """

    seconds: Callable[[Job], float]
    limit: float
    largest: int
    queued: Mapping[str, str] = field(default_factory=dict)

    def arrays(self, builds: Sequence[Job], runs: Sequence[Job]) -> list[Array]:
        """Arrays in an order in which every array comes after those it waits for."""
        depth = self._depths([*builds, *runs])
        arrays: list[Array] = []
        home: dict[str, int] = {}
        for level in sorted(set(depth.values())):
            for kind, jobs in (("artifacts", builds), ("runs", runs)):
                chosen = [job for job in jobs if depth[job.key] == level]
                for packs in cut(fill(chosen, self.seconds, self.limit), self.largest):
                    arrays.append(self._array(kind, packs, home))
                    home |= {job.key: len(arrays) - 1 for pack in packs for job in pack.jobs}
        return arrays

    def _depths(self, jobs: Sequence[Job]) -> dict[str, int]:
        """How many builds in a row must end before each job."""
        chosen, depth = {job.key: job for job in jobs}, {}

        def of(job: Job) -> int:
            if job.key not in depth:
                waits = [of(need) for need in job.artifacts if need.key in chosen]
                waits += [0 for need in job.artifacts if need.key in self.queued]
                depth[job.key] = 1 + max(waits, default=-1)
            return depth[job.key]

        for job in jobs:
            of(job)
        return depth

    def _array(self, kind: str, packs: tuple[Pack, ...], home: Mapping[str, int]) -> Array:
        needs = {need.key for pack in packs for job in pack.jobs for need in job.artifacts}
        after = sorted({home[key] for key in needs if key in home})
        queued = sorted({self.queued[key] for key in needs if key in self.queued})
        return Array(kind, packs, tuple(after), tuple(queued))
