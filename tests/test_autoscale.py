"""--autoscale, as far as it shows without a cluster; tests/cluster/test_life.py has one."""

import pytest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--autoscale", 4), "--autoscale goes with --address"),
        (("--autoscale", 0, "--address", "auto"), "--autoscale must be >= 1, got 0"),
    ],
)
def test_autoscale_that_cannot_be_is_refused(run, options, words):
    status, _, errors, _ = run(*options)
    assert status == 2
    assert words in errors


def test_the_plan_says_what_a_cluster_is_asked_for(run):
    status, output, _, _ = run("--dry-run", "--address", "auto", "--autoscale", 32)
    assert status == 0
    assert "auto, asked for 32 trials at once" in output
