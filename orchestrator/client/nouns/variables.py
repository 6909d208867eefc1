"""`client.variables`: values that the whole cluster agrees on."""

from typing import Any, Unpack

from orchestrator.client.calls import Call, ReadOptions, if_match, nothing
from orchestrator.client.endpoints import M, Noun, endpoint
from orchestrator.client.shapes.variables import Variable


class Variables(Noun[M]):
    @endpoint("GET", "/v1/variables/{name}")
    def get(self, name: str, **read: Unpack[ReadOptions]) -> Call[Variable]:
        return Call(Variable, {"name": name}, query=read)

    @endpoint("PUT", "/v1/variables/{name}")
    def set(self, name: str, value: Any, *, if_revision: int | None = None, key: str | None = None) -> Call[Variable]:
        """`if_revision`: only while it has this one; 0: only if it does not exist. Otherwise Conflict."""
        return Call(Variable, {"name": name}, body={"value": value}, headers=if_match(if_revision), key=key)

    @endpoint("DELETE", "/v1/variables/{name}")
    def delete(self, name: str, *, if_revision: int | None = None, key: str | None = None) -> Call[None]:
        return nothing({"name": name}, headers=if_match(if_revision), key=key)

    @endpoint("GET", "/v1/variables")
    def list(self, **read: Unpack[ReadOptions]) -> Call[list[Variable]]:
        return Call(list[Variable], query=read)
