"""Machines for a stand-in of EC2: for each instance that moto says runs, a host of its own, reached over real SSH.

A host is a set of namespaces: network, processes, mounts, name. It has the instance's addresses on a bridge, a private
home, /tmp and /dev/shm, and an SSH server that lets Ray's key in. Run inside `unshare -npfm`, as root.
"""

import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path

BRIDGE = "172.31.255.254"
UV = """#!/bin/bash
# Instead of installing, an environment that has all: the project's own.
[ "$1" = venv ] || exit 0
mkdir -p ~/env/bin
printf '#!/bin/sh\\nexec {python} "$@"\\n' > ~/env/bin/python
printf '#!/bin/sh\\n[ "$1" = stop ] || exec {python} -m ray.scripts.scripts "$@"\\n' > ~/env/bin/ray
chmod +x ~/env/bin/*
"""
BOOT = """
mount --bind {folder} /home && mount --bind {folder}/passwd /etc/passwd
mkdir -p /run/sshd && mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /dev/shm
hostname {name}; ip link set lo up
until ip link show eth0 > /dev/null 2>&1; do sleep 0.05; done
ip address add {private}/16 dev eth0; ip address add {public}/32 dev eth0; ip link set eth0 up
ip route add default via {bridge} src {private}
/usr/sbin/sshd -h /home/host_key -o PidFile=none -o UsePAM=no -o StrictModes=no -o PermitRootLogin=yes \
  -o PermitUserEnvironment=yes
while true; do sleep 1; done
"""


def sh(command):
    subprocess.run(command, shell=True, check=True, capture_output=True)


def make_bridge():
    """The network between the hosts, and this process on it."""
    sh(f"ip link set lo up; ip link add br0 type bridge; ip link set br0 up; ip address add {BRIDGE}/16 dev br0")


class Hosts:
    """Boots and ends hosts as moto's instances come and go.

    Args:
        place: a folder for their homes.
        ec2: boto3's client.
        key: Ray's private key, which `ray up` makes.
        environment: what a machine's sessions find, as a real one would its instance profile.
    """

    def __init__(self, place, ec2, key, environment):
        self.place, self.ec2, self.key, self.environment = place, ec2, key, environment
        self.running, self.ended = {}, set()
        threading.Thread(target=self._watch, daemon=True).start()

    def instances(self):
        """Instances that are not terminated, by ID."""
        found = [one for group in self.ec2.describe_instances()["Reservations"] for one in group["Instances"]]
        return {one["InstanceId"]: one for one in found if one["State"]["Name"] == "running"}

    def _watch(self):
        while True:
            with contextlib.suppress(Exception):  # moto is busy: look again
                alive = self.instances()
                for name in set(alive) - set(self.running):
                    self.running[name] = self._boot(alive[name])
                for name in set(self.running) - set(alive) - self.ended:
                    self.kill(name)
            time.sleep(0.5)

    def kill(self, name):
        """Power off."""
        self.ended.add(name)
        self.running[name].kill()

    def _boot(self, instance):
        name, number = instance["InstanceId"], len(self.running)
        home = self.place / name / "ubuntu"
        (home / ".ssh").mkdir(parents=True)
        (home / ".local/bin").mkdir(parents=True)
        (home / ".local/bin/uv").write_text(UV.format(python=sys.executable))
        (home / ".local/bin/uv").chmod(0o755)
        (home / ".bashrc").touch()
        (home / ".ssh/environment").write_text("".join(f"{key}={value}\n" for key, value in self.environment.items()))
        public = subprocess.run(["ssh-keygen", "-y", "-f", self.key], check=True, capture_output=True, text=True).stdout
        (home / ".ssh/authorized_keys").write_text(public)
        folder = home.parent
        sh(f"ssh-keygen -q -t ed25519 -N '' -f {folder}/host_key")
        users = Path("/etc/passwd").read_text()
        (folder / "passwd").write_text("ubuntu:x:0:0::/home/ubuntu:/bin/bash\n" + users)
        addresses = {"private": instance["PrivateIpAddress"], "public": instance["PublicIpAddress"]}
        script = BOOT.format(folder=folder, name=name, bridge=BRIDGE, **addresses)
        command = ["unshare", "-npfmu", "--mount-proc", "--kill-child", "bash", "-c", script]
        with (folder / "boot.log").open("w") as log:
            host = subprocess.Popen(command, stdout=log, stderr=log)
        first = _child(host.pid)
        sh(f"ip link add name v{number} type veth peer name eth0 netns {first}")
        sh(f"ip link set v{number} master br0 up && ip route add {addresses['public']}/32 dev br0")
        return host


def _child(pid):
    while not (children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        time.sleep(0.05)
    return children[0]
