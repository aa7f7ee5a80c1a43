"""The files in cluster/ as the checker, Ray's own loaders and the shell see them; and what the checker refuses."""

from pathlib import Path

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FILES = sorted(path.name for path in (ROOT / "cluster").glob("*.yaml"))


@pytest.fixture
def check(tmp_path, monkeypatch, capsys, cluster_module):
    """Runs the checker on a file's content, from the project's root, with a token at home; gives status and lines."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("token")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(ROOT)

    def check(content):
        path = tmp_path / "cluster.yaml"
        path.write_text(content)
        status = cluster_module("check").main([str(path)])
        captured = capsys.readouterr()
        return status, [line.replace(f"error: {path}: ", "") for line in captured.err.splitlines()], captured.out

    return check


def spoil(name, old, new):
    content = (ROOT / "cluster" / name).read_text()
    assert content.count(old), f"{name} has no {old!r}"
    return content.replace(old, new, 1)


@pytest.mark.parametrize("name", FILES)
def test_every_file_passes(check, name):
    status, errors, output = check((ROOT / "cluster" / name).read_text().replace("YOUR-", "my-"))
    assert (status, errors) == (0, [])
    assert "no fault found" in output


@pytest.mark.parametrize("name", [name for name in FILES if name != "gpu.yaml"])
def test_what_everybody_must_write_for_himself_is_named(check, name):
    status, errors, _ = check((ROOT / "cluster" / name).read_text())
    assert status == 2
    assert errors
    assert all("write your own in the place of" in line for line in errors)


SPOILED = {
    "an unknown key": ("max_workers: 8\n", "max_worker: 8\n", "max_worker: unknown key; did you mean max_workers?"),
    "a key of a type": (
        "min_workers: 0",
        "min_worker: 0",
        "gpu-spot.min_worker: unknown key; did you mean min_w",
    ),
    "spott": (
        "MarketType: spot}",
        "MarketType: spott}",
        "gpu-spot.node_config.InstanceMarketOptions.MarketType: 'spott' is not known; did you mean spot?",
    ),
    "a machine that does not exist": ("m6i.large", "m6i.larg", "'m6i.larg' is not known; did you mean m6i.large?"),
    "an unknown key of a machine": ("InstanceType: g4dn", "Instancetype: g4dn", "did you mean InstanceType?"),
    "a worker with no GPU": (
        "InstanceType: g4dn.xlarge # one T4",
        "InstanceType: m6i.xlarge # one T4",
        "gpu-spot.node_config: a worker needs a GPU, and m6i.xlarge has none",
    ),
    "a wrong GPU count": (
        "{CPU: 4, GPU: 1} # what",
        "{CPU: 4, GPU: 4} # what",
        "gpu-spot.resources.GPU: must be what g4dn.xlarge has, 1, got 4",
    ),
    "no GPU resource": ("{CPU: 4, GPU: 1} # what", "{CPU: 4} # what", "must be what g4dn.xlarge has, 1, got 0"),
    "trials on the head": ("resources: {CPU: 0}", "resources: {CPU: 2}", "no trial runs on the head, got {'CPU': 2}"),
    "a type's max above all": (
        "max_workers: 8\n    priority",
        "max_workers: 9\n    priority",
        "gpu-spot.max_workers: 9 is above the cluster's max_workers, 8",
    ),
    "more at least than at most": (
        "min_workers: 0",
        "min_workers: 9",
        "gpu-spot.min_workers: 9 is above its max",
    ),
    "a missing source": (
        ": cluster/requirements.txt",
        ": cluster/requirement.txt",
        "file_mounts.~/requirements.txt: cluster/requirement.txt does not exist (looked for from ",
    ),
    "no token": ("  ~/.ray/auth_token: ~/.ray/auth_token #", "  #", "file_mounts: must have ~/.ray/auth_token"),
    "a syntax error": (
        "grep -q RAY_AUTH_MODE ~/.bashrc ||",
        "if grep -q RAY_AUTH_MODE ~/.bashrc;",
        "setup_commands, command 4: bash cannot read it: line 2: syntax error",
    ),
    "no setup commands": (
        "\nsetup_commands:",
        "\nworker_setup_commands:",
        "setup_commands: missing; Ray would",
    ),
    "no autoscaling": (" --autoscaling-config=~/ray_bootstrap_config.yaml", "", "no worker would ever be started"),
    "no authentication": ("RAY_AUTH_MODE=token ray start --head", "ray start --head", "could run code on it"),
    "an open dashboard": ("--port=6379", "--port=6379 --dashboard-host=0.0.0.0", "leave --dashboard-host out"),
    "an old image": (
        "&image resolve:ssm:/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id",
        "&image latest_dlami",
        "got 'latest_dlami'; Ray's own choice is Ubuntu 18.04 with CUDA 11.2",
    ),
    "an open port": (
        "    GroupName: lstm-ae-sweeps\n",
        "    GroupName: lstm-ae-sweeps\n    IpPermissions:\n"
        "      - {FromPort: 8265, ToPort: 8265, IpProtocol: tcp, IpRanges: [{CidrIp: 0.0.0.0/0}]}\n",
        "ports 8265 to 8265 are open to the world; only 22 (SSH) may be",
    ),
    "a wrong kind of value": (
        "idle_timeout_minutes: 3",
        "idle_timeout_minutes: soon",
        "'soon' is not of type",
    ),
    "no such provider": ("type: aws", "type: asw", "provider.type: must be one of aws, gcp, local, got 'asw'"),
    "a list as provider": ("type: aws", "type: [aws]", "provider.type: must be one of aws, gcp, local, got ['aws']"),
    "a number as key": ("max_workers: 8\n", "max_workers: 8\n5: 1\n", "5: unknown key"),
    "a number as key of a machine": (
        "InstanceType: g4dn",
        "5: 1\n      InstanceType: g4dn",
        "node_config.5: unknown key",
    ),
    "a number as source": (": cluster/requirements.txt", ": 7", "file_mounts.~/requirements.txt: 7 does not exist"),
    "nobody's source": (": cluster/requirements.txt", ": ~nobody-here/x", "~nobody-here/x does not exist"),
    "ports without ranges": (
        "    GroupName: lstm-ae-sweeps\n",
        "    GroupName: lstm-ae-sweeps\n    IpPermissions: [{FromPort: 22, IpRanges: }]\n",
        "a value is missing or of the wrong kind: 'NoneType'",
    ),
    "a list in itself": (
        "provider:\n",
        "more: &a [*a]\nprovider:\n",
        "a value is missing or of the wrong kind: maximum",
    ),
    "a day that is none": ("provider:\n", "more: 2001-99-99\nprovider:\n", "is no YAML: month must be in 1..12"),
    "no YAML": ("provider:\n", "provider: [\n", "is no YAML: "),
}


@pytest.mark.parametrize("fault", SPOILED)
def test_a_spoiled_file_is_refused_with_its_reason(check, fault):
    old, new, words = SPOILED[fault]
    status, errors, _ = check(spoil("gpu.yaml", old, new))
    assert status == 2
    assert any(words in line for line in errors), errors
    assert all(len(line) < 400 for line in errors)


OTHERS = {
    "a field of GCP": ("gpu-gcp.yaml", "guestAccelerators:", "guestAccelerator:", "did you mean guestAccelerators?"),
    "a GPU count of GCP": (
        "gpu-gcp.yaml",
        "acceleratorCount: 1",
        "acceleratorCount: 2",
        "must be what n1-standard-4 has, 2",
    ),
    "a value of GCP": ("gpu-gcp.yaml", "Model: SPOT", "Model: SPOTT", "'SPOTT' is not known; did you mean SPOT?"),
    "a GPU count that is none": (
        "gpu-gcp.yaml",
        "acceleratorCount: 1",
        "acceleratorCount: x",
        "gpu-spot.node_config.guestAccelerators.acceleratorCount: must be an integer, got 'x'",
    ),
    "GPUs left empty": ("gpu-gcp.yaml", "[*gpu]", "", "guestAccelerators: must be a list, got None"),
    "disks left empty": ("gpu-gcp.yaml", "[*disk]", "", "disks: must be a list, got None"),
    "a disk that is none": ("gpu-gcp.yaml", "[*disk]", "[x]", "disks: must be a mapping, got 'x'"),
    "a disk left empty": (
        "gpu-gcp.yaml",
        "[*disk]",
        "[{initializeParams: }]",
        "initializeParams: must be a mapping, got",
    ),
    "no zone": ("gpu-gcp.yaml", "availability_zone: us", "region: us", "provider.availability_zone: missing"),
    "no workers": (
        "onprem.yaml",
        "worker_ips: [my-FIRST-WORKER-IP, my-SECOND-WORKER-IP]",
        "worker_ips: []",
        "needs head_ip",
    ),
    "the head as a worker": ("onprem.yaml", "my-FIRST-WORKER-IP", "my-HEAD-IP", "a machine is the one or the other"),
    "a field of KubeRay": (
        "kuberay.yaml",
        "maxReplicas",
        "maxReplica",
        "maxReplica: unknown key; did you mean maxReplicas?",
    ),
    "a spec of KubeRay": (
        "kuberay.yaml",
        "shutdownAfterJobFinishes: true",
        "ttl: 1",
        "shutdownAfterJobFinishes: must be",
    ),
    "no GPU in a pod": ("kuberay.yaml", ', nvidia.com/gpu: "1"}', "}", "a worker needs a GPU"),
    "no token in KubeRay": (
        "kuberay.yaml",
        "authOptions: {mode: token}",
        "suspend: false",
        "authOptions: must be {mode: tok",
    ),
    "two images": ("kuberay.yaml", "sweeps:2.60.0", "sweeps:2.59.0", "head and workers must have the same"),
    "a number as key of KubeRay": ("kuberay.yaml", "backoffLimit: 2", "5: 2", "spec.5: unknown key"),
    "a count that is none": (
        "kuberay.yaml",
        "replicas: 0",
        "replicas: x",
        "spec: missing or of the wrong kind: invalid",
    ),
    "GPUs that are none": (
        "kuberay.yaml",
        'gpu: "1"}',
        "gpu: x}",
        "spec: missing or of the wrong kind: invalid literal",
    ),
    "a job of no version": (
        "kuberay.yaml",
        "apiVersion: ray.io/v1",
        "apiVersion: v1\nkind: Service\n---",
        "apiVersion: must be ray.io/v1, got None",
    ),
    "more than at most": (
        "kuberay.yaml",
        "replicas: 0",
        "replicas: 9",
        "minReplicas <= replicas <= maxReplicas, got [0, 9, 8]",
    ),
}


@pytest.mark.parametrize("fault", OTHERS)
def test_the_other_files_spoiled_are_refused(check, fault):
    name, old, new, words = OTHERS[fault]
    content = (ROOT / "cluster" / name).read_text().replace("YOUR-", "my-")
    assert old in content
    status, errors, _ = check(content.replace(old, new, 1))
    assert status == 2
    assert any(words in line for line in errors), errors


def test_a_file_that_is_not_there_is_refused(cluster_module, capsys):
    assert cluster_module("check").main(["cluster/none.yaml"]) == 2
    assert capsys.readouterr().err == "error: cluster/none.yaml: cannot be read: No such file or directory\n"


def test_the_checker_knows_the_gpus_of_every_machine_it_names(cluster_module):
    clouds = cluster_module("clouds")
    known = {
        kind: sum(gpu["Count"] for gpu in facts["GpuInfo"]["Gpus"])
        for kind, facts in INSTANCE_TYPES.items()
        if kind.partition(".")[0] in clouds.AWS_GPUS
    }
    assert len(known) > 20
    assert {kind: clouds.Aws.gpus({"InstanceType": kind})[1] for kind in known} == known


def test_the_environment_of_the_cluster_is_the_project_s():
    tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "cluster/requirements.txt").read_text().splitlines()
    pinned = map(Requirement, filter(lambda line: line[:1] != "#", lines))
    pins = {canonicalize_name(pin.name): pin.specifier for pin in pinned}
    extras = project["optional-dependencies"]
    for needed in map(Requirement, [*project["dependencies"], *extras["aws"], *extras["gcp"]]):
        (pin,) = pins[canonicalize_name(needed.name)]
        assert pin.operator == "=="
        assert needed.specifier.contains(pin.version), f"{needed} and {pin} disagree"
    assert str(pins["ray"]) == "==2.60.0"


def test_ray_and_python_have_one_version_in_every_file():
    for name in FILES:
        content = (ROOT / "cluster" / name).read_text()
        assert "--python 3.11.18 " in content or "lstm-ae-sweeps:2.60.0" in content, name
    assert "FROM rayproject/ray:2.60.0-py311-gpu\n" in (ROOT / "cluster/Dockerfile").read_text()
