"""What is done on hosts, as text: that a shell can read it, and what is read from its answers."""

import re
import subprocess

import pytest

from orchestrator.drills.targets import scripts

ALL = {
    "undo": scripts.undo(),
    "arm": scripts.arm("owner1", 90),
    "heal": scripts.heal(),
    "kill": scripts.kill(scripts.NODE),
    "pause": scripts.pause(scripts.NODE),
    "stop": scripts.stop([scripts.NODE, scripts.REDIS]),
    "restart": scripts.restart(scripts.NODE),
    "cut": scripts.cut(["10.0.0.1", "fd00::1", "n3"]),
    "deaf": scripts.cut(["10.0.0.1"], outgoing=False),
    "fill": scripts.fill(),
    "jump": scripts.jump(-3600),
    "reset": scripts.reset(),
    "look": scripts.look(),
    "facts": scripts.facts(),
    "read": scripts.read("/etc/triarch/it's here"),
}


@pytest.mark.parametrize("name", ALL)
def test_a_shell_can_read_it(name: str) -> None:
    done = subprocess.run(["/bin/sh", "-n"], input=ALL[name], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_drill_leaves_on_a_host_is_taken_back() -> None:
    """Each thing that a fault makes is named in `undo`, which also the timer runs."""
    for made in (scripts.TABLE, scripts.FILL, scripts.DROP_IN, scripts.OFFSET, scripts.PLACE):
        assert made in scripts.undo()
    assert scripts.undo() in scripts.arm("owner1", 90)
    assert scripts.undo() in scripts.heal()


def test_a_cut_of_one_direction_leaves_the_other() -> None:
    deaf = scripts.cut(["10.0.0.1"], outgoing=False)
    mute = scripts.cut(["10.0.0.1"], incoming=False)
    assert "hook input" in deaf
    assert "hook output" not in deaf
    assert "hook output" in mute
    assert "hook input" not in mute


def test_ssh_of_whoever_cuts_is_let_through_before_anything_is_dropped() -> None:
    rules = scripts.cut(["10.0.0.1"])
    for chain in ("input", "output"):
        assert re.search(rf"hook {chain}[^}}]*?accept\n[^}}]* drop", rules)


@pytest.mark.parametrize("word", ["a b", "$(reboot)", "x;y", "", "`id`", "'"])
def test_names_that_a_shell_would_act_on_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="neither a name nor an address"):
        scripts.cut([word])
    with pytest.raises(ValueError, match="neither a name nor an address"):
        scripts.arm(word, 1)


def test_only_units_of_a_plant_are_touched() -> None:
    with pytest.raises(ValueError, match=r"sshd\.service is no unit of a plant"):
        scripts.kill("sshd.service")


def test_told_reads_names_and_values_and_nothing_else() -> None:
    found = scripts.told("pid=12\nnoise\nwhy=there is = no nft \nPID=3\npid=13\n")
    assert found == {"pid": "13", "why": "there is = no nft"}
    assert scripts.whole(found, "pid") == 13
    for name in ("why", "absent"):
        with pytest.raises(ValueError, match=name):
            scripts.whole(found, name)


def test_counters_are_read_by_name() -> None:
    said = """table inet triarch_drill {
\tcounter input_dropped {
\t\tpackets 12 bytes 720
\t}
\tcounter output_dropped {
\t\tpackets 0 bytes 0
\t}
}"""
    assert scripts.counted(said) == {"input_dropped": 12, "output_dropped": 0}
    assert scripts.counted("Error: No such file or directory") == {}
