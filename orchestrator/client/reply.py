"""What `request` gives: an answer as it came, for calls that have no method of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.client.calls import Call, Values, document_of
from orchestrator.client.errors import SettingsInvalid
from orchestrator.client.exchanging import Answer


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer. `headers` have names in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The JSON of the body, None for an empty one. Raises UnexpectedAnswer."""
        return document_of(Answer(self.url, self.status, self.headers, self.body))

    @classmethod
    def call(
        cls,
        method: str,
        path: str,
        query: Values | None,
        body: Any,
        content: bytes | None,
        content_type: str,
        headers: Mapping[str, str] | None,
        key: str | None,
        patience_s: float | None,
    ) -> "Call[Reply]":
        """The call of a method and a path as the user wrote them. Raises SettingsInvalid."""
        if not path.startswith("/") or not all("!" <= character <= "~" for character in path) or "#" in path:
            raise SettingsInvalid(f"{path[:200]!r} is no path: it begins with / and holds visible ASCII characters")
        inner, _, own = path.partition("?")
        call = Call[Reply](
            query=query,
            body=body,
            content=content,
            content_type="application/json" if content is None else content_type,
            headers=headers,
            key=key,
            patience_s=patience_s,
            read=lambda answer: cls(answer.url, answer.status, answer.headers, answer.body),
            own_query=own,
        )
        return call.bound(method.upper(), inner.replace("{", "{{").replace("}", "}}"))
