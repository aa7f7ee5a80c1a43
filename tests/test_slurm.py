"""The Slurm script: shellcheck, and what it runs, with stand-ins for Slurm's commands and Ray's."""

import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "cluster/slurm.sbatch"
RAY = """#!/bin/sh
echo "ray" "$@"
echo "mode=$RAY_AUTH_MODE token=$(cat "$RAY_AUTH_TOKEN_PATH")"
stat -c "rights=%a" "$RAY_AUTH_TOKEN_PATH"
exit 7
"""


@pytest.fixture
def submit(tmp_path):
    """Runs the script as Slurm would, in a folder with an environment whose ray only tells; gives what came of it."""
    commands = {
        "srun": '#!/bin/sh\necho "srun $1 $2 $3"\nshift 3\nexec "$@"\n',
        "scontrol": '#!/bin/sh\n[ "$*" = "show hostnames n[3-4]" ] && printf "n3\\nn4\\n"\n',
        ".venv/bin/ray": RAY,
        ".venv/bin/python": "#!/bin/sh\nexec python3 " + '"$@"\n',
    }
    for name, content in commands.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)

    def submit(*arguments):
        environment = {
            "PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin",
            "USER": "somebody",
            "SLURM_SUBMIT_DIR": str(tmp_path),
            "SLURM_JOB_ID": "31415",
            "SLURM_JOB_NODELIST": "n[3-4]",
            "SLURM_JOB_NUM_NODES": "2",
            "SLURM_CPUS_PER_TASK": "4",
        }
        return subprocess.run(["bash", SCRIPT, *arguments], env=environment, capture_output=True, text=True)

    return submit


def test_shellcheck_finds_nothing():
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    found = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_ray_runs_on_every_node_behind_a_token_of_the_job(submit, tmp_path):
    done = submit("mnist-cls", "first", "--search", "optuna")
    lines = done.stdout.splitlines()
    assert lines[0] == "srun --nodes=2 --ntasks=2 --cpus-per-task=4"
    assert lines[1] == (
        "ray symmetric-run --address n3:21415 --min-nodes 2 --num-cpus 4 -- "
        "python sweeps/run.py --task mnist-cls --name first --or-resume --address auto --search optuna"
    )
    mode, token = lines[2].split()
    assert mode == "mode=token"
    assert len(token.removeprefix("token=")) == 64
    assert lines[3] == "rights=600"
    assert [path.name for path in tmp_path.glob(".ray-token*")] == []
    assert done.returncode == 7, "the sweep's exit status is the job's"


def test_a_job_without_a_name_is_refused(submit):
    done = submit("mnist-cls")
    assert done.returncode != 0
    assert "name the sweep: sbatch cluster/slurm.sbatch TASK NAME" in done.stderr
