"""`make gpu-check` on a CPU: what of it needs no GPU."""

import gpu_check


def test_a_run_that_is_stopped_twice_repeats_its_bits(tmp_path, make_run, one_thread):
    run = make_run(size=4, epochs=10)
    assert run.steps > 3 * 7
    assert gpu_check.repeats(run, tmp_path)
