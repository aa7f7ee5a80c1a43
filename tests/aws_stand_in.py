"""A stand-in for AWS on this machine: what `ray up` and the autoscaler really ask for, without a cloud.

Run as a script in that environment, it asks for a worker of each type as the autoscaler does, and prints what there is.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def moto(place, host="127.0.0.1"):
    """A server of moto's; gives an environment in which boto3, Ray and pyarrow take it for AWS."""
    url = f"http://{host}:{free_port()}"
    (place / "home/.ray").mkdir(parents=True)
    (place / "home/.ray/auth_token").write_text("token")
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "stand-in",
        "AWS_SECRET_ACCESS_KEY": "stand-in",
        "AWS_DEFAULT_REGION": "us-west-2",
        "HOME": str(place / "home"),
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "RAY_TMPDIR": str(place),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = [sys.executable, str(Path(__file__).with_name("moto_server.py")), host, url.rpartition(":")[2]]
    with (place / "moto.log").open("w") as log, subprocess.Popen(command, env=environment, stderr=log) as server:
        try:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
                    break
                time.sleep(0.1)
            yield environment
        finally:
            server.kill()


def ask(path):
    """A worker of each type, through Ray's own bootstrap and node provider; what there is then, as JSON."""
    import boto3
    import yaml
    from ray.autoscaler._private.commands import _bootstrap_config
    from ray.autoscaler._private.providers import _get_node_provider
    from ray.autoscaler._private.util import prepare_config
    from ray.autoscaler.tags import TAG_RAY_NODE_KIND, TAG_RAY_USER_NODE_TYPE

    config = _bootstrap_config(prepare_config(yaml.safe_load(Path(path).read_text())), no_config_cache=True)
    provider = _get_node_provider(config["provider"], config["cluster_name"])
    for name, kind in config["available_node_types"].items():
        if name != config["head_node_type"]:
            tags = {TAG_RAY_NODE_KIND: "worker", TAG_RAY_USER_NODE_TYPE: name}
            provider.create_node(kind["node_config"], tags, 1)
    ec2, iam = boto3.client("ec2"), boto3.client("iam")
    roles = {role["RoleName"]: role for role in iam.list_roles()["Roles"]}
    return {
        "instances": [one for group in ec2.describe_instances()["Reservations"] for one in group["Instances"]],
        "groups": ec2.describe_security_groups(GroupNames=["lstm-ae-sweeps"])["SecurityGroups"],
        "resources": {name: kind["resources"] for name, kind in config["available_node_types"].items()},
        "policies": {
            name: iam.get_role_policy(RoleName=name, PolicyName="sweeps")["PolicyDocument"]["Statement"]
            for name in roles
            if name.startswith("lstm-ae-sweeps")
        },
        "buckets": [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]],
    }


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1]), default=str))
