"""Followers of an execution and of the journal over the death of the node that they follow by, and of the leader."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.following import Follower, Told
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos.insisting import insist
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(120)]

ROUNDS = 60
TEXT = f"""\
name: rounds
actions:
  - type: repeat
    until: index >= {ROUNDS - 1}
    limit: {ROUNDS}
    delay: 50ms
    actions:
      - {{type: set_variable, name: round, value: "{{{{ index }}}}"}}
      - {{type: log_event, message: "round {{{{ index }}}}"}}
"""


class Following:
    """A follower in a thread of its own, as the command line is."""

    def __init__(self, urls: list[str], path: str, last: str = "", until: str = "") -> None:
        self.told: list[Told] = []
        self._follower = Follower(",".join(urls), path, last=last)
        self._until = until
        self.task = asyncio.create_task(asyncio.to_thread(self._follow))

    def _follow(self) -> None:
        for told in self._follower.events():
            self.told.append(told)
            if self._until and any(line["message"] == self._until for line in told.data.get("events", ())):
                return

    @property
    def indexes(self) -> list[int]:
        return [int(told.index) for told in self.told]


async def test_nothing_is_missed_and_nothing_told_twice(tmp_path: Path) -> None:
    async with LocalPlant(on_free_ports(tmp_path)) as plant:
        leader = await plant.wait_ready()
        answer = await insist(plant, "PUT", "/v1/playbooks/rounds", {"text": TEXT})
        assert answer.status_code == 201, answer.text
        answer = await insist(plant, "POST", "/v1/playbooks/rounds/runs", {})
        assert answer.status_code == 202, answer.text
        path = f"{answer.headers['Location']}/follow"
        apis = {node.id: node.api for node in plant.topology.nodes}
        first = apis.pop(leader.node_id)
        others = list(apis.values())

        by_leader = Following([first, *others], path)
        by_others = Following([*others, first], path)
        await eventually(lambda: len(by_leader.told) > 10 and len(by_others.told) > 10, deadline_s=20)
        journal = Following(
            [first, *others], "/v1/events/follow", last=by_leader.told[0].index, until=f"round {ROUNDS - 1}"
        )

        await eventually(lambda: len(journal.told) > 5, deadline_s=20)
        assert await plant.kill(leader.node_id) == -signal.SIGKILL
        await plant.other_leader(leader)
        await plant.restart(leader.node_id)
        async with asyncio.timeout(60):
            await asyncio.gather(by_leader.task, by_others.task, journal.task)

        story = Following(others, path, last=by_leader.told[0].index)
        await story.task
        assert story.indexes == sorted(set(story.indexes))
        assert (story.told[-1].kind, story.told[-1].data["status"]) == ("ended", "SUCCEEDED")
        for following in (by_leader, by_others):
            snapshot, *changes = following.told
            assert snapshot.kind == "snapshot"
            assert changes == [told for told in story.told if int(told.index) > int(snapshot.index)]

        lines = [line for told in journal.told for line in told.data["events"]]
        assert [line["number"] for line in lines] == list(range(lines[0]["number"], lines[0]["number"] + len(lines)))
        assert all(told.kind == "logged" for told in journal.told)

        # The node that was killed has come to the same, from its log.
        await plant.wait_ready(leader.node_id)
        again = Following([first], path, last=by_leader.told[0].index)
        await again.task
        assert ended(again.told) == ended(story.told)
        if again.told[0].kind != "snapshot":
            assert again.told == story.told


def ended(told: list[Told]) -> Any:
    data = told[-1].data
    return (told[-1].index, data["status"], data["revision"])
