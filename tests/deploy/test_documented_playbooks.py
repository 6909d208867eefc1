"""Each `ansible-playbook …` that a document shows, run as it stands with the example's inventory, up to the hosts.

They are not there: that one comes to them shows that nothing on the way refuses what was written.
"""

import pytest

from tests.deploy.backups import a_backup
from tests.deploy.controller import ROOT, SRV, Controller
from tests.lab.wheelhouses import before, releases
from tests.system.documented import Played, played

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(600)]

COMMANDS = list(
    {each.words: each for each in played() if not any(word.isupper() for word in each.variables.values())}.values()
)
PLAYBOOKS = sorted({each.playbook for each in COMMANDS})
BACKUP = "plant-1-20270131T020000Z"


@pytest.fixture
def ready(controller: Controller) -> Controller:
    """With what the documents speak of: wheelhouses of both releases, and a backup at both places."""
    newest = list(releases())[-1]
    for name, version in (
        ("wheelhouse", newest),
        (f"wheelhouse-{newest}", newest),
        (f"wheelhouse-{before()}", before()),
    ):
        controller.has_wheelhouse(name, version)
    for place in (controller.srv / "backups", controller.inventory / "backups"):
        a_backup(place / BACKUP)
    return controller


def test_every_playbook_is_shown() -> None:
    assert {path.name for path in (ROOT / "deploy/ansible").glob("*.yml")} == set(PLAYBOOKS)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_can_be_read_with_the_example(playbook: str, controller: Controller) -> None:
    for only in ("--syntax-check", "--list-tasks"):
        said = controller.play("--inventory", "inventories/example/hosts.yml", only, playbook)
        assert said.status == 0, said.out


@pytest.mark.parametrize("shown", COMMANDS, ids=str)
def test_a_documented_run_comes_to_the_hosts(shown: Played, ready: Controller) -> None:
    if lost := shown.variables.get("triarch_lost"):
        ready.lost(lost.split(","))
    # A drill asks the hosts by a command of its own.
    only = ["--check"] if shown.playbook == "drill.yml" else []
    said = ready.play(*shown.words, *only)
    assert said.asked_hosts, f"{shown}\n{said.out}"


def test_a_backup_is_found_by_its_name(ready: Controller) -> None:
    assert ready.play("restore.yml", triarch_backup=BACKUP).asked_hosts
    assert ready.play("restore.yml", triarch_backup=BACKUP, triarch_backup_dir=f"{ready.srv}/backups").asked_hosts
    said = ready.play("restore.yml", triarch_backup="plant-1-20270201T020000Z")
    assert not said.asked_hosts
    for place in (ready.ansible, ready.inventory / "backups"):
        assert f"{place}/plant-1-20270201T020000Z" in said.words


def test_the_release_is_what_the_wheelhouse_says(ready: Controller) -> None:
    """Also for `site.yml`, which looks at it only once it has asked the hosts."""
    newest = list(releases())[-1]
    play = ready.ansible / "wheelhouse_only.yml"
    play.write_text(
        "- hosts: triarch\n  gather_facts: false\n  connection: local\n  tasks:\n"
        "    - ansible.builtin.import_role: {name: triarch_preflight, tasks_from: nothing}\n"
        "      when: false\n"
        "    - ansible.builtin.debug:\n"
        "        msg: '{{ triarch_version }} {{ (triarch_wheelhouse | triarch_wheelhouse(triarch_version)).faults }}'\n"
    )
    (ready.ansible / "roles/triarch_preflight/tasks/nothing.yml").write_text("[]\n")
    said = ready.play(play.name)
    assert said.out.count(f"{newest} []") == 3, said.out


def test_another_release_than_the_wheelhouse_has_is_named(ready: Controller) -> None:
    newest = list(releases())[-1]
    said = ready.play("upgrade.yml", triarch_wheelhouse=f"{SRV}/wheelhouse-{newest}", triarch_version=before())
    assert not said.asked_hosts
    assert f"is of version {newest}, and triarch_version says {before()}: take triarch_version out" in said.words
    assert "Make it anew" not in said.words
