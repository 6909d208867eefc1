"""A plant for the browser: three nodes that ask for tokens, components of two groups, and somebody of each role."""

import os
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from orchestrator.dev.local import REQUEST_S, LocalPlant
from orchestrator.dev.processes import Program
from orchestrator.dev.topology import NodePlace, Topology, on_free_ports
from tests import support
from tests.support import eventually_sync

CLUSTER_TOKEN = "t" * 20 + "0123456789abcdef"
ROLES = ("viewer", "operator", "admin")
COMPONENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "io-1": ("control", ()),
    "plc-1": ("control", ("io-1",)),
    "conveyor": ("line-a", ("plc-1",)),
    "press-1": ("line-a", ("plc-1", "conveyor")),
    "press-2": ("line-a", ("plc-1",)),
    "oven": ("finish", ("press-1",)),
    "scale": ("finish", ("conveyor",)),
}
"""By id: its group, and what it needs."""


@dataclass(frozen=True, slots=True)
class TokenTopology(Topology):
    """Nodes that ask for a token."""

    def config(self, node: NodePlace) -> dict[str, Any]:
        return {**Topology.config(self, node), "api": {"token": CLUSTER_TOKEN}}


class TokenPlant(LocalPlant):
    """Its own calls carry the cluster's token."""

    def _new_client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {CLUSTER_TOKEN}"}
        return httpx.AsyncClient(timeout=REQUEST_S, trust_env=False, headers=headers)


@dataclass
class BrowserPlant:
    """Called from tests, which are not async; the plant lives in a thread of its own."""

    plant: TokenPlant
    portal: BlockingPortal
    logs: Path
    tokens: dict[str, str] = field(default_factory=dict)
    """by role, the text of a token"""

    @property
    def apis(self) -> tuple[str, ...]:
        return self.plant.topology.apis

    def leader(self) -> str:
        """The id of the node that leads."""
        return self.portal.call(self.plant.current_leader, 20.0).node_id

    def follower(self) -> str:
        leader = self.leader()
        return next(node.id for node in self.plant.topology.nodes if node.id != leader)

    def api_of(self, node_id: str) -> str:
        return self.plant.topology.node(node_id).api

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request with the cluster's token, repeated under its key until a node has answered it."""
        headers = {"Authorization": f"Bearer {CLUSTER_TOKEN}", "Idempotency-Key": uuid.uuid4().hex}

        def answered() -> httpx.Response | None:
            for api in self.apis:
                try:
                    answer = httpx.request(method, api + path, json=body, headers=headers, timeout=8, trust_env=False)
                except httpx.TransportError:
                    continue
                if answer.status_code not in (502, 503, 504):
                    return answer
            return None

        answer = eventually_sync(answered, deadline_s=30, every_s=0.1, message=f"{method} {path}")
        assert answer is not None
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def state(self, component_id: str) -> str:
        return str(self.call("GET", f"/v1/components/{component_id}").json()["state"])

    def started(self, component_id: str) -> None:
        """Have a component STARTED, whatever it is now."""
        if self.state(component_id) == "STARTED":
            return
        commands = ["CMD_INITIALIZE", "CMD_START"]
        for command in commands if self.state(component_id) == "READY" else ["CMD_RESET", *commands]:
            self.call("POST", f"/v1/components/{component_id}/commands", {"command": command})
            self.settled(component_id)
        assert self.state(component_id) == "STARTED"

    def settled(self, component_id: str) -> str:
        """Its state once it is no passage."""
        return eventually_sync(
            lambda: state if (state := self.state(component_id)) not in ("INITIALIZING", "STOPPING") else "",
            deadline_s=20,
            message=f"{component_id} in no passage",
        )

    def fault(self, component_id: str) -> None:
        """The component itself goes into FAULT."""
        os.kill(self.plant.processes[component_id].pid, signal.SIGUSR1)
        eventually_sync(lambda: self.state(component_id) == "FAULT", deadline_s=20, message=f"{component_id} in FAULT")

    def restored(self) -> None:
        """Have everything as tests find it: all components started, none in maintenance."""
        for row in self.call("GET", "/v1/components").json():
            if row["id"] not in COMPONENTS:
                continue
            if row["maintenance"] is not None:
                self.call("DELETE", f"/v1/components/{row['id']}/maintenance")
            if row["state"] != "STARTED":
                self.settled(row["id"])
                self.started(row["id"])

    def kill(self, node_id: str) -> None:
        self.portal.call(self.plant.kill, node_id)

    def restart(self, node_id: str) -> None:
        """Start a node that was killed, and wait until all are ready."""
        self.portal.call(self.plant.restart, node_id)
        support.lasting_children.add(self.plant.node(node_id).pid)
        self.portal.call(self.plant.wait_ready)


@contextmanager
def running(directory: Path) -> Iterator[BrowserPlant]:
    """The plant, its components started, a token for each role."""
    base = on_free_ports(directory)
    topology = TokenTopology(directory=base.directory, nodes=base.nodes, redis_port=base.redis_port)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(TokenPlant(topology)) as plant:
        portal.call(plant.wait_ready)
        logs = directory / "components"
        logs.mkdir()
        portal.call(plant.processes.start, *(_component(topology, logs, name) for name in COMPONENTS))
        found = BrowserPlant(plant, portal, logs)
        for role in ROLES:
            made = found.call("POST", "/v1/tokens", {"name": f"{role}-one", "role": role})
            found.tokens[role] = made.json()["token"]
        eventually_sync(
            lambda: len(found.call("GET", "/v1/components").json()) == len(COMPONENTS),
            deadline_s=30,
            message="all components are registered",
        )
        for name in COMPONENTS:
            found.started(name)
        yield found


def _component(topology: Topology, logs: Path, name: str) -> Program:
    group, needs = COMPONENTS[name]
    argv = [sys.executable, "-m", "tests.chaos.plant_component", "--id", name, "--log", str(logs / f"{name}.log")]
    for api in topology.apis:
        argv += ["--orchestrator", api]
    argv += ["--group", group]
    for each in needs:
        argv += ["--needs", each]
    return Program(name, tuple(argv), {"PLANT_TOKEN": CLUSTER_TOKEN})
