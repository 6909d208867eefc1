"""Does what a playbook wants done outside the replicated state, and says what became of it.

`Failed`: it certainly was not done, or was done and failed; another attempt takes a new key. `Unknown`: it may have
been done; it is asked for again under the same key, and the receiver answers what it did the first time.

| send_command                                         | result                                            |
| ---------------------------------------------------- | ------------------------------------------------- |
| taken up (with `wait`: completed)                    | Done `{state, completed, result}`                 |
| taken up, not completed, `wait`                      | asked again under the same key                    |
| answered `command_failed`, `command_refused`, …      | Failed, that code                                 |
| refused before it was begun                          | Failed, that code                                 |
| `component_unknown`, `event_invalid`, `unauthorised` | Failed, that code                                 |
| busy with another command, also a moment later       | Unknown `component_busy`                          |
| going away                                           | Unknown `component_stopping`                      |
| not reached                                          | Unknown `unreachable`                             |
| no answer, half an answer, a 5xx                     | Unknown `outcome_unknown`                         |
| this node leads no more                              | Unknown `outcome_unknown`                         |
| `stale_epoch`: a newer leader has spoken             | none: StaleEpoch is raised, the duty is to end    |

| http_request, send_notification                      | result                                            |
| ---------------------------------------------------- | ------------------------------------------------- |
| a status that is expected (notification: any 2xx)    | Done `{status, headers, body}` (notification: none)|
| 408, or 500 and more                                 | Unknown `http_status`                             |
| any other status, redirects too: none is followed    | Failed `http_status`                              |
| not connected: no such name, refused, no TLS         | Failed `unreachable`                              |
| sent, and no whole answer                            | Unknown `outcome_unknown`                         |
| an address that is none                              | Failed `url_invalid`                              |
| with `safe: false`, whatever would be Unknown        | Failed `outcome_unknown`                          |
| a channel that the settings do not have              | Failed `channel_unknown`                          |
| a channel of kind `log`                              | Done                                              |
"""

import asyncio
import logging
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from cluster import ClusterError
from orchestrator.config_notifications import ChannelSettings
from orchestrator.errors import (
    ComponentBusy,
    ComponentStopping,
    OrchestratorError,
    OutcomeUnknown,
    StaleEpoch,
    Unreachable,
)
from orchestrator.events import CommandAnswer
from orchestrator.playbooks.effect import Done, Effect, Failed, Result, Unknown
from orchestrator.playbooks.outgoing import Exchange, no_secrets, request_of

log = logging.getLogger(__name__)

WAIT_S = 0.1
WAIT_MAX_S = 1.0
"""Between two questions whether a component has finished; it holds each one back for a while itself."""
BUSY_S = (0.05, 0.1, 0.2, 0.4)
"""Seconds between questions to a component that is busy with something else."""
MESSAGE_MAX = 500
AT_ONCE = 200
"""Commands on the wire. A step that waits for a component's work holds no place between two questions."""


class SendCommand(Protocol):
    """`PlantDuty.send_command`."""

    async def __call__(
        self, component_id: str, command: str, key: str, *, params: Mapping[str, Any] | None = None
    ) -> CommandAnswer: ...


class Effects:
    """Performs effects, each until it has a result. They are bounded by whoever cancels them.

    Args:
        send_command: the leader's way to components.
        http: client for what is not of the plant: without its token, and no redirect is followed.
        channels: by name, how people are told.
    """

    def __init__(
        self, send_command: SendCommand, http: httpx.AsyncClient, channels: Mapping[str, ChannelSettings]
    ) -> None:
        self._send_command = send_command
        self._http = http
        self._channels = channels
        self._places = asyncio.Semaphore(AT_ONCE)
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        """by component; gone when nobody waits for its turn"""

    async def perform(self, effect: Effect) -> Result:
        """What became of it. StaleEpoch when a newer leader has spoken."""
        match effect.type:
            case "send_command":
                return await self._command(effect)
            case "http_request":
                return await self._request(effect)
            case "send_notification":
                return await self._notify(effect)
            case _:
                return Failed("unsupported", f"this release does not know how to do {effect.type}")

    # ── Components ────────────────────────────────

    async def _command(self, effect: Effect) -> Result:
        wait, pause, asked = bool(effect.data.get("wait")), WAIT_S, 0
        while True:
            result = await self._send(effect)
            if isinstance(result, Done) and wait and not result.value["completed"]:
                await asyncio.sleep(pause)
                pause = min(WAIT_MAX_S, 2 * pause)
            elif isinstance(result, Unknown) and result.code == ComponentBusy.code and asked < len(BUSY_S):
                # Certainly not begun: a moment is cheaper than two records that say so.
                await asyncio.sleep(BUSY_S[asked])
                asked += 1
            else:
                return result

    async def _send(self, effect: Effect) -> Result:
        data = effect.data
        params = data.get("params") or None
        try:
            # A component does one command at a time; those for it go in the order in which they came.
            lock = self._turns.setdefault(data["component"], asyncio.Lock())
            async with lock, self._places:
                answer = await self._send_command(data["component"], data["command"], effect.key, params=params)
        except StaleEpoch:
            raise
        except (ComponentBusy, ComponentStopping, Unreachable, OutcomeUnknown) as error:
            return Unknown(_short(error.message), error.code)
        except OrchestratorError as error:
            return Failed(str(error.details.get("code", error.code)), _short(error.message))
        except ClusterError as error:
            # It may have been answered: what was not replicated is the state that came with the answer.
            return Unknown(_short(f"leadership was lost meanwhile: {error}"))
        if not answer.ok:
            return Failed(answer.code, _short(answer.message or f"{data['component']} is {answer.state}"))
        value: dict[str, Any] = {"state": str(answer.state), "completed": answer.completed}
        return Done({**value, "result": answer.result} if answer.result else value)

    # ── The outside world ────────────────────────────────

    async def _request(self, effect: Effect) -> Result:
        result = await Exchange(self._http).result(
            request_of(effect.data, effect.key), frozenset(effect.data["expect"])
        )
        if isinstance(result, Unknown) and not effect.data.get("safe", True):
            return Failed("outcome_unknown", f"{result.message}; not repeated, as the receiver knows no keys")
        return result

    async def _notify(self, effect: Effect) -> Result:
        data = effect.data
        channel = self._channels.get(data["channel"])
        if channel is None:
            known = ", ".join(sorted(self._channels)) or "none"
            return Failed(
                "channel_unknown", f"no channel {data['channel']!r} in notifications.channels; there: {known}"
            )
        if channel.kind == "log" or channel.url is None:
            level = logging.WARNING if data["severity"] in ("error", "critical") else logging.INFO
            log.log(level, "notification %s (%s): %s", effect.key, data["severity"], data["message"])
            return Done()
        document: dict[str, Any] = {
            "id": effect.key,
            "execution": effect.execution,
            "severity": data["severity"],
            "message": data["message"],
            "data": data.get("data") or {},
        }
        if channel.kind == "slack":
            document = {"text": f"[{data['severity']}] {data['message']}"}
        request = {"method": "POST", "url": channel.url.get_secret_value(), "headers": {}, "body": document}
        result = await Exchange(self._http, whole=False).result(
            request_of(request, effect.key), frozenset(range(200, 300))
        )
        if isinstance(result, Done):
            return Done()
        # Addresses of channels are secrets; a person who reads of the failure needs the channel's name.
        where = f"channel {data['channel']}: {no_secrets(result.message, channel.url.get_secret_value())}"
        return Failed(result.code, where) if isinstance(result, Failed) else Unknown(where, result.code)


def _short(message: str) -> str:
    return message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 1] + "…"
