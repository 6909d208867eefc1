"""The calls by noun, as attributes of a client."""

from typing import Any, Generic

from orchestrator.client.endpoints import M
from orchestrator.client.variables import Variables


class Nouns(Generic[M]):
    """What a client can be asked for."""

    def _place_nouns(self) -> None:
        acting: Any = self
        self.variables: Variables[M] = Variables(acting)
