"""What a cluster on AWS needs beside its machines: a bucket for results, and who may use it.

    python cluster/aws.py cluster/gpu.yaml          makes what is missing, and prints the bucket's address
    python cluster/aws.py cluster/gpu.yaml --uri    prints it

Nothing here costs money by itself; the bucket costs what lies in it. `make cluster-down` keeps both.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

import yaml

TAG, PROJECT = "project", "lstm-ae-sweeps"
"""The tag of every instance of a cluster, as gpu.yaml has it."""
PROPAGATION_S = 10
"""EC2 hears of a new instance profile some seconds after IAM."""


def policies(bucket: str, account: str) -> dict[str, list[dict[str, Any]]]:
    """What each instance profile allows: the workers the bucket, the head also to start workers, and to end its own.

    Its own are those with the tag that gpu.yaml gives each instance as it starts; no other can be given it.
    """
    ours = {"StringEquals": {f"aws:ResourceTag/{TAG}": PROJECT}}
    storage: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": f"arn:aws:s3:::{bucket}"},
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            "Resource": f"arn:aws:s3:::{bucket}/*",
        },
    ]
    machines: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": ["ec2:RunInstances", "ec2:Describe*"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": "*",
            "Condition": {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
        },
        {
            "Effect": "Allow",
            "Action": ["ec2:TerminateInstances", "ec2:CreateTags", "ec2:DeleteTags"],
            "Resource": "*",
            "Condition": ours,
        },
        {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "arn:aws:ssm:*::parameter/aws/service/*"},
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": f"arn:aws:iam::{account}:role/lstm-ae-sweeps-worker",
        },
    ]
    return {"lstm-ae-sweeps-worker": storage, "lstm-ae-sweeps-head": [*storage, *machines]}


def make_bucket(s3: Any, bucket: str, region: str, account: str) -> None:
    """Make the bucket, private as new ones are, unless it is there; one of that name that is not ours is an error."""
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except s3.exceptions.ClientError:
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)


def make_profile(iam: Any, name: str, statements: list[dict[str, Any]]) -> bool:
    """Make a role and an instance profile of one name, with this policy; returns whether the profile is new."""
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document([trust]))
    iam.put_role_policy(RoleName=name, PolicyName="sweeps", PolicyDocument=_document(statements))
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_instance_profile(InstanceProfileName=name)
    if iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
        return False
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return True


def allow_spot(iam: Any) -> None:
    """Make the role that EC2 itself needs for spot requests, which an account has after its first one."""
    there = iam.exceptions.InvalidInputException, iam.exceptions.EntityAlreadyExistsException
    with contextlib.suppress(*there):
        iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def main(arguments: list[str]) -> int:
    """Make what is missing; returns the exit status."""
    if "--help" in arguments:
        print(__doc__)
        return 0
    paths = [argument for argument in arguments if argument != "--uri"]
    if len(paths) != 1:
        print("error: name one cluster file: python cluster/aws.py cluster/gpu.yaml [--uri]", file=sys.stderr)
        return 2
    try:
        with open(paths[0], encoding="utf-8") as file:
            provider = yaml.safe_load(file)["provider"]
        if provider["type"] != "aws":
            return 0
        region = provider["region"]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        print(f"error: {paths[0]}: no cluster file of Ray's; cluster/check.py says why", file=sys.stderr)
        return 2
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        account = boto3.client("sts", region_name=region).get_caller_identity()["Account"]
        bucket = f"lstm-ae-sweeps-{account}-{region}"
        if "--uri" not in arguments:
            iam = boto3.client("iam")
            make_bucket(boto3.client("s3", region_name=region), bucket, region, account)
            allow_spot(iam)
            if any([make_profile(iam, name, rules) for name, rules in policies(bucket, account).items()]):
                time.sleep(PROPAGATION_S)
    except (BotoCoreError, ClientError) as error:
        print(f"error: AWS: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"s3://{bucket}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
