"""Submissions kept in files, whole or passed over."""

import os

from slurm import queues
from slurm.submissions import SentArray, Submission, cancel_run, cancelled_runs, folder_of, load_submissions, save


def submission(executor: str = "slurm", **arrays: list[str]) -> Submission:
    """Arrays by their base id, each of some packs of one key."""
    sent = [
        SentArray("runs", [[key] for key in keys], [], queues.array_ids(base.removeprefix("j"), len(keys)))
        for base, keys in arrays.items()
    ]
    return Submission("20260101-000000-abcd", "demo", "test", executor, 1, "cpu", "c0ffee", False, sent)


def test_a_submission_comes_back_from_its_file_and_a_torn_one_is_passed_over(tmp_path):
    kept = submission(j7=["a", "b"], j8=["c"])
    kept.failures = {"a": "2026-01-01T00:00:00+00:00"}
    save(tmp_path, kept)
    torn = folder_of(tmp_path, "torn") / "submission.json"
    torn.parent.mkdir(parents=True)
    torn.write_text('{"schema": 1, "arr')
    assert load_submissions(tmp_path) == [kept]
    assert [job for job, _, _ in kept.sent_packs()] == ["7_0", "7_1", "8"]
    assert [array.base for array in kept.arrays] == ["7", "8"]


def test_cancelled_runs_are_named_in_the_submissions_folder(tmp_path):
    cancel_run(tmp_path, "one", "abc")
    assert cancelled_runs(folder_of(tmp_path, "one")) == {"abc"}
    assert cancelled_runs(folder_of(tmp_path, "two")) == set()
    assert os.listdir(folder_of(tmp_path, "one")) == ["cancelled"]
