"""Helper processes that work ahead of a training: the same bits with any number of them, and none outlives its use."""

import os
import signal
import subprocess
import sys
import time
from copy import deepcopy

import numpy as np
import pytest

from benchmark.training import batches
from methods.helpers import Helpers
from methods.mixing.felzenszwalb import segment_all
from methods.mixing.training import GeneratorTraining
from tasks import digits
from trainings import advanced, assert_same, recipe, training, weights

AUGMENTED = "chimeramix-seg(generator_size=32)"
pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_number_of_workers_does_not_change_the_bits_of_a_classifier():
    results = [weights("chimeramix-seg(p_gen=0.7)", digits(workers=n), 6) for n in (0, 1, 2)]
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


def test_an_augmentation_by_helpers_gives_the_bits_that_it_gives_alone(monkeypatch):
    text = "cutout+autoaugment"
    alone = weights(text, digits(), 4)
    monkeypatch.setattr(batches, "_helpers_pay", lambda task, method: True)
    assert_same(alone, weights(text, digits(workers=1), 4))


def test_batches_begun_ahead_are_drawn_again_after_a_restore():
    text = "hydramix(p_gen=0.7, segmentation=augmented)+autoaugment"
    whole = training(text, digits(workers=1))
    for _ in range(3):
        whole.advance()
    state = deepcopy(whole.state())  # it holds the weights themselves
    assert whole.batches._begun
    resumed = training(text, digits())
    resumed.restore(state)
    for current in (whole, resumed):
        for _ in range(4):
            current.advance()
    assert_same(whole.network.state_dict(), resumed.network.state_dict())


@pytest.fixture
def images():
    return digits().images[:4].numpy()


def test_a_killed_helper_does_not_stop_the_work(images):
    helpers = Helpers(segment_all, 1)
    assert np.array_equal(helpers.submit(images, 60)(), segment_all(images, 60))
    process = helpers._idle.get()
    process.kill()
    process.wait()
    helpers._idle.put(process)
    assert np.array_equal(helpers.submit(images, 30)(), segment_all(images, 30))


def test_helpers_ignore_ctrl_c_and_end_with_their_use(images):
    helpers = Helpers(segment_all, 1)
    helpers.submit(images, 60)()
    process = helpers._idle.get()
    helpers._idle.put(process)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    time.sleep(0.1)
    assert process.poll() is None
    helpers.submit(images, 60)()
    del helpers
    assert process.poll() == 0


def test_helpers_end_when_their_process_is_killed():
    code = "import sys, time\nimport numpy as np\nfrom methods.helpers import Helpers\n"
    code += "from methods.mixing.felzenszwalb import segment_all\nh = Helpers(segment_all, 1)\n"
    code += "h.submit(np.zeros((1, 32, 32, 3)), 60)()\nprint(h._idle.get().pid, flush=True)\ntime.sleep(60)\n"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    helper = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 120
    while _alive(helper) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(helper)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("method", [AUGMENTED, "hydramix(generator_size=32, noise=0.5)"])
def test_a_restored_training_goes_on_with_the_same_bits(method):
    whole = advanced(GeneratorTraining(recipe(method), digits(workers=1)), 6)
    part = advanced(GeneratorTraining(recipe(method), digits(workers=1)), 3)
    resumed = GeneratorTraining(recipe(method), digits())
    resumed.restore(part.state())
    advanced(resumed, 3)
    assert_same(whole.tensors(), resumed.tensors())
    assert whole.history.state()["lines"] == resumed.history.state()["lines"]


def test_the_number_of_workers_does_not_change_a_generators_bits():
    results = [advanced(GeneratorTraining(recipe(AUGMENTED), digits(workers=n)), 3).tensors() for n in (0, 1, 2)]
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])
