"""Checks a cluster file before it costs anything: python cluster/check.py cluster/gpu.yaml

One line for each fault, and exit status 2. Ray's own loaders let most of these pass, and what they let pass shows
minutes later, on machines that are paid for: a spot request that is none, a GPU that trials wait for and nobody has.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from clouds import PROVIDERS, did_you_mean
from kuberay import job_faults

COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)
TOKEN = "~/.ray/auth_token"


def faults(path: Path) -> list[str]:
    """What is wrong with a cluster file of Ray's, or with a RayJob of Kubernetes'; nothing is started or asked.

    Sources of `file_mounts` are looked for from the current folder, as Ray does.
    """
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except OSError as error:
        return [f"cannot be read: {error.strerror}"]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return [f"is no YAML: {' '.join(str(error).split())}"]
    if not documents or not all(isinstance(document, dict) for document in documents):
        return ["must be a mapping of keys to values"]
    found: list[str] = []
    try:
        for fault in _faults(documents):
            found.append(fault)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        return found or [f"a value is missing or of the wrong kind: {reason}"]  # what was found before it says more
    return found


def _faults(documents: list[dict[str, Any]]) -> Iterator[str]:
    left = [f"{where}: write your own in the place of {value}" for where, value in _placeholders(documents, "")]
    yield from left
    if "apiVersion" in documents[0]:
        yield from job_faults(documents)
        return
    config = documents[0]
    wrong = [*_schema(config)]
    yield from wrong
    if not left and not wrong:
        for check in (_types, _commands, _start, _mounts, _ray):
            yield from check(config)


def _placeholders(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Values that hold YOUR-..., and where they are."""
    if isinstance(value, str) and "YOUR-" in value:
        yield where.lstrip("."), value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _placeholders(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _placeholders(inner, where)


def _schema(config: dict[str, Any]) -> Iterator[str]:
    """Ray's own schema, all of its complaints, with the key that was probably meant."""
    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    for error in jsonschema.Draft7Validator(schema).iter_errors(config):
        where = ".".join(map(str, error.absolute_path))
        if error.validator == "additionalProperties":
            for key in sorted(set(error.instance) - set(error.schema["properties"]), key=str):
                yield f"{where}{'.' * bool(where)}{key}: unknown key{did_you_mean(key, error.schema['properties'])}"
        else:
            yield f"{where or 'the file'}: {error.message}"
    kind = (config.get("provider") or {}).get("type") if isinstance(config.get("provider"), dict) else None
    if str(kind) not in PROVIDERS:
        yield f"provider.type: must be one of {', '.join(PROVIDERS)}, got {kind!r}"
    elif kind != "local" and not config.get("available_node_types"):
        yield "available_node_types: missing; name a head and at least one type of worker"


def _types(config: dict[str, Any]) -> Iterator[str]:
    """Node types: a head without trials, workers with the GPUs that their machines have, counts that agree."""
    types, head = config.get("available_node_types", {}), config.get("head_node_type")
    if types and head not in types:
        yield f"head_node_type: must be one of {', '.join(types)}, got {head!r}"
    most = config.get("max_workers", 2)  # Ray's default
    for name, kind in types.items():
        where, resources = f"available_node_types.{name}", kind["resources"]
        if kind.get("max_workers", 0) > most:
            yield f"{where}.max_workers: {kind['max_workers']} is above the cluster's max_workers, {most}"
        if kind.get("min_workers", 0) > kind.get("max_workers", most):
            yield f"{where}.min_workers: {kind['min_workers']} is above its max_workers"
        if name == head and (resources.get("CPU") != 0 or resources.get("GPU", 0)):
            yield f"{where}.resources: must be {{CPU: 0}}, so that no trial runs on the head, got {resources}"
        provider = PROVIDERS[config["provider"]["type"]]
        yield from (f"{where}.node_config{fault}" for fault in provider.faults(kind["node_config"]))
        if name != head:
            yield from (f"{where}.{fault}" for fault in _gpus(resources.get("GPU", 0), kind["node_config"], provider))
    yield from PROVIDERS[config["provider"]["type"]].provider_faults(config["provider"])


def _gpus(claimed: int, node_config: dict[str, Any], provider: Any) -> Iterator[str]:
    machine, actual = provider.gpus(node_config)
    if actual is None:
        yield f"node_config: {machine} is in no table of GPUs; add it to cluster/clouds.py"
    elif not actual:
        yield f"node_config: a worker needs a GPU, and {machine} has none"
    elif claimed != actual:
        yield f"resources.GPU: must be what {machine} has, {actual}, got {claimed}"


def _commands(config: dict[str, Any]) -> Iterator[str]:
    """Shell commands that are there, and that bash can read."""
    if not config.get("setup_commands"):
        yield "setup_commands: missing; Ray would install a nightly build of itself, or nothing"
    places = {key: config.get(key, []) for key in COMMANDS}
    for name, kind in config.get("available_node_types", {}).items():
        places |= {f"available_node_types.{name}.{key}": kind[key] for key in COMMANDS if key in kind}
    for where, commands in places.items():
        yield from syntax_faults(where, commands)


def syntax_faults(where: str, commands: Iterable[str]) -> Iterator[str]:
    """Commands that bash cannot read."""
    for number, command in enumerate(commands, 1):
        read = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True)
        if read.returncode:
            reason = read.stderr.strip().splitlines()[0].removeprefix("bash: ")
            yield f"{where}, command {number}: bash cannot read it: {reason}"


def _start(config: dict[str, Any]) -> Iterator[str]:
    """How Ray is started: with the autoscaler, behind the token, and reachable from the head alone."""
    wanted = {
        "head_start_ray_commands": ("ray start --head", "--autoscaling-config", "RAY_AUTH_MODE=token"),
        "worker_start_ray_commands": ("ray start --address", "RAY_AUTH_MODE=token"),
    }
    reasons = {
        "--autoscaling-config": "no worker would ever be started",
        "RAY_AUTH_MODE=token": "everybody who reaches a machine could run code on it",
    }
    for where, words in wanted.items():
        commands = " ; ".join(config.get(where, []))
        for word in words:
            if word not in commands:
                yield f"{where}: must have {word!r}: {reasons.get(word, 'Ray would not be started')}"
        if "0.0.0.0" in commands:
            yield f"{where}: the dashboard must listen on the head's loopback alone; leave --dashboard-host out"


def _mounts(config: dict[str, Any]) -> Iterator[str]:
    """Files that are sent to every machine: each there, the token among them."""
    mounts = config.get("file_mounts", {})
    for there, here in mounts.items():
        if not os.path.exists(os.path.expanduser(str(here))):
            make = "; make it: ray get-auth-token --generate" if here == TOKEN else f" (looked for from {Path.cwd()})"
            yield f"file_mounts.{there}: {here} does not exist{make}"
    if TOKEN not in mounts:
        yield f"file_mounts: must have {TOKEN}, or no machine could join"


def _ray(config: dict[str, Any]) -> Iterator[str]:
    """What Ray's own loaders say."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it warns of Docker where there is none
            validate_config(prepare_config(config))
    except (Exception, SystemExit) as error:  # whatever they raise, they refuse the file
        yield f"Ray refuses it: {' '.join(str(error).split())}"


def main(paths: list[str]) -> int:
    """Check each file; returns the exit status."""
    if "--help" in paths:
        print(__doc__)
        return 0
    if not paths:
        print("error: name a file: python cluster/check.py cluster/gpu.yaml", file=sys.stderr)
        return 2
    found = {path: faults(Path(path)) for path in paths}
    for path, lines in found.items():
        for line in lines:
            print(f"error: {path}: {line}", file=sys.stderr)
        if not lines:
            print(f"{path}: no fault found")
    return 2 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
