"""`make cluster-up` against a stand-in for AWS: what is really asked for."""

import json
import subprocess
import sys

import pytest
from aws_stand_in import ROOT, moto

FILE = "cluster/gpu.yaml"
THRICE = """
import runpy, sys
sys.path.append("cluster")
import aws
aws.PROPAGATION_S = 0
for _ in range(2):
    aws.main(sys.argv[1:2])
runpy.run_path("cluster/aws.py", run_name="__main__")
"""
"""Makes the bucket, finds that there is nothing to make, and as a script says where the bucket is."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """What there is on AWS after the bucket, `ray up`, and a worker of each type; SSH does nothing, and succeeds."""
    place = tmp_path_factory.mktemp("aws")
    (place / "bin").mkdir()
    for name in ("ssh", "rsync"):
        (place / "bin" / name).write_text("#!/bin/sh\n")
        (place / "bin" / name).chmod(0o755)
    with moto(place) as environment:
        environment["PATH"] = f"{place / 'bin'}:{environment['PATH']}"

        def run(*command):
            done = subprocess.run(
                [sys.executable, *command], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        uri, *again = run("-c", THRICE, FILE, "--uri").split()
        assert again == [uri] * 2
        run("-m", "ray.scripts.scripts", "up", "--yes", "--no-config-cache", FILE)
        found = json.loads(run("tests/aws_stand_in.py", FILE).splitlines()[-1])
    return {**found, "uri": uri}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: name one cluster file: python cluster/aws.py cluster/gpu.yaml [--uri]\n"),
        (["--uri"], "error: name one cluster file: python cluster/aws.py cluster/gpu.yaml [--uri]\n"),
        (["--uri", "{}"], "error: {}: no cluster file of Ray's; cluster/check.py says why\n"),
        (["{}"], "error: {}: no cluster file of Ray's; cluster/check.py says why\n"),
    ],
)
def test_a_file_that_is_missing_or_has_no_region_is_one_line(cluster_module, capsys, tmp_path, arguments, message):
    file = tmp_path / "cluster.yaml"
    for content in (b"provider: {type: aws}\n", b"\xff"):
        file.write_bytes(content)
        assert cluster_module("aws").main([one.format(file) for one in arguments]) == 2
        assert capsys.readouterr() == ("", message.format(file))


@pytest.fixture(scope="module")
def machines(aws):
    """The instances by their node types."""
    return {tags(one)["ray-user-node-type"]: one for one in aws["instances"]}


def tags(instance):
    return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}


def test_one_machine_of_each_type_and_what_it_costs(machines):
    kinds = {name: (one["InstanceType"], one.get("InstanceLifecycle")) for name, one in machines.items()}
    assert kinds == {
        "head": ("m6i.large", None),
        "gpu-spot": ("g4dn.xlarge", "spot"),
        "gpu-on-demand": ("g4dn.xlarge", None),
    }
    assert all("base-oss-nvidia-driver-gpu-ubuntu-22.04" in one["ImageId"] for one in machines.values())


def test_workers_have_a_gpu_and_the_head_takes_no_trial(aws):
    resources = aws["resources"]
    assert resources["head"] == {"CPU": 0}
    for name in ("gpu-spot", "gpu-on-demand"):
        assert resources[name]["GPU"] == 1
        assert resources[name]["CPU"] == 4
        assert resources[name]["accelerator_type:T4"] == 1


def test_machines_are_tagged_for_the_bill(machines):
    for name, one in machines.items():
        assert tags(one)["project"] == "lstm-ae-sweeps"
        assert tags(one)["ray-node-type"] == ("head" if name == "head" else "worker")


def test_the_world_reaches_ssh_alone(aws, machines):
    (group,) = aws["groups"]
    assert {one["GroupId"] for machine in machines.values() for one in machine["SecurityGroups"]} == {group["GroupId"]}
    world = [rule for rule in group["IpPermissions"] if rule["IpRanges"] or rule["Ipv6Ranges"]]
    assert [(rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) for rule in world] == [(22, 22, "tcp")]
    inside = [rule for rule in group["IpPermissions"] if rule not in world]
    assert [pair["GroupId"] for rule in inside for pair in rule["UserIdGroupPairs"]] == [group["GroupId"]]


def test_head_and_workers_may_use_the_bucket_and_the_head_alone_starts_machines(aws, machines):
    assert aws["uri"] == f"s3://{aws['buckets'][0]}"
    for name, one in machines.items():
        profile = one["IamInstanceProfile"]["Arn"].rpartition("/")[2]
        assert profile == ("lstm-ae-sweeps-head" if name == "head" else "lstm-ae-sweeps-worker")
        allowed = [action for rule in aws["policies"][profile] for action in rule["Action"]]
        places = [rule["Resource"] for rule in aws["policies"][profile] if "s3:PutObject" in rule["Action"]]
        assert places == [f"arn:aws:s3:::{aws['buckets'][0]}/*"]
        assert ("ec2:RunInstances" in allowed) == (name == "head")


def test_the_head_ends_the_machines_of_its_cluster_and_no_others(aws, machines):
    (rule,) = [one for one in aws["policies"]["lstm-ae-sweeps-head"] if "ec2:TerminateInstances" in one["Action"]]
    ((condition, wanted),) = rule["Condition"].items()
    assert condition == "StringEquals"
    for one in machines.values():
        assert {f"aws:ResourceTag/{key}": value for key, value in tags(one).items()}.items() >= wanted.items()
    tagging = [one for one in aws["policies"]["lstm-ae-sweeps-head"] if "ec2:CreateTags" in one["Action"]]
    assert all("Condition" in one for one in tagging)  # what is not of the cluster is not made so by a tag


def test_a_second_time_nothing_is_made_anew(aws):
    assert len(aws["buckets"]) == 1
    assert set(aws["policies"]) == {"lstm-ae-sweeps-head", "lstm-ae-sweeps-worker"}
