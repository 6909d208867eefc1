"""The playbooks and roles hold themselves to ansible-lint's profile `production`."""

import os
import subprocess

import pytest

from tests.deploy.controller import ROOT, TOOLS

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(600)]  # where the tools are not installed yet, they are fetched


def test_all_of_it_is_clean(ansible: None) -> None:
    done = subprocess.run(
        [str(TOOLS / "ansible-lint"), "--offline", "--nocolor"],
        cwd=ROOT / "deploy/ansible",
        env={**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Profile 'production' was required, and it passed" in done.stdout + done.stderr
