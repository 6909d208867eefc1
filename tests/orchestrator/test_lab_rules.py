"""The rules that cut hosts of a lab from one another, and what a lab's file says when it is wrong."""

import asyncio
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.drills.lab_commands import LabCommandFailed, attempt, run
from orchestrator.drills.lab_file import LabFile, LabFileInvalid, LabHost, read_lab, write_lab
from orchestrator.drills.lab_rules import CONTROLLER, both_ways, drop_text, dropped_packets

VETHS = {"n1": "vb-tr0-n1", "n2": "vb-tr0-n2", "n3": "vb-tr0-n3"}
ENDS = st.sampled_from([*VETHS, CONTROLLER])


def test_a_cut_drops_one_direction_and_counts() -> None:
    assert drop_text("trilab0", VETHS, [("n1", "n2")]) == (
        'add rule bridge trilab0 forward iifname "vb-tr0-n1" oifname "vb-tr0-n2" counter drop comment "n1>n2"\n'
    )


def test_loss_is_a_chance_for_each_packet() -> None:
    assert "numgen random mod 100 < 30 counter drop" in drop_text("trilab0", VETHS, [("n1", "n2")], 30)


def test_a_cut_from_the_controller_lets_ssh_pass() -> None:
    to = drop_text("trilab0", VETHS, [("n1", CONTROLLER)])
    assert 'input iifname "vb-tr0-n1" ether type ip tcp sport != 22' in to
    assert 'output oifname "vb-tr0-n1" ether type ip tcp dport != 22' in drop_text("t", VETHS, [(CONTROLLER, "n1")])


@pytest.mark.parametrize(
    ("directions", "percent", "said"),
    [
        ([("n1", "n9")], 100, "n9 is no host of this lab; its hosts are n1, n2, n3"),
        ([("n1", "n1")], 100, "n1 cannot be cut from itself"),
        ([("n1", "n2")], 0, "0 % of packets cannot be dropped"),
        ([("n1", "n2")], 101, "101 % of packets cannot be dropped"),
    ],
)
def test_what_cannot_be_cut_is_refused(directions: list[tuple[str, str]], percent: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        drop_text("trilab0", VETHS, directions, percent)


@given(st.lists(st.tuples(ENDS, ENDS).filter(lambda pair: pair[0] != pair[1])))
def test_both_ways_has_each_direction_and_its_opposite_once(pairs: list[tuple[str, str]]) -> None:
    ways = both_ways(pairs)
    assert len(ways) == len(set(ways))
    assert set(ways) == {way for one, other in pairs for way in ((one, other), (other, one))}
    assert len(drop_text("t", VETHS, ways).splitlines()) == sum(2 if CONTROLLER in way else 1 for way in ways)


def test_counters_are_summed_by_direction() -> None:
    def rule(comment: str, packets: int) -> dict[str, object]:
        return {
            "rule": {"comment": comment, "expr": [{"match": {}}, {"counter": {"packets": packets}}, {"drop": None}]}
        }

    listing = {
        "nftables": [
            {"metainfo": {}},
            {"table": {}},
            rule("n1>n2", 3),
            rule("n1>n2", 4),
            rule("n2>n1", 0),
            {"rule": {}},
        ]
    }
    assert dropped_packets(listing) == {("n1", "n2"): 7, ("n2", "n1"): 0}


@pytest.mark.parametrize(
    "listing", [{}, {"nftables": None}, {"nftables": [{"rule": {"comment": "a>b", "expr": None}}]}]
)
def test_another_document_is_no_listing(listing: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no listing"):
        dropped_packets(listing)


def a_lab(tmp_path: Path) -> LabFile:
    host = LabHost(
        address="10.90.0.11",
        veth="vb-tr0-n1",
        cgroup="trilab0-n1",
        machine="tr0-n1",
        root=str(tmp_path / "root"),
        data=str(tmp_path / "data"),
        boot=("true",),
        console=str(tmp_path / "console.log"),
    )
    return LabFile(
        number=0,
        bridge="trilab0",
        network="10.90.0.0/24",
        controller="10.90.0.1",
        ssh_config=str(tmp_path / "config"),
        key=str(tmp_path / "id"),
        inventory=str(tmp_path / "hosts.yml"),
        image=str(tmp_path),
        unified=str(tmp_path),
        hosts={"n1": host},
    )


def test_a_labs_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    lab = a_lab(tmp_path)
    write_lab(tmp_path / "lab.json", lab)
    assert read_lab(tmp_path / "lab.json") == lab
    assert [path.name for path in tmp_path.iterdir()] == ["lab.json"]


def test_a_labs_file_that_is_none_says_how_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(LabFileInvalid, match=r"no such file.*python -m tests\.lab\.hosts up"):
        read_lab(tmp_path / "lab.json")
    (tmp_path / "lab.json").write_text('{"number": "one"}')
    with pytest.raises(LabFileInvalid, match=r"does not describe a lab.*number"):
        read_lab(tmp_path / "lab.json")
    with pytest.raises(LabFileInvalid, match="cannot be read"):
        read_lab(tmp_path)


@pytest.mark.anyio
async def test_a_command_says_what_failed() -> None:
    assert await run("cat", given="to be read") == "to be read"
    with pytest.raises(LabCommandFailed, match="sh -c echo bad >&2; exit 3: exit status 3: bad"):
        await run("sh", "-c", "echo bad >&2; exit 3")
    assert (await attempt("false"))[0] == 1
    with pytest.raises(LabCommandFailed, match="no such program"):
        await run("no-such-program-of-a-lab")


@pytest.mark.anyio
async def test_a_command_that_does_not_end_is_killed() -> None:
    argv = (sys.executable, "-c", "import time; time.sleep(600)")
    with pytest.raises(LabCommandFailed, match=r"not done within 0\.2 s"):
        await run(*argv, limit_s=0.2)
    task = asyncio.create_task(run(*argv))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
