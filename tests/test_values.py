"""Numbers and durations as people write them."""

from argparse import ArgumentTypeError

import pytest

from sweeps import show
from sweeps.config.values import duration_s, number, share, whole


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("1e3", 1000),
        ("1,000", 1000),
        ("90s", 90),
        ("90 sec", 90),
        ("10m", 600),
        ("10 min", 600),
        ("10m30", 630),
        ("1h30", 5400),
        ("1h30m", 5400),
        ("1h 30min 20s", 5420),
        ("1.5 hours", 5400),
        ("2H", 7200),
        ("2d", 172_800),
        ("1d12", 129_600),
        ("1 day 12 hours", 129_600),
        ("1:30:00", 5400),
        ("1-12:00:00", 129_600),
    ],
)
def test_a_duration(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "m", "10x", "1:30", "1:75:00", "30m1h", "1h2h", "10 20", "nan", "inf", "1e999", "many"]
)
def test_no_duration(text):
    with pytest.raises(ArgumentTypeError, match="must be a duration such as 90"):
        duration_s(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("20", 20), ("1e3", 1000), ("1_000", 1000), ("1,000", 1000), ("2.0", 2), ("-1", -1), ("10" * 9, int("10" * 9))],
)
def test_a_whole_number(text, value):
    assert whole(text) == value
    assert type(whole(text)) is int


@pytest.mark.parametrize(
    "text", ["", "0.001", "1,5", "1,000.5", "1 000", "10k", "nan", "1e400", "1e30", "9" * 5000, "٣,٣"]
)
def test_no_whole_number(text):
    with pytest.raises(ArgumentTypeError, match="must be a whole number, got"):
        whole(text)


def test_a_number_and_a_share():
    assert [number(text) for text in ("0.001", "1e-3", "1,000.5", "1_0")] == [0.001, 0.001, 1000.5, 10]
    assert [share(text) for text in ("0.5", "50%", "50 %", "1/4", "0")] == [0.5, 0.5, 0.5, 0.25, 0]
    for text in ("%", "1/0", "a/2", "half"):
        with pytest.raises(ArgumentTypeError, match="must be a number, got"):
            share(text)


def test_options_take_them(planned):
    few = (
        "--max-epochs",
        "1e1",
        "--subset",
        "1_000",
        "--seed",
        "1,000",
        "--gpus-per-trial",
        "50%",
        "--time-limit",
        "1h30",
    )
    plan = planned(*few)
    assert (plan.budget.max_epochs, plan.subset, plan.seed) == (10, 1000, 1000)
    assert (plan.resources.gpus_per_trial, plan.resources.time_limit_s) == (0.5, 5400)
    assert show.command_line().parse(["folder", "--watch", "1m"]).watch == 60
