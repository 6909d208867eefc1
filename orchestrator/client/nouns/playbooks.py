"""`client.playbooks`: what the leader does to the plant, step by step."""

from collections.abc import Mapping
from typing import Any, Unpack

from orchestrator.client.calls import Call, ReadOptions, if_match, nothing
from orchestrator.client.endpoints import M, Noun, endpoint
from orchestrator.client.shapes.playbooks import (
    Planned,
    PlaybookStored,
    PlaybookSummary,
    PlaybookText,
    Started,
    Validated,
)


class Playbooks(Noun[M]):
    @endpoint("GET", "/v1/playbooks/{name}")
    def get(self, name: str, *, version: int | None = None, **read: Unpack[ReadOptions]) -> Call[PlaybookText]:
        """The text of a version, the newest by default."""
        return Call(PlaybookText, {"name": name}, query={"version": version, **read})

    @endpoint("PUT", "/v1/playbooks/{name}")
    def put(
        self,
        name: str,
        text: str,
        *,
        who: str | None = None,
        dry_run: bool | None = None,
        if_match_version: int | None = None,
        key: str | None = None,
    ) -> Call[PlaybookStored]:
        """Store YAML as the next version; `dry_run`: only judge it. Invalid holds all faults in `members["errors"]`.

        `if_match_version`: only while this is the newest; 0: only if there is none. Otherwise Conflict.
        """
        query = {"who": who, "dry_run": dry_run}
        headers = if_match(if_match_version)
        return Call(PlaybookStored, {"name": name}, query=query, body={"text": text}, headers=headers, key=key)

    @endpoint("POST", "/v1/playbooks/validate")
    def validate(self, text: str, *, name: str = "") -> Call[Validated]:
        """What is wrong with YAML, each with its line; nothing is stored."""
        return Call(Validated, query={"name": name or None}, body={"text": text})

    @endpoint("DELETE", "/v1/playbooks/{name}")
    def delete(self, name: str, *, if_match_version: int | None = None, key: str | None = None) -> Call[None]:
        return nothing({"name": name}, headers=if_match(if_match_version), key=key)

    @endpoint("POST", "/v1/playbooks/{name}/runs")
    def run(
        self, name: str, inputs: Mapping[str, Any] | None = None, *, who: str = "", key: str | None = None
    ) -> Call[Started]:
        """Start an execution; `client.executions.wait` waits for its end."""
        return Call(Started, {"name": name}, body={"inputs": dict(inputs or {}), "who": who}, key=key)

    @endpoint("POST", "/v1/playbooks/{name}/plan")
    def plan(
        self, name: str, inputs: Mapping[str, Any] | None = None, *, who: str = "", key: str | None = None
    ) -> Call[Planned]:
        """What a run would do first; nothing is done."""
        return Call(Planned, {"name": name}, body={"inputs": dict(inputs or {}), "who": who}, key=key)

    @endpoint("GET", "/v1/playbooks")
    def list(self, **read: Unpack[ReadOptions]) -> Call[list[PlaybookSummary]]:
        return Call(list[PlaybookSummary], query=read)
