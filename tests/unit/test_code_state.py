"""Code that is not what was submitted is named, whatever changed."""

import pytest

from benchmark.checkout import CodeState

SENT = CodeState("a" * 40, False, "one")


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (SENT, []),
        (SENT._replace(commit="b" * 40), [f"submitted at commit {'a' * 40}, run at {'b' * 40}"]),
        (SENT._replace(dirty=True, sources="two"), [f"submitted at commit {'a' * 40}, run at {'a' * 40} with changes"]),
    ],
)
def test_code_that_is_not_the_submitted_one_is_named(here, said):
    assert here.warnings(SENT) == said


def test_a_second_edit_between_submitting_and_running_is_seen():
    (warning,) = SENT._replace(dirty=True, sources="two").warnings(SENT._replace(dirty=True))
    assert warning.endswith("with changes, edited in between")
