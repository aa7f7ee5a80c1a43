"""Weights & Biases: a run is whole on the disk before its process ends."""

from __future__ import annotations

from ray.air.integrations.wandb import WandbLoggerCallback, _WandbLoggingActor


class _Actor(_WandbLoggingActor):
    """The process of one run; Ray kills it as soon as `run` returns."""

    def run(self) -> None:
        """Log until the end, and wait for W&B's own process, which may not have written all when `finish` returns."""
        super().run()
        self._wandb.teardown()


class WandbRuns(WandbLoggerCallback):
    """Ray's callback, with these processes."""

    _logger_actor_cls = _Actor
