"""That a cut cuts, that a healed network is whole, and that nothing of it is left."""

import asyncio
import itertools
import sys

import pytest

from tests.chaos import netns
from tests.chaos.netns import HOST, Network, NetworkFailed, run
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.root, pytest.mark.alone]

HOSTS = ("n1", "n2", "n3")
EVERY = tuple(itertools.permutations((HOST, *HOSTS), 2))


async def reached(network: Network) -> set[tuple[str, str]]:
    """Every pair (from, to) of which a datagram arrives."""
    return {pair for pair in EVERY if await network.passes(*pair)}


async def test_all_reach_all_and_a_process_has_the_address_of_its_host(network: Network) -> None:
    async def whole() -> bool:
        return await reached(network) == set(EVERY)

    # Where the machine is busy an answer may come after the look has ended.
    await eventually(whole, deadline_s=10)
    assert len({network.address(host) for host in (HOST, *HOSTS)}) == 4
    for host in HOSTS:
        shown = await run(*network.inside(host, ("ip", "-4", "-o", "address", "show", "dev", "eth0")))
        assert network.address(host) in shown


async def test_an_isolated_host_is_reached_by_this_machine_only(network: Network) -> None:
    await network.isolate("n1")
    cut = {pair for pair in EVERY if "n1" in pair and HOST not in pair}
    assert await reached(network) == set(EVERY) - cut
    assert await network.dropped(["n1"], ["n2", "n3"]) > 0
    assert await network.dropped(["n2"], ["n3"]) == 0
    await network.heal()

    async def whole() -> bool:
        return await reached(network) == set(EVERY)

    # A host that was asked for in vain is asked for again after a second.
    await eventually(whole, deadline_s=10)


async def test_a_pair_is_cut_and_the_third_still_reaches_both(network: Network) -> None:
    await network.cut(["n2"], ["n3"])
    assert await reached(network) == set(EVERY) - {("n2", "n3"), ("n3", "n2")}
    await network.cut(["n1"], [HOST])  # cuts add up
    assert not await network.passes("n1", HOST)
    assert not await network.passes("n2", "n3")


async def test_a_one_way_cut_lets_the_other_way_through(network: Network) -> None:
    await network.cut_one_way(["n1", "n2"], ["n3"])
    assert await reached(network) == set(EVERY) - {("n1", "n3"), ("n2", "n3")}
    assert await network.dropped(["n1", "n2"], ["n3"]) > 0
    assert await network.dropped(["n3"], ["n1", "n2"]) == 0


async def test_loss_takes_about_its_share(network: Network) -> None:
    assert await network.arriving("n1", "n2", 200) == 200
    await network.lose(["n1"], ["n2"], 50)
    assert 50 < await network.arriving("n1", "n2", 200) < 150  # seven standard deviations on each side
    assert await network.arriving("n1", "n3", 200) == 200
    await network.heal()
    assert await network.arriving("n1", "n2", 200) == 200


async def test_nothing_is_left_and_two_networks_do_not_meet(network: Network) -> None:
    before = await _things()
    async with Network(("n1", "n2")) as other:
        await other.isolate("n1")
        assert await network.passes("n1", "n2")
        assert not await other.passes("n1", "n2")
        assert {other.address(host) for host in ("n1", "n2", HOST)}.isdisjoint(
            network.address(host) for host in (*HOSTS, HOST)
        )
        assert await _things() != before
    assert await _things() == before


async def test_nothing_is_left_of_a_network_that_could_not_be_built() -> None:
    before = await _things()
    with pytest.raises(NetworkFailed, match="ip link add eth0"):
        async with Network(("n1", "a name too long for a port")):
            pass
    assert await _things() == before


async def test_the_next_run_removes_what_a_killed_one_left() -> None:
    before = await _things()
    program = (
        "import anyio, os, signal\n"
        "from tests.chaos.netns import Network\n"
        "async def main():\n"
        "    async with Network(('n1', 'n2', 'n3')):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "anyio.run(main)\n"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await child.wait() == -9
    left = [name for name in await netns.namespaces() if f"-{child.pid}-" in name]
    assert len(left) == 4
    assert set(left) <= set(await netns.remove_left_behind())
    # The kernel takes a namespace's links away a moment after the namespace.
    await eventually(lambda: _is(before), deadline_s=10)


def test_the_network_is_not_built_without_its_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    assert netns.missing_tools() == []
    monkeypatch.setenv("PATH", "")
    assert netns.missing_tools() == ["ip", "nft"]


async def _is(before: tuple[set[str], set[str]]) -> bool:
    return await _things() == before


async def _things() -> tuple[set[str], set[str]]:
    """What this process, or one that it started, could leave: namespaces, and links of this machine's own."""
    links = await run("ip", "-o", "link")
    return set(await netns.namespaces()), {line.split(": ")[1].partition("@")[0] for line in links.splitlines()}
