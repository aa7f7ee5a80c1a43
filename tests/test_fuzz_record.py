"""Results folders with any damage to plan.json or events.jsonl: every command works, or refuses in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from fuzzing import JSON, check_files, damaged, fuzz, main
from hypothesis import given
from hypothesis import strategies as st
from stock_tables import prices, save
from sweep_logs import ask, begin_session, end, plan_of, report

from ae import saved
from ae.configuration import Configuration
from sweeps import compare, evaluate, rebuild, replay, show
from sweeps.config import plan_file
from sweeps.config.plan import Plan
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, RETRAIN, SEARCH, STOPPED

PLAN, EVENTS = "plan.json", "events.jsonl"
OPTIONS = ("--search", "optuna", "--trials", 4, "--top-k", 1, "--seeds", 1)
BUDGET = ("--max-epochs", 4, "--eval-every", 1, "--grace-period", 1, "--reduction-factor", 2)

COMMANDS: dict[str, tuple[Callable[[Sequence[str]], int], list[object]]] = {
    "show": (show.main, ["{}"]),
    "compare": (compare.main, ["{}", "--output", "{}/compare.png"]),
    "replay": (replay.main, ["{}", "--workers", 1]),
    "check a replay": (replay.main, ["{}", "--check", "{}"]),
    "evaluate": (evaluate.main, ["{}"]),
    "rebuild": (rebuild.main, ["{}"]),
    "resume": (main, ["--resume", "{}"]),
    "add trials": (main, ["--resume", "{}", "--trials", "+2", "--seeds", "+1"]),
}
every_command = pytest.mark.parametrize("command", COMMANDS)


def check_command(command: str, files: Mapping[str, bytes]) -> int:
    """Run a command on a folder with these files; returns its exit status."""
    command_main, arguments = COMMANDS[command]
    return check_files(command_main, files, *arguments)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """The files of a finished sweep of stock prices by its scheduler: none, whose trials can be replayed, and asha."""
    place = tmp_path_factory.mktemp("sweeps")
    data = save(prices(), place)
    return {name: _sweep(place, data, name) for name in ("none", "asha")}


def _sweep(place: Path, data: Path, scheduler: str) -> dict[str, bytes]:
    options = (*OPTIONS, *BUDGET, "--scheduler", scheduler, "--data", data)
    plan = plan_of(place, *options, task="sp500-rec", name=scheduler)
    plan_file.write(plan)
    log = SweepLog(plan)
    log.open()
    begin_session(log)
    (_record_all if scheduler == "none" else _record_halving)(log)
    _record_retraining(log)
    log.add("session_ended", status="finished", wall_s={SEARCH: 9.0, RETRAIN: 4.0})
    log.flush()
    _save_model(plan)
    names = (PLAN, EVENTS, f"best/{saved.WEIGHTS}", f"best/{saved.DESCRIPTION}")
    return {name: (plan.folder / name).read_bytes() for name in names}


def _record_all(log: SweepLog) -> None:
    for number in range(4):
        ask(log, name := f"000{number}", hidden_size=8 + number)
        for epoch in range(1, 5):
            report(log, name, epoch, 1 / (epoch + number))
        end(log, name)


def _record_halving(log: SweepLog) -> None:
    for number in range(4):
        ask(log, name := f"000{number}", hidden_size=8 + number)
        if number == 3:
            report(log, name, 1, float("nan"), loss=float("inf"))
            end(log, name, DIVERGED)
            continue
        report(log, name, 1, 0.5 - number / 10)
        log.add("paused", phase=SEARCH, trial=name)
    log.add("promoted", phase=SEARCH, trial="0002")
    log.add("resumed", phase=SEARCH, trial="0002")
    log.add("retried", phase=SEARCH, trial="0002", reason="out of memory")
    for epoch in range(2, 5):
        report(log, "0002", epoch, 0.1)
    log.add("repeated", phase=SEARCH, trial="0002", epoch=4, train_s=1.0)
    for name, status in (("0002", FINISHED), ("0001", STOPPED), ("0000", FAILED)):
        end(log, name, status)


def _record_retraining(log: SweepLog) -> None:
    best = log.search.ranked()[0]
    name, run = f"{best.name}-seed1", asdict(best.config) | {"seed": 1, "epochs": log.plan.retrain_epochs}
    log.add("retraining", runs=[{"trial": name, "config": run}])
    log.add("asked", phase=RETRAIN, trial=name, config=run)
    report(log, name, 1, 0.2, phase=RETRAIN)
    log.add("reopened", phase=RETRAIN, trial=name, reason="it failed")
    report(log, name, 4, 0.1, phase=RETRAIN)
    end(log, name, phase=RETRAIN)
    log.add("tested", trial=name, epoch=4, validation={"loss": 0.1}, test={"loss": 0.1, "rmse_dollars": 1.0})


def _save_model(plan: Plan) -> None:
    task, configuration = plan.task, Configuration(hidden_size=2)
    facts: dict[str, Any] = {"data": str(plan.data), "options": asdict(plan.options), "subset": plan.subset}
    train = task.load(plan.data, plan.options).train
    model, weights = task.model(train), task.build(configuration, train).state_dict()
    facts |= {"test": {"loss": 0.5, "rmse_dollars": 1.0}, "class_names": None}
    saved.save(plan.folder / "best", task.name, configuration, model, weights, **facts)


@every_command
def test_every_command_takes_the_whole_folder(sweeps, command):
    assert check_command(command, sweeps["none"]) == 0
    assert check_command(command, sweeps["asha"]) == (2 if command in ("replay", "check a replay") else 0)


def drawn(data: st.DataObject, sweeps: Mapping[str, Mapping[str, bytes]]) -> dict[str, bytes]:
    """One of the sweeps, finished or cut off after any of its events."""
    files = dict(data.draw(st.sampled_from(list(sweeps.values()))))
    lines = files[EVENTS].splitlines(keepends=True)
    files[EVENTS] = b"".join(lines[: data.draw(st.sampled_from([len(lines), len(lines) - 1, *range(len(lines))]))])
    return files


@every_command
@pytest.mark.parametrize("name", [PLAN, EVENTS])
@fuzz(12)
@given(data=st.data())
def test_changed_bytes_are_refused_or_do_no_harm(sweeps, command, name, data):
    files = drawn(data, sweeps)
    check_command(command, files | {name: damaged(data, files[name] or b"\n")})


@every_command
@fuzz(25)
@given(data=st.data())
def test_lines_that_are_lost_doubled_moved_or_cut_are_refused_or_do_no_harm(sweeps, command, data):
    files = drawn(data, sweeps)
    lines = files[EVENTS].splitlines(keepends=True) or [b"\n"]
    for _ in range(data.draw(st.integers(1, 3))):
        place, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        change = data.draw(st.sampled_from(["lost", "doubled", "moved", "cut"]))
        if change == "lost" and len(lines) > 1:
            del lines[place]
        elif change == "doubled":
            lines.insert(other, lines[place])
        elif change == "moved":
            lines.insert(other, lines.pop(place))
        else:
            lines[place] = lines[place][: len(lines[place]) // 2]
    check_command(command, files | {EVENTS: b"".join(lines)})


PLACES = ("data", "storage", "warm_start")
"""Parts of a plan that name places on this machine: no test goes there."""


@every_command
@fuzz(25)
@given(data=st.data(), value=JSON)
def test_a_plan_of_other_values_is_refused_or_does_no_harm(sweeps, command, data, value):
    files = drawn(data, sweeps)
    plan = json.loads(files[PLAN])
    change(data, plan, value, [name for name in plan if name not in PLACES])
    check_command(command, files | {PLAN: json.dumps(plan).encode()})


@every_command
@fuzz(25)
@given(data=st.data(), value=JSON)
def test_events_of_other_values_are_refused_or_do_no_harm(sweeps, command, data, value):
    files = drawn(data, sweeps)
    events = [json.loads(line) for line in files[EVENTS].splitlines()]
    if events:
        event = data.draw(st.sampled_from(events))
        change(data, event, value, list(event))
    check_command(command, files | {EVENTS: b"".join(json.dumps(event).encode() + b"\n" for event in events)})


def change(data: st.DataObject, whole: dict[str, Any], value: Any, names: Sequence[str]) -> None:
    """Give one part of an object another value, or take it away; the part may be deep inside."""
    name = data.draw(st.sampled_from(names))
    part = whole[name]
    if isinstance(part, dict) and part and data.draw(st.booleans()):
        change(data, part, value, list(part))
    elif data.draw(st.integers(0, 5)):
        whole[name] = value
    else:
        del whole[name]


@pytest.mark.parametrize("name", [PLAN, EVENTS])
@every_command
def test_a_file_that_cannot_be_read_is_one_line(sweeps, command, name):
    """A folder is in its place."""
    files = {other: content for other, content in sweeps["none"].items() if other != name}
    status = check_command(command, files | {f"{name}/file": b""})
    assert status == (0 if command == "evaluate" and name == EVENTS else 2)
