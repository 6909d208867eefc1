"""Each fault on real hosts with the product on them: that it happened and shows inside, and that healing undoes it."""

from collections.abc import AsyncIterator

import pytest

from orchestrator.drills import lab_power
from orchestrator.drills.lab_faults import FaultUnseen, LabFaults
from tests.lab.deployment import Deployment
from tests.lab.hosts import Lab
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def harm(deployed: Deployment, faults: LabFaults) -> AsyncIterator[LabFaults]:
    """Faults on a whole deployment, undone afterwards; and it becomes whole again."""
    try:
        yield faults
    finally:
        await faults.heal()
    deployed.ready()


def reaches(lab: Lab, one: str, other: str) -> bool:
    return lab.host(one).ask(f"ping -c 2 -i 0.2 -W 1 {lab.host(other).address}", limit_s=20).status == 0


async def test_two_hosts_are_cut_and_the_third_sees_both(lab: Lab, harm: LabFaults) -> None:
    done = await harm.cut([("n1", "n2")])
    assert all(int(count) > 0 for count in done.proof.values())
    assert set(done.proof) == {"dropped n1>n2", "dropped n2>n1"}
    assert not reaches(lab, "n1", "n2")
    assert reaches(lab, "n1", "n3")
    assert reaches(lab, "n2", "n3")
    await harm.heal()
    assert reaches(lab, "n1", "n2")
    assert await harm.dropped() == {}


async def test_a_one_way_cut_leaves_the_other_way_open(lab: Lab, harm: LabFaults) -> None:
    one, other = lab.host("n1"), lab.host("n2")
    # Answers to ARP go the way that is cut; n2 has to know where n1 is without asking.
    where = one.ssh("cat /sys/class/net/host0/address").strip()
    other.ssh(f"ip neigh replace {one.address} lladdr {where} dev host0 nud permanent")
    try:
        await harm.cut([("n1", "n2")], one_way=True)
        assert set(await harm.dropped()) == {("n1", "n2")}
        # What n2 sends arrives, and what n1 answers is dropped.
        received = "awk '/^Icmp: [0-9]/ {print $10}' /proc/net/snmp"  # InEchos
        before, echoes = (await harm.dropped())["n1", "n2"], int(one.ssh(received))
        assert not reaches(lab, "n2", "n1")
        assert int(one.ssh(received)) > echoes
        assert (await harm.dropped())["n1", "n2"] > before
    finally:
        other.ssh(f"ip neigh del {one.address} dev host0")


async def test_an_isolated_host_is_still_reached_by_ssh(lab: Lab, harm: LabFaults) -> None:
    done = await harm.isolate("n3", controller=True)
    assert {"dropped n3>n1", "dropped n2>n3", "dropped n3>controller", "dropped controller>n3"} <= set(done.proof)
    assert lab.host("n3").ssh("hostname").strip() == "n3"
    assert not reaches(lab, "n3", "n1")


async def test_loss_loses_a_share(lab: Lab, harm: LabFaults) -> None:
    await harm.lose([("n2", "n3")], 50)
    said = lab.host("n2").ask(f"ping -q -c 200 -i 0.01 -W 1 {lab.host('n3').address}", limit_s=30).out
    lost = float(said.partition("% packet loss")[0].split()[-1])
    assert 40 < lost < 98  # three quarters: a ping has to get there and back


async def test_a_power_cut_and_a_new_boot(lab: Lab, deployed: Deployment, harm: LabFaults) -> None:
    boot = lab.host("n2").ssh("cat /proc/sys/kernel/random/boot_id").strip()
    done = await harm.power_off("n2")
    assert done.proof["boot"] == boot
    assert done.proof["processes_after"] == 0
    assert not lab.host("n2").reachable()
    with pytest.raises(FaultUnseen):
        await harm.power_off("n2")
    assert (await harm.power_on("n2")).proof["boot"] != boot
    assert lab.host("n2").ssh("cat /proc/sys/kernel/random/boot_id").strip() != boot
    deployed.ready()  # what was deployed comes up by itself


async def test_healing_turns_on_what_is_off_and_may_be_repeated(lab: Lab, harm: LabFaults) -> None:
    await harm.power_off("n1")
    await harm.cut([("n2", "n3")])
    await harm.heal()
    await harm.heal()
    assert lab.host("n1").reachable()
    assert reaches(lab, "n2", "n3")


async def test_a_frozen_host_does_nothing_until_it_is_thawed(lab: Lab, harm: LabFaults) -> None:
    assert (await harm.freeze("n3")).proof["frozen"] == 1
    assert not lab.host("n3").reachable()
    await harm.thaw("n3")
    assert not lab_power.is_frozen(harm.lab, "n3")
    await eventually(lambda: lab.host("n3").reachable(), deadline_s=20)


async def test_a_full_disk_takes_no_byte_more(lab: Lab, harm: LabFaults) -> None:
    done = await harm.fill_disk("n1")
    assert done.proof["bytes_left"] == 0
    tried = lab.host("n1").ask("dd if=/dev/zero of=/var/lib/triarch/more bs=4096 count=1; rm -f /var/lib/triarch/more")
    assert "No space left on device" in tried.err
    await harm.free_disk("n1")
    assert (
        lab.host("n1")
        .ask("dd if=/dev/zero of=/var/lib/triarch/more bs=4096 count=1 && rm /var/lib/triarch/more")
        .status
        == 0
    )


@pytest.mark.parametrize("offset_s", [3600, -86_400])
async def test_a_clock_jumps_and_monotonic_time_goes_on(lab: Lab, harm: LabFaults, offset_s: int) -> None:
    await harm.arm_clock("n2")
    host = lab.host("n2")
    pid = host.ssh("systemctl show -p MainPID --value triarch-node").strip()
    done = await harm.jump_clock("n2", offset_s)
    assert abs(int(done.proof["seen_s"]) - offset_s) <= 3
    # The node lives on: no new process, and its watchdog, which counts by monotonic time, is fed.
    assert host.ssh("systemctl show -p MainPID --value triarch-node").strip() == pid
    assert (await harm.reset_clock("n2")).proof["units"] == 1
    assert "libfaketime" not in host.ssh("cat /proc/$(systemctl show -p MainPID --value triarch-node)/maps")


async def test_a_killed_service_is_started_again_by_systemd(lab: Lab, harm: LabFaults) -> None:
    done = await harm.signal("n3", "triarch-node.service", "KILL")
    restarted = "systemctl show -p MainPID --value triarch-node"

    def another() -> bool:
        return lab.host("n3").ssh(restarted).strip() not in ("0", str(done.proof["pid"]))

    await eventually(another, deadline_s=20, every_s=0.2)


async def test_a_stopped_service_goes_on_when_it_is_healed(lab: Lab, harm: LabFaults) -> None:
    # Redis has no watchdog that would end it meanwhile.
    done = await harm.signal("n3", "triarch-redis.service", "STOP")
    assert str(done.proof["state"]).startswith("T")
    await harm.heal()
    state = lab.host("n3").ssh(f"sed -n 's/^State:.//p' /proc/{done.proof['pid']}/status")
    assert not state.startswith("T")


async def test_a_service_that_does_not_run_cannot_be_signalled(harm: LabFaults) -> None:
    with pytest.raises(Exception, match="no main process"):
        await harm.signal("n1", "no-such.service", "KILL")
