"""The playbooks name the server of frames by variables only, so that Valkey's packages do as Redis' do."""

import re

import pytest

from tests.deploy.controller import Controller
from tests.deploy.filters import ANSIBLE

SAID_BY_DEFAULT = {"roles/triarch/defaults/main.yml", "roles/triarch/meta/argument_specs.yml"}
NAMED = re.compile(r"\bredis-cli\b|(?:owner|group|user): redis\b|\bredis:redis\b")


def test_the_command_line_and_the_user_are_variables() -> None:
    files = [path for kind in ("*.yml", "*.j2") for path in ANSIBLE.rglob(kind) if "inventories" not in path.parts]
    assert len(files) > 30
    named = {str(path.relative_to(ANSIBLE)) for path in files if NAMED.search(path.read_text())}
    assert named == SAID_BY_DEFAULT


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("given", "program"), [({}, "redis-cli"), ({"triarch_redis_cli": "valkey-cli"}, "valkey-cli")])
def test_what_runs_before_the_servers_asks_by_that_command_line(
    given: dict[str, str], program: str, controller: Controller
) -> None:
    controller.has_wheelhouse("wheelhouse", "0.2.0")
    play = controller.ansible / "scripts_only.yml"
    play.write_text(
        "- hosts: triarch\n  gather_facts: false\n  connection: local\n"
        "  roles: [{role: triarch, vars: {triarch_secrets_wanted: false}}]\n"
        "  tasks:\n    - ansible.builtin.import_role: {name: triarch_redis, tasks_from: nothing}\n"
        "    - ansible.builtin.debug:\n"
        "        msg: |\n"
        "          {{ lookup('ansible.builtin.template', 'roles/triarch_redis/templates/redis-give-way.sh.j2') }}\n"
        "          {{ lookup('ansible.builtin.template', 'roles/triarch_redis/templates/sentinel-waits.sh.j2') }}\n"
    )
    (controller.ansible / "roles/triarch_redis/tasks/nothing.yml").write_text("[]\n")
    said = controller.play(play.name, **given)
    assert said.status == 0, said.out
    assert said.out.count(f"timeout 1 {program} -h ") == said.out.count(f"timeout 0.5 {program} $primary") == 3
