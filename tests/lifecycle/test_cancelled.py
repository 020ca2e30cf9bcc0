"""A run that is cancelled in a pool: the others in it go on undisturbed."""

from benchmark.pool import Pool
from results.files import CHECKPOINT, LOG


def test_a_neighbour_goes_on_in_its_process_as_if_nothing_had_been(make_run, store):
    one, other = (make_run(seed=seed, epochs=100_000) for seed in (0, 1))
    pool, steps = Pool(store, 2, {}), []  # of the other one since the first was cancelled

    def watch(running, ended):
        if running.keys() == {one.key, other.key}:
            pool.cancel({one.key})
        if pool.ended and other.key in running:
            steps.append(running[other.key][1].step)
        if steps and steps[-1] > steps[0]:
            pool.stop()

    pool.work([one, other], watch)
    assert {end.job.key: end.state for end in pool.ended} == {one.key: "cancelled", other.key: "unfinished"}
    assert (store / other.path / CHECKPOINT).exists()
    assert (store / other.path / LOG).read_text().count(" starts") == 1
