"""cluster/gpu-gcp.yaml through Ray's own bootstrap and node provider, Google's answers made here: what is asked for."""

import copy
import json

import httplib2
import pytest
import yaml
from aws_stand_in import ROOT
from googleapiclient import discovery
from ray.autoscaler._private.gcp import config as gcp
from ray.autoscaler._private.gcp import node, node_provider
from ray.autoscaler._private.util import prepare_config, validate_config

PROJECT = "projects/my-project"
ACCOUNT = "ray-autoscaler-sa-v1@my-project.iam.gserviceaccount.com"
ANSWERS = {
    ("GET", "cloudresourcemanager.googleapis.com/v1/projects/my-project"): {
        "lifecycleState": "ACTIVE",
        "projectId": "my-project",
    },
    ("POST", ":getIamPolicy"): {"bindings": []},
    ("POST", ":setIamPolicy"): {},
    ("GET", "/serviceAccounts/"): {"email": ACCOUNT, "projectId": "my-project"},
    ("GET", "/compute/v1/projects/my-project?"): {"name": "my-project", "commonInstanceMetadata": {"items": []}},
    ("POST", "/setCommonInstanceMetadata"): {"name": "done"},
    ("GET", "/operations/done"): {"status": "DONE", "name": "done"},
    ("GET", "/subnetworks"): {"items": [{"selfLink": f"{PROJECT}/regions/us-central1/subnetworks/default"}]},
    ("POST", "/instances"): {"name": "done"},
    ("GET", "/instances"): {"items": []},
}


class Google:
    """Answers for Google; keeps what it is asked to start."""

    credentials = None

    def __init__(self):
        self.started = []

    def request(self, uri, method="GET", body=None, headers=None, **others):
        for (verb, part), answer in ANSWERS.items():
            if verb == method and part in uri:
                if (verb, part) == ("POST", "/instances"):
                    self.started.append(json.loads(body))
                return httplib2.Response({"status": 200}), json.dumps(answer).encode()
        raise AssertionError(f"not expected: {method} {uri}")

    def close(self):
        pass


@pytest.fixture
def started(tmp_path, monkeypatch):
    """One machine of each type, as they were asked for, by type."""
    google = Google()
    services = [("cloudresourcemanager", "v1"), ("iam", "v1"), ("compute", "v1")]
    clients = [discovery.build(*service, http=google, static_discovery=True) for service in services]
    for module in (gcp, node_provider):
        monkeypatch.setattr(module, "construct_clients_from_provider_config", lambda provider: (*clients, None))
    monkeypatch.setattr(node, "AuthorizedHttp", lambda credentials, http: google)
    monkeypatch.setenv("HOME", str(tmp_path))
    content = yaml.safe_load((ROOT / "cluster/gpu-gcp.yaml").read_text().replace("YOUR-PROJECT", "my-project"))
    config = prepare_config(content)
    validate_config(config)
    config = node_provider.GCPNodeProvider.bootstrap_config(config)
    provider = node_provider.GCPNodeProvider(config["provider"], config["cluster_name"])
    for name, kind in config["available_node_types"].items():
        node_config = {**copy.deepcopy(kind["node_config"]), **(config["head_node"] if name == "head" else {})}
        tags = {
            "ray-node-type": "head" if name == "head" else "worker",
            "ray-user-node-type": name,
            "ray-node-name": name,
        }
        provider.create_node(node_config, tags, 1)
    return {machine["labels"]["ray-user-node-type"]: machine for machine in google.started}


def test_what_google_is_asked_for(started):
    assert {name: machine["machineType"].rpartition("/")[2] for name, machine in started.items()} == {
        "head": "e2-standard-2",
        "gpu-spot": "n1-standard-4",
        "gpu-on-demand": "n1-standard-4",
    }
    for name, machine in started.items():
        assert "nvidia-580" in machine["disks"][0]["initializeParams"]["sourceImage"]
        assert machine["labels"]["project"] == "lstm-ae-sweeps"
        (account,) = machine["serviceAccounts"]
        assert account["email"] == ACCOUNT
        if name != "head":
            (gpu,) = machine["guestAccelerators"]
            assert gpu["acceleratorType"].endswith("/zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4")
            assert gpu["acceleratorCount"] == 1
            assert machine["scheduling"]["onHostMaintenance"] == "TERMINATE"
            assert (machine["scheduling"].get("provisioningModel") == "SPOT") == (name == "gpu-spot")
    assert "guestAccelerators" not in started["head"]
