"""What the checker knows of each cloud: the fields of its machines, and their GPUs."""

from __future__ import annotations

import difflib
import importlib.resources
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

AWS_GPUS: dict[str, dict[str, int]] = {
    "g4dn": {"12xlarge": 4, "metal": 8},
    "g5": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    "g6": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    "g6e": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    "p4d": {"24xlarge": 8},
    "p5": {"48xlarge": 8},
    "p5en": {"48xlarge": 8},
}
"""GPUs by family and size of those with x86 processors and CUDA 13; a size that is not named has one."""
GCP_GPUS = {"g2-standard-24": 2, "g2-standard-48": 4, "g2-standard-96": 8}
"""GPUs of machine types that come with some; other g2 types have one, a2 and a3 types say it in their names."""
OPEN = {"0.0.0.0/0", "::/0"}


def did_you_mean(word: object, words: Iterable[str]) -> str:
    """The end of a message: what was probably meant, or all that is allowed where that is short."""
    words = sorted(map(str, words))
    close = difflib.get_close_matches(str(word), words, 1)
    return f"; did you mean {close[0]}?" if close else f"; one of {', '.join(words)}" if len(words) < 16 else ""


class Aws:
    """EC2; fields as botocore's own description of RunInstances has them."""

    @staticmethod
    def faults(node_config: dict[str, Any]) -> Iterator[str]:
        """Unknown fields and values of a machine, and an image that nobody chose."""
        yield from _aws_shape(node_config, _run_instances(), "")
        if not re.fullmatch(r"ami-[0-9a-f]{8,17}|resolve:ssm:/.+", str(node_config.get("ImageId"))):
            yield (
                f".ImageId: must be ami-... or resolve:ssm:/..., got {node_config.get('ImageId')!r}; "
                "Ray's own choice is Ubuntu 18.04 with CUDA 11.2, too old for torch"
            )

    @staticmethod
    def provider_faults(provider: dict[str, Any]) -> Iterator[str]:
        """A region that is missing, and ports that are open to the world."""
        if not provider.get("region"):
            yield "provider.region: missing, as us-west-2"
        for rule in provider.get("security_group", {}).get("IpPermissions", []):
            ranges = [one.get("CidrIp") for one in rule.get("IpRanges", [])]
            ranges += [one.get("CidrIpv6") for one in rule.get("Ipv6Ranges", [])]
            if OPEN & set(ranges) and not rule.get("FromPort") == rule.get("ToPort") == 22:
                ports = f"{rule.get('FromPort')} to {rule.get('ToPort')}"
                yield f"provider.security_group: ports {ports} are open to the world; only 22 (SSH) may be"

    @staticmethod
    def gpus(node_config: dict[str, Any]) -> tuple[str, int | None]:
        """The machine's type and its GPUs; None if they are not known."""
        kind = str(node_config.get("InstanceType"))
        family, _, size = kind.partition(".")
        if family in AWS_GPUS:
            return kind, AWS_GPUS[family].get(size, 1)
        return kind, None if family[:1] in ("g", "p") else 0


class Gcp:
    """Compute Engine; fields as its discovery document has them."""

    @staticmethod
    def faults(node_config: dict[str, Any]) -> Iterator[str]:
        """Unknown fields and values of a machine."""
        yield from _gcp_schema(node_config, "Instance", "")
        if not any("sourceImage" in disk.get("initializeParams", {}) for disk in node_config.get("disks", [])):
            yield ".disks: the first one needs initializeParams.sourceImage, the image that the machine starts from"

    @staticmethod
    def provider_faults(provider: dict[str, Any]) -> Iterator[str]:
        """What Ray needs to know of the project."""
        for key in ("region", "availability_zone", "project_id"):
            if not provider.get(key):
                yield f"provider.{key}: missing"

    @staticmethod
    def gpus(node_config: dict[str, Any]) -> tuple[str, int | None]:
        """The machine's type and its GPUs."""
        kind = str(node_config.get("machineType")).rpartition("/")[2]
        added = sum(int(one.get("acceleratorCount", 0)) for one in node_config.get("guestAccelerators", []))
        named = re.search(r"^a[23]-\w+-(\d+)g", kind)
        own = int(named[1]) if named else GCP_GPUS.get(kind, 1) if kind.startswith("g2-") else 0
        return kind, added or own


class Local:
    """Machines of one's own; Ray asks them what they have."""

    @staticmethod
    def faults(node_config: dict[str, Any]) -> Iterator[str]:
        """Nothing to say: there are no node types."""
        return iter(())

    @staticmethod
    def provider_faults(provider: dict[str, Any]) -> Iterator[str]:
        """Which machines there are."""
        if not provider.get("head_ip") or not provider.get("worker_ips"):
            yield "provider: needs head_ip and worker_ips"
        elif provider["head_ip"] in provider["worker_ips"]:
            yield f"provider.worker_ips: {provider['head_ip']} is the head; a machine is the one or the other"

    @staticmethod
    def gpus(node_config: dict[str, Any]) -> tuple[str, int | None]:
        """Not known before it is asked."""
        return "a machine of your own", None


PROVIDERS: dict[str, Any] = {"aws": Aws, "gcp": Gcp, "local": Local}


@cache
def _run_instances() -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape


def _aws_shape(value: Any, shape: Any, where: str) -> Iterator[str]:
    """Where a value departs from botocore's shape of it: keys, types, and the values that an enumeration allows."""
    python = {"structure": dict, "list": list, "string": str, "integer": int, "boolean": bool}.get(shape.type_name)
    if python and not isinstance(value, python):
        yield f"{where}: must be a {shape.type_name}, got {value!r}"
    elif shape.type_name == "structure":
        for key, inner in value.items():
            if key in shape.members:
                yield from _aws_shape(inner, shape.members[key], f"{where}.{key}")
            elif (where, key) != ("", "SubnetIds"):  # Ray's own
                yield f"{where}.{key}: unknown key{did_you_mean(key, shape.members)}"
    elif shape.type_name == "list":
        for number, inner in enumerate(value):
            yield from _aws_shape(inner, shape.member, f"{where}[{number}]")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{where}: {value!r} is not known{did_you_mean(value, shape.enum)}"


@cache
def _compute() -> dict[str, Any]:
    folder = importlib.resources.files("googleapiclient.discovery_cache.documents")
    return dict(json.loads((folder / "compute.v1.json").read_text())["schemas"])


def _gcp_schema(value: Any, name: str, where: str) -> Iterator[str]:
    """Where a value departs from a schema of the discovery document."""
    properties = _compute()[name]["properties"]
    for key, inner in value.items():
        if key not in properties:
            yield f"{where}.{key}: unknown key{did_you_mean(key, properties)}"
            continue
        schema, below = properties[key], f"{where}.{key}"
        if schema.get("type") == "array" and not isinstance(inner, list):
            yield f"{below}: must be a list, got {inner!r}"
            continue
        items = inner if schema.get("type") == "array" else [inner]
        schema = schema.get("items", schema)
        for item in items:
            if schema.get("type") == "integer" and not isinstance(item, int):
                yield f"{below}: must be an integer, got {item!r}"
            elif "$ref" in schema and isinstance(item, dict):
                yield from _gcp_schema(item, schema["$ref"], below)
            elif "$ref" in schema:
                yield f"{below}: must be a mapping, got {item!r}"
            elif "enum" in schema and item not in schema["enum"]:
                yield f"{below}: {item!r} is not known{did_you_mean(item, schema['enum'])}"
