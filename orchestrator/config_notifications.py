"""The settings of what tells people."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from orchestrator.config_section import Section

__all__ = ["ChannelSettings", "NotificationSettings"]

ChannelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class ChannelSettings(Section):
    """One way to tell people."""

    kind: Literal["log", "webhook", "slack"] = Field(
        description="`log`: a line in the leader's log. `webhook`: a JSON document is posted to `url`, its `id` the "
        "same when it comes twice. `slack`: a text for an incoming webhook of Slack or of what understands the same."
    )
    url: SecretStr | None = Field(
        default=None, description="`http://` or `https://`, for all but `log`. Such addresses often are secrets."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value.get_secret_value())
            sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            sound = False
        if not sound:
            raise ValueError("not an http:// or https:// address")
        return value

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if (self.kind == "log") != (self.url is None):
            raise ValueError("a log has no `url`" if self.kind == "log" else f"a {self.kind} needs a `url`")
        return self


class NotificationSettings(Section):
    """What `send_notification` of a playbook tells people by. The same on every node: any may lead."""

    channels: dict[ChannelName, ChannelSettings] = Field(
        default={"default": ChannelSettings(kind="log")},
        max_length=100,
        description="By name, which a playbook's `channel` says.",
    )
