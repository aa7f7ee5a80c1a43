"""Where trials come from: an Optuna study, for a grid and for a sampler alike."""

from __future__ import annotations

import json
import math
import os
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal._file import LOCK_FILE_SUFFIX
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import FrozenTrial, TrialState
from ray.tune.search import Searcher

from ae.configuration import Configuration
from sweeps.config.plan import Plan
from sweeps.config.schedulers import SCHEDULERS
from sweeps.engine.turns import Turns
from sweeps.records.ledger import DIVERGED, FAILED, FINISHED, STOPPED, Entry, Ledger
from sweeps.records.tables import CURVES
from sweeps.search import journal
from sweeps.search.samplers import seen
from sweeps.search.warm_start import OLDER
from sweeps.storage.folder import Unusable


def open_(plan: Plan) -> optuna.Study:
    """The study in the results folder's `study.log`, which optuna-dashboard opens as it is; new if there is none yet.

    Raises:
        Unusable: if the file cannot be read.
    """
    path = plan.folder / journal.STUDY
    direction = "maximize" if plan.task.objective.mode == "max" else "minimize"

    def load() -> optuna.Study:
        storage = journal.storage(plan.folder)
        if storage.get_all_studies():  # its name stays, whatever the folder is called by now
            return optuna.load_study(study_name=None, storage=storage)
        name = f"{plan.task.name}/{plan.name}"
        return optuna.create_study(storage=storage, study_name=name, direction=direction)

    try:
        _mend(path)
        study = load()
        if plan.search == "optuna" and own(study) and len(own(study)[-1].params) < len(plan.space):
            _forget_last(path)
            study = load()
    except journal.DAMAGED as error:
        raise Unusable(f"{path}: not a whole Optuna study: {error}; begin a new sweep") from None
    if not study.user_attrs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([f"validation {plan.task.objective.metric}"])
        for key, value in {"command": plan.command, "scheduler": plan.scheduler, "seed": plan.seed}.items():
            study.set_user_attr(key, value)
    if plan.search == "grid":
        for point in plan.points[len(study.get_trials(deepcopy=False)) :]:
            study.enqueue_trial(point)
    return study


def ledger_of(plan: Plan) -> Ledger:
    """The ledger of the search, which of a grid knows the trials beforehand."""
    points = plan.points if plan.search == "grid" else []
    return Ledger(
        "search",
        plan.folder,
        plan.task.objective,
        plan.trials,
        plan.budget.max_epochs,
        time_limit_s=plan.time_limit_s,
        planned={name_of(number): asdict(replace(plan.base, **point)) for number, point in enumerate(points)},
        expected=plan.expected,
        why_stopped=SCHEDULERS[plan.scheduler].why_stopped,
    )


def own(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that were asked for, those that an older sweep lent left out."""
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if trial.state != TrialState.WAITING and OLDER not in trial.user_attrs]


def _mend(path: Path) -> None:
    """Take off what a session left that was killed as it wrote: half a line, the lock. No other session is there."""
    path.with_name(path.name + LOCK_FILE_SUFFIX).unlink(missing_ok=True)
    if path.exists():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)


def _forget_last(path: Path) -> None:
    """Take off the last trial, which was not yet drawn to its end when a session was killed: it is drawn again."""
    lines = path.read_bytes().splitlines(keepends=True)
    codes = [json.loads(line)["op_code"] for line in lines]
    created = max(index for index, code in enumerate(codes) if code == JournalOperation.CREATE_TRIAL)
    os.truncate(path, len(b"".join(lines[:created])))


def agree(study: optuna.Study, base: Configuration, ledger: Ledger) -> None:
    """Bring the study and the ledger to say the same of trials that ended as a session died between the two.

    Raises:
        Unusable: if the ledger lacks reports that the study's trial had.
    """
    for trial in own(study):
        name = name_of(trial.number)
        entry = ledger.entries.get(name)
        if trial.state.is_finished() and (entry is None or entry.open):
            epochs, known = trial.user_attrs.get("epochs", 0), entry.epoch if entry else 0
            if known < epochs:
                rule = f"it ends at epoch {known} of trial {name}, which {journal.STUDY} has to epoch {epochs}"
                raise Unusable(f"{ledger.folder / CURVES}: {rule}; the file is damaged")
            configuration = asdict(replace(base, **trial.params))
            ledger.end_unseen(name, configuration, failed=trial.state == TrialState.FAIL)
        elif trial.state == TrialState.RUNNING and entry and not entry.open:
            tell(study, optuna.Trial(study, trial._trial_id), entry)


def configurations(study: optuna.Study, base: Configuration) -> dict[str, dict[str, Any]]:
    """The configuration of every trial that was asked for, by name."""
    return {name_of(trial.number): asdict(replace(base, **trial.params)) for trial in own(study)}


def name_of(number: int) -> str:
    """The name in every table of the study's trial of that number."""
    return f"{number:04d}"


class StudySearcher(Searcher):
    """Asks the study for each trial's hyperparameters and tells it how the trial ended.

    A trial that trained to its last epoch is COMPLETE with its best value, one stopped early is PRUNED, a diverged one
    is PRUNED and infeasible, which ranks it last, and a failed one is FAIL. Ray's own OptunaSearch calls stopped
    trials COMPLETE and leaves diverged ones RUNNING for ever.

    A study of an earlier session is gone on with: its trials that were training come first, those that wait at a rung
    come when they are promoted.

    Args:
        study: holds every trial; the points of a grid wait in it.
        plan: gives the space, the sampler, the number of trials and their last epoch.
        turns: says when there is room, and who is promoted.
    """

    def __init__(self, study: optuna.Study, plan: Plan, turns: Turns) -> None:
        objective = plan.task.objective
        super().__init__(metric=f"val_{objective.metric}", mode=objective.mode)
        self.study, self.plan, self.turns = study, plan, turns
        asked = own(study)
        self.asked = len(asked)
        self.to_come = {name_of(trial.number): trial._trial_id for trial in asked if trial.state == TrialState.RUNNING}
        """Trials of earlier sessions, and those that come again, by name, with the study's own number of them."""
        self.names: dict[str, str] = {}
        """Of every trial that was handed out, by Tune's own number of it."""
        self.trials: dict[str, optuna.Trial] = {}
        """Those that have not ended, by name."""
        self.reported: dict[str, int] = {}
        """The last epoch that the study knows of a trial, which may train it again after a fault."""

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's name and configuration; None while there is no room, FINISHED when no trial will come."""
        turns = self.turns
        cut_off = [name for name in self.to_come if not turns.waits(name)]
        turns.exhausted = exhausted = not cut_off and self.asked == self.plan.trials
        if turns.over:
            turns.ledger.over = True
            return str(Searcher.FINISHED)
        if not turns.free:
            return None
        if cut_off:
            return self._again(trial_id, cut_off[0])
        promoted = turns.promotion()
        if promoted and promoted in self.to_come:
            turns.promote(promoted)
            return self._again(trial_id, promoted)
        if promoted or exhausted:
            return None  # Tune knows the promoted trial, and lets it go on
        return self._ask(trial_id)

    def _again(self, trial_id: str, name: str) -> dict[str, Any]:
        """A trial of an earlier session; a grid's that was cut off while it was being asked for is asked to the end."""
        found = self.study.get_trials(deepcopy=False)[int(name)]
        trial = optuna.Trial(self.study, self.to_come.pop(name))
        self.reported[name] = max(found.intermediate_values, default=0)
        for hyperparameter, distribution in self.plan.space.items():
            trial._suggest(hyperparameter, distribution)
        return self._run(trial_id, trial)

    def _ask(self, trial_id: str) -> dict[str, Any]:
        study, plan = self.study, self.plan
        if plan.search == "optuna":
            study = seen(study, plan.sampler, plan.seed, self.asked)
        self.asked += 1
        return self._run(trial_id, study.ask(dict(plan.space)))

    def _run(self, trial_id: str, trial: optuna.Trial) -> dict[str, Any]:
        name = self.names[trial_id] = name_of(trial.number)
        self.trials[name] = trial
        return {"run": {"trial": name, "configuration": asdict(replace(self.plan.base, **trial.params))}}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hand a validation to the study as an intermediate value, its step the epoch."""
        name, value, epoch = self.names[trial_id], result[self.metric], result["epoch"]
        if name not in self.trials:  # its end was told, and a later callback failed: Tune tries it again
            return
        if math.isfinite(value) and epoch > self.reported.get(name, 0):
            self.trials[name].report(value, step=epoch)
            self.reported[name] = epoch

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A trial that comes again waits for its turn; of others the ledger has still to say how they ended.

        Of a report that ends a trial, or stops it, Tune tells here alone.
        """
        if result:
            self.on_trial_result(trial_id, result)
        name = self.names[trial_id]
        if error and name in self.trials and name in self.turns.ledger.again:
            self.to_come[name] = self.trials.pop(name)._trial_id

    def ended(self, entry: Entry) -> None:
        """The ledger has said how a trial ended: tell the study."""
        if trial := self.trials.pop(entry.name, None):
            tell(self.study, trial, entry)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is written as the sweep goes, and `--resume` reads that."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as nothing was saved."""


def tell(study: optuna.Study, trial: optuna.Trial, entry: Entry) -> None:
    """End a trial of the study as the ledger says; why it ended, its epochs and seconds become user attributes."""
    told = {"status": entry.status, "reason": entry.reason, "epochs": entry.epoch, "train_s": round(entry.train_s, 3)}
    for name, value in told.items():
        trial.set_user_attr(name, value)
    if entry.status == DIVERGED:
        trial.set_constraint("diverged", 1.0)
    state = {FINISHED: TrialState.COMPLETE, FAILED: TrialState.FAIL}.get(entry.status, TrialState.PRUNED)
    study.tell(trial, entry.best if state == TrialState.COMPLETE else None, state=state)


def close(study: optuna.Study, ledger: Ledger) -> None:
    """Tell the study of trials of an earlier session that waited at a rung to the end; Tune does not know them."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        entry = ledger.entries.get(name_of(trial.number))
        if entry and entry.status == STOPPED:
            tell(study, optuna.Trial(study, trial._trial_id), entry)
