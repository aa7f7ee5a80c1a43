"""Which trial comes next: one that was interrupted, one that is promoted, or a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sweeps.scheduling.base import Scheduler


class TrialQueue:
    """Hands out the trials of a phase, no more than there is room for.

    Args:
        scheduler: says when there is room, and which trial is promoted.
        returning: open trials of earlier sessions: those that were training come first, those that wait at a rung come
            when they are promoted.
        has_more: whether a new trial can be asked for.
        ask: asks for a new trial and gives its name.
        on_promote: is told the name of a trial that is promoted.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        returning: Iterable[str],
        has_more: Callable[[], bool],
        ask: Callable[[], str],
        on_promote: Callable[[str], None] = lambda trial: None,
    ) -> None:
        self.scheduler, self.returning = scheduler, list(returning)
        self.has_more, self.ask, self.on_promote = has_more, ask, on_promote

    def next(self) -> str | None:
        """The name of the next trial to start; None while there is none, or no room for it."""
        cut_off = self._cut_off()
        if not self.scheduler.has_capacity:
            return None
        if cut_off:
            return self._take(cut_off[0])
        promoted = self.scheduler.next_to_resume()
        if promoted in self.returning:
            self.promote(promoted)
            return self._take(promoted)
        if promoted or self.scheduler.is_exhausted:
            return None  # Tune resumes the promoted trial: this session paused it
        return self.ask()

    def promote(self, trial: str) -> None:
        """Promote a paused trial."""
        self.scheduler.resume(trial)
        self.on_promote(trial)

    def come_again(self, trial: str) -> None:
        """A trial lost its process: hand it out again."""
        self.returning.append(trial)
        self.scheduler.is_exhausted = False

    @property
    def is_over(self) -> bool:
        """Whether no trial will train any more; False while one is running, since it may have to start again."""
        self._cut_off()
        return self.scheduler.is_over

    def _cut_off(self) -> list[str]:
        """Interrupted trials, which start before any other; also tells the scheduler whether new ones are left."""
        cut_off = [trial for trial in self.returning if not self.scheduler.must_wait(trial)]
        self.scheduler.is_exhausted = not cut_off and not self.has_more()
        return cut_off

    def _take(self, trial: str) -> str:
        self.returning.remove(trial)
        return trial
