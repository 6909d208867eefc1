"""`client.alerts`, `client.silences`, `client.alert_rules`."""

from collections.abc import Mapping
from typing import Any, Literal, Unpack

from orchestrator.client.calls import Call, ReadOptions, if_match_or_zero, nothing
from orchestrator.client.endpoints import M, Noun, endpoint
from orchestrator.client.programs import given
from orchestrator.client.shapes.alerts import Alert, AlertRule, SilenceShown

Severity = Literal["info", "warning", "error", "critical"]


class Alerts(Noun[M]):
    @endpoint("GET", "/v1/alerts/{alert_id}")
    def get(self, alert_id: str, **read: Unpack[ReadOptions]) -> Call[Alert]:
        return Call(Alert, {"alert_id": alert_id}, query=read)

    @endpoint("POST", "/v1/alerts/{alert_id}/acknowledge")
    def acknowledge(self, alert_id: str, by: str, *, note: str = "", key: str | None = None) -> Call[Alert]:
        return Call(Alert, {"alert_id": alert_id}, body={"by": by, "note": note}, key=key)

    @endpoint("GET", "/v1/alerts")
    def list(
        self,
        *,
        state: Literal["pending", "firing", "resolved", "open", "all"] = "open",
        severity: Severity | None = None,
        rule: str | None = None,
        **read: Unpack[ReadOptions],
    ) -> Call[list[Alert]]:
        return Call(list[Alert], query={"state": state, "severity": severity, "rule": rule, **read})


class Silences(Noun[M]):
    @endpoint("POST", "/v1/silences")
    def add(
        self,
        by: str,
        reason: str,
        *,
        rule: str = "*",
        subject: str = "*",
        severity: Severity | None = None,
        for_s: float | None = None,
        until: float | None = None,
        key: str | None = None,
    ) -> Call[SilenceShown]:
        """Notify nobody of such alerts, for `for_s` seconds or `until` a unix time."""
        times = given(severity=severity, for_s=for_s, until=until)
        return Call(SilenceShown, body={"by": by, "reason": reason, "rule": rule, "subject": subject, **times}, key=key)

    @endpoint("DELETE", "/v1/silences/{silence_id}")
    def delete(self, silence_id: str, *, key: str | None = None) -> Call[None]:
        return nothing({"silence_id": silence_id}, key=key)

    @endpoint("GET", "/v1/silences")
    def list(self, **read: Unpack[ReadOptions]) -> Call[list[SilenceShown]]:
        return Call(list[SilenceShown], query=read)


class AlertRules(Noun[M]):
    @endpoint("GET", "/v1/alert-rules/{name}")
    def get(self, name: str, **read: Unpack[ReadOptions]) -> Call[AlertRule]:
        return Call(AlertRule, {"name": name}, query=read)

    @endpoint("PUT", "/v1/alert-rules/{name}")
    def put(
        self,
        name: str,
        condition: Mapping[str, Any],
        rule: Mapping[str, Any] | None = None,
        *,
        if_revision: int | None = None,
        key: str | None = None,
    ) -> Call[AlertRule]:
        """`condition` has a `kind` and what that takes; `rule`: `severity`, `for_s`, `target` and so on."""
        body, headers = {"condition": condition, **(rule or {})}, if_match_or_zero(if_revision)
        return Call(AlertRule, {"name": name}, body=body, headers=headers, key=key)

    @endpoint("DELETE", "/v1/alert-rules/{name}")
    def delete(self, name: str, *, if_revision: int | None = None, key: str | None = None) -> Call[None]:
        return nothing({"name": name}, headers=if_match_or_zero(if_revision), key=key)

    @endpoint("GET", "/v1/alert-rules")
    def list(self, **read: Unpack[ReadOptions]) -> Call[list[AlertRule]]:
        return Call(list[AlertRule], query=read)
