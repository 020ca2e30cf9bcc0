"""Packs and arrays: nothing lost, nothing too long, builds before what needs them."""

from dataclasses import dataclass, field

import pytest

from slurm.packing import Arrangement, cut, fill, spread


@dataclass(frozen=True)
class Fake:
    key: str
    artifacts: tuple = field(default=())
    seconds: float = 60


def cost(job: Fake) -> float:
    return job.seconds


def keys(packs) -> list[list[str]]:
    return [[job.key for job in pack.jobs] for pack in packs]


def test_packs_are_filled_in_order_up_to_the_limit():
    jobs = [Fake(str(n)) for n in range(7)]
    packs = fill(jobs, cost, 180)
    assert keys(packs) == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert [pack.seconds for pack in packs] == [180, 180, 60]
    assert fill([], cost, 180) == []


def test_a_job_longer_than_the_limit_has_a_pack_of_its_own():
    jobs = [Fake("a", seconds=10), Fake("long", seconds=500), Fake("b", seconds=10)]
    assert keys(fill(jobs, cost, 100)) == [["a"], ["long"], ["b"]]


def test_local_packs_are_as_many_as_processes_and_about_as_long():
    packs = spread([Fake(str(n), seconds=n + 1) for n in range(10)], cost, 3)  # type: ignore[misc]
    assert sorted(key for pack in keys(packs) for key in pack) == [str(n) for n in range(10)]
    assert len(packs) == 3
    assert max(pack.seconds for pack in packs) - min(pack.seconds for pack in packs) <= 10
    assert len(spread([Fake("one")], cost, 3)) == 1


@pytest.mark.parametrize(("count", "size", "pieces"), [(10, 4, [4, 4, 2]), (4, 4, [4]), (0, 4, []), (5, 1, [1] * 5)])
def test_arrays_are_cut_to_what_the_site_takes(count, size, pieces):
    assert [len(piece) for piece in cut(range(count), size)] == pieces


def test_without_artifacts_nothing_waits_and_large_sweeps_are_several_arrays():
    arrays = Arrangement(cost, 120, 3).arrays([], [Fake(str(n)) for n in range(14)])  # type: ignore[misc]
    assert [(array.kind, len(array.packs)) for array in arrays] == [("runs", 3), ("runs", 3), ("runs", 1)]
    assert not any(array.after for array in arrays)


def test_runs_wait_for_the_arrays_of_their_artifacts_alone():
    first, second = Fake("first"), Fake("second")
    runs = [Fake("free"), Fake("x", (first,)), Fake("y", (second,)), Fake("z", (first, second))]
    arrays = Arrangement(cost, 60, 1).arrays([first, second], runs)
    waits = {array.packs[0].jobs[0].key: [arrays[n].packs[0].jobs[0].key for n in array.after] for array in arrays}
    assert waits == {
        "first": [],
        "second": [],
        "free": [],
        "x": ["first"],
        "y": ["second"],
        "z": ["first", "second"],
    }


def test_artifacts_made_from_artifacts_come_level_by_level():
    teacher = Fake("teacher")
    generator = Fake("generator", (teacher,))
    run = Fake("run", (generator,))
    arrays = Arrangement(cost, 600, 10).arrays([teacher, generator], [run])
    assert [(keys(array.packs), array.after) for array in arrays] == [
        ([["teacher"]], ()),
        ([["generator"]], (0,)),
        ([["run"]], (1,)),
    ]


def test_a_run_waits_for_an_artifact_that_an_earlier_submission_has_queued():
    run, free = Fake("run", (Fake("queued"),)), Fake("free", (Fake("built"),))
    arrays = Arrangement(cost, 600, 10, {"queued": "17_4"}).arrays([], [free, run])
    assert [(keys(array.packs), array.queued) for array in arrays] == [([["free"]], ()), ([["run"]], ("17_4",))]


def test_every_job_is_sent_once_whatever_the_shape():
    builds = [Fake(f"g{n}", seconds=1000) for n in range(37)]
    runs = [Fake(f"r{n}", (builds[n % 37],) if n % 3 else ()) for n in range(500)]
    arrays = Arrangement(cost, 600, 7).arrays(builds, runs)
    sent = [job.key for array in arrays for pack in array.packs for job in pack.jobs]
    assert sorted(sent) == sorted(job.key for job in [*builds, *runs])
    assert all(len(array.packs) <= 7 and all(place < n for place in array.after) for n, array in enumerate(arrays))
