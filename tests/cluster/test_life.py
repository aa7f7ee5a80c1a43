"""The whole life of a cluster, from `ray up` to `ray down`: cluster/gpu.yaml, real SSH, a stand-in for AWS."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from aws_stand_in import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
NEEDED = ("unshare", "nsenter", "ip", "rsync", "ssh", "/usr/sbin/sshd")


@pytest.mark.timeout(1800)
def test_up_submit_preempted_complete_idle_down(tmp_path):
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    namespaces = ["unshare", "-npfm", "--mount-proc", "--kill-child"]
    if subprocess.run([*namespaces, "ip", "link", "add", "br0", "type", "bridge"], capture_output=True).returncode:
        pytest.skip("needs root, and namespaces")
    script = Path(__file__).with_name("life.py")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    life = subprocess.run([*namespaces, sys.executable, script, tmp_path], env=environment, stderr=subprocess.STDOUT)
    assert life.returncode == 0, "see what it printed"
