"""Whether every machine that will train sees the place where trials keep their checkpoints."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ae.errors import UserError
from sweeps.engine.room import Room
from sweeps.storage.filesystem import reason, sees, token

ANSWER_S = 60.0
"""Seconds within which a machine must answer; it may have to start a process first."""
LOOK_S = 5.0
"""Seconds that a machine looks for: network file systems remember for a while that a file was not there."""


def check_nodes(room: Room) -> None:
    """Have every other machine that can train look for a file that this one has just written.

    Raises:
        UserError: if one does not see it, naming it.
    """
    plan, here = room.plan, ray.get_runtime_context().get_node_id()
    alive = [node for node in ray.nodes() if node["Alive"] and node["NodeID"] != here]
    others = [node for node in alive if _trains(node["Resources"], room.needs)]
    if not others:
        return
    place = plan.storage or str(next(one for one in plan.folder.absolute().parents if one.exists()))
    try:
        with token(place) as path:
            asked = {_ask(node["NodeID"], place, path): node["NodeManagerAddress"] for node in others}
            answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S)
            answers = {asked[look]: _answer(look) for look in answered}
            answers |= {asked[look]: f"did not answer within {ANSWER_S:g} s" for look in silent}
    except (OSError, ValueError) as error:
        raise UserError(f"{place}: cannot be written: {reason(error)}") from None
    for address, trouble in answers.items():
        if trouble:
            where = f"--storage {plan.storage}" if plan.storage else f"the results folder {plan.folder}"
            rule = "give --storage, a bucket or a folder that every machine sees"
            raise UserError(f"{where}: the machine {address} {trouble}; {rule}")


def _trains(has: Mapping[str, float], needs: Mapping[str, float]) -> bool:
    return all(has.get(kind, 0.0) >= amount for kind, amount in needs.items())


def _ask(node: str, place: str, path: str) -> Any:
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    return _looks.options(scheduling_strategy=strategy).remote(place, path)


@ray.remote(num_cpus=0, max_retries=0)
def _looks(place: str, path: str) -> bool:
    end = time.monotonic() + LOOK_S
    while not sees(place, path):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def _answer(look: Any) -> str:
    """What is wrong on that machine, in words; empty if nothing is."""
    try:
        return "" if ray.get(look) else "does not see it"
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"cannot look for it ({lines[-1] if lines else type(error).__name__})"
