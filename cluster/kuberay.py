"""Checks a RayJob of KubeRay's: the fields that its operator knows, GPUs of the workers, one image, the token.

Fields are those of KubeRay 1.5.1 (ray-operator/apis/ray/v1/rayjob_types.go, raycluster_types.go); what lies inside a
pod's template is Kubernetes' own matter, and `kubectl apply --dry-run=server` checks it against a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clouds import did_you_mean

JOB = {
    "activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint", "entrypointNumCpus",
    "entrypointNumGpus", "entrypointResources", "jobId", "managedBy", "metadata", "rayClusterSpec", "runtimeEnvYAML",
    "shutdownAfterJobFinishes", "submissionMode", "submitterConfig", "submitterPodTemplate", "suspend",
    "ttlSecondsAfterFinished",
}  # fmt: skip
CLUSTER = {
    "authOptions", "autoscalerOptions", "enableInTreeAutoscaling", "gcsFaultToleranceOptions", "headGroupSpec",
    "headServiceAnnotations", "managedBy", "rayVersion", "suspend", "upgradeStrategy", "workerGroupSpecs",
}  # fmt: skip
HEAD = {"enableIngress", "headService", "labels", "rayStartParams", "resources", "serviceType", "template"}
WORKERS = {
    "groupName", "idleTimeoutSeconds", "labels", "maxReplicas", "minReplicas", "numOfHosts", "rayStartParams",
    "replicas", "resources", "scaleStrategy", "suspend", "template",
}  # fmt: skip
GPU = "nvidia.com/gpu"


def job_faults(documents: list[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with the RayJobs of a Kubernetes file; other objects beside them are not looked at."""
    jobs = [document for document in documents if document.get("kind") == "RayJob"]
    if not jobs:
        yield "kind: one object at least must be a RayJob"
    for job in jobs:
        if job.get("apiVersion") != "ray.io/v1":
            yield f"apiVersion: must be ray.io/v1, got {job.get('apiVersion')!r}"
        try:
            yield from _job(job["spec"])
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            yield f"spec: missing or of the wrong kind: {error}"


def _job(spec: dict[str, Any]) -> Iterator[str]:
    cluster = spec["rayClusterSpec"]
    head, groups = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    yield from _unknown(spec, JOB, "spec")
    yield from _unknown(cluster, CLUSTER, "spec.rayClusterSpec")
    yield from _unknown(head, HEAD, "spec.rayClusterSpec.headGroupSpec")
    if not spec.get("entrypoint"):
        yield "spec.entrypoint: missing: the command of the job"
    if not spec.get("shutdownAfterJobFinishes"):
        yield "spec.shutdownAfterJobFinishes: must be true, or the GPUs are kept when the sweep has ended"
    if cluster.get("authOptions") != {"mode": "token"}:
        yield "spec.rayClusterSpec.authOptions: must be {mode: token}, or everybody in the network could run code"
    if head["rayStartParams"].get("num-cpus") != "0":
        yield 'spec.rayClusterSpec.headGroupSpec.rayStartParams: num-cpus must be "0": no trial runs on the head'
    for group in groups:
        yield from _group(group, f"spec.rayClusterSpec.workerGroupSpecs {group.get('groupName')!r}")
    images = {_container(group)["image"] for group in [head, *groups]}
    if len(images) > 1:
        yield f"image: head and workers must have the same, got {', '.join(sorted(images))}"


def _group(group: dict[str, Any], where: str) -> Iterator[str]:
    yield from _unknown(group, WORKERS, where)
    counts = [int(group.get(name, -1)) for name in ("minReplicas", "replicas", "maxReplicas")]
    if min(counts) < 0 or counts != sorted(counts):
        yield f"{where}: must have minReplicas <= replicas <= maxReplicas, got {counts}"
    resources = _container(group).get("resources", {})
    limit, request = (resources.get(kind, {}).get(GPU) for kind in ("limits", "requests"))
    if not limit or int(limit) < 1:
        yield f"{where}: a worker needs a GPU: resources.limits must have {GPU}"
    if request is not None and request != limit:
        yield f"{where}: requests and limits of {GPU} must be equal, got {request} and {limit}"
    told = group.get("rayStartParams", {}).get("num-gpus")
    if told is not None and str(told) != str(limit):
        yield f"{where}: rayStartParams.num-gpus must be the limit of {GPU}, {limit}, got {told}"


def _container(group: dict[str, Any]) -> dict[str, Any]:
    return dict(group["template"]["spec"]["containers"][0])


def _unknown(mapping: dict[str, Any], known: set[str], where: str) -> Iterator[str]:
    for key in sorted(set(mapping) - known, key=str):
        yield f"{where}.{key}: unknown key{did_you_mean(key, known)}"
