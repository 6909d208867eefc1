"""The playbooks and roles hold themselves to ansible-lint's profile `production`."""

import os
import subprocess

from tests.lab.deployment import ANSIBLE, TOOLS, Deployment


def test_all_of_it_is_clean(deployment: Deployment) -> None:
    assert deployment.lab.hosts()  # its preparation has made the environment that lints
    done = subprocess.run(
        [str(TOOLS / "ansible-lint"), "--offline", "--nocolor"],
        cwd=ANSIBLE,
        env={**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Profile 'production' was required, and it passed" in done.stdout + done.stderr
