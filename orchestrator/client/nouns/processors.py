"""`client.processors`: who works on frames."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from orchestrator.client.calls import Call, ReadOptions, nothing
from orchestrator.client.endpoints import M, Noun, endpoint
from orchestrator.client.programs import given
from orchestrator.client.shapes.processors import Observed, Processor, Registered


class Processors(Noun[M]):
    @endpoint("GET", "/v1/processors/{processor_id}")
    def get(self, processor_id: str, **read: Unpack[ReadOptions]) -> Call[Observed]:
        return Call(Observed, {"processor_id": processor_id}, query=read)

    @endpoint("POST", "/v1/processors/register")
    def register(
        self,
        processor_id: str,
        capabilities: Sequence[str],
        capacity: int,
        *,
        health_url: str | None = None,
        labels: Mapping[str, str] | None = None,
        processor_token: str | None = None,
        key: str | None = None,
    ) -> Call[Registered]:
        """Make a processor known. The answer holds the token that only it has; a process that comes back gives it."""
        body = {"id": processor_id, "capabilities": [*capabilities], "capacity": capacity}
        body |= given(health_url=health_url, labels=labels)
        return Call(Registered, body=body, headers=_own(processor_token), key=key)

    @endpoint("PATCH", "/v1/processors/{processor_id}")
    def update(self, processor_id: str, changes: Mapping[str, Any], *, key: str | None = None) -> Call[Processor]:
        """`changes`: `capabilities`, `capacity`, `health_url`, `labels`."""
        return Call(Processor, {"processor_id": processor_id}, body=changes, key=key)

    @endpoint("DELETE", "/v1/processors/{processor_id}")
    def delete(self, processor_id: str, *, processor_token: str | None = None, key: str | None = None) -> Call[None]:
        return nothing({"processor_id": processor_id}, headers=_own(processor_token), key=key)

    @endpoint("POST", "/v1/processors/{processor_id}/drain")
    def drain(self, processor_id: str, *, key: str | None = None) -> Call[Processor]:
        """Give it no further frames."""
        return Call(Processor, {"processor_id": processor_id}, key=key)

    @endpoint("POST", "/v1/processors/{processor_id}/resume")
    def resume(self, processor_id: str, *, key: str | None = None) -> Call[Processor]:
        return Call(Processor, {"processor_id": processor_id}, key=key)

    @endpoint("POST", "/v1/processors/{processor_id}/heartbeat")
    def heartbeat(
        self,
        processor_id: str,
        *,
        in_flight: int = 0,
        settled: int = 0,
        errors: int = 0,
        processor_token: str | None = None,
        key: str | None = None,
    ) -> Call[None]:
        body = {"in_flight": in_flight, "settled": settled, "errors": errors}
        return nothing({"processor_id": processor_id}, body=body, headers=_own(processor_token), key=key)

    @endpoint("GET", "/v1/processors")
    def list(
        self, *, capability: str | None = None, healthy: bool | None = None, **read: Unpack[ReadOptions]
    ) -> Call[list[Processor]]:
        return Call(list[Processor], query={"capability": capability, "healthy": healthy, **read})


def _own(token: str | None) -> dict[str, str]:
    return {} if token is None else {"X-Processor-Token": token}
