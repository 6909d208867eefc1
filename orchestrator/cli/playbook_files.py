"""What `triarch playbook simulate` and `check` read: playbooks with those they call, plants, inputs, events."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from orchestrator.cli.output import Failure, note
from orchestrator.errors import OrchestratorError, PlaybookInvalid
from orchestrator.playbooks.actions import ExecuteScenario
from orchestrator.playbooks.loading import load_text
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.simulation.plant import SimulatedPlant
from orchestrator.playbooks.walking import every_action

FILE_BYTES_MAX = 1 << 20


def playbooks_in(files: Sequence[Path]) -> tuple[list[Playbook], list[Playbook]]:
    """(those in the files, those that they call and that stand beside them as NAME.yaml)."""
    asked: dict[str, Playbook] = {}
    for file in files:
        playbook = _playbook(file)
        if playbook.name in asked:
            raise Failure("usage", f"{file}: the playbook {playbook.name} is given twice")
        asked[playbook.name] = playbook
    called: dict[str, Playbook] = {}
    places = {file.parent for file in files}
    waiting = list(asked.values())
    while waiting:
        for name in sorted(_calls(waiting.pop())):
            found = next(
                (place / f"{name}.yaml" for place in sorted(places) if (place / f"{name}.yaml").is_file()), None
            )
            if name in asked or name in called or found is None:
                continue
            called[name] = _playbook(found)
            waiting.append(called[name])
    return list(asked.values()), list(called.values())


def called_by(playbook: Playbook, known: Sequence[Playbook]) -> list[Playbook]:
    """Those of `known` that it runs, itself or by way of others."""
    names = {each.name: each for each in known if each.name != playbook.name}
    found: dict[str, Playbook] = {}
    waiting = [playbook]
    while waiting:
        for name in sorted(_calls(waiting.pop()) & names.keys() - found.keys()):
            found[name] = names[name]
            waiting.append(names[name])
    return list(found.values())


def plant_in(file: Path | None) -> SimulatedPlant | None:
    if file is None:
        return None
    try:
        data = yaml.safe_load(_text(file))
    except yaml.YAMLError as error:
        raise Failure("usage", f"{file}: {error}") from None
    try:
        return SimulatedPlant.of({} if data is None else data, str(file))
    except OrchestratorError as error:
        raise Failure(error.code, error.message) from None


def inputs_of(pairs: Sequence[str]) -> dict[str, Any]:
    """From `name=value`; a value is YAML, so `3` is a number and `[a, b]` a list."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--input")
        try:
            found[name] = yaml.safe_load(value) if value else ""
        except yaml.YAMLError:
            found[name] = value
    return found


def event_of(text: str) -> Mapping[str, Any]:
    """From `TYPE:SOURCE` or `TYPE:SOURCE:{json}`."""
    kind, _, rest = text.partition(":")
    source, _, document = rest.partition(":")
    try:
        payload = json.loads(document or "{}")
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: the payload is no JSON: {error}", param_hint="--event") from None
    if not kind or not source or not isinstance(payload, dict):
        raise click.BadParameter(f"{text!r} is not TYPE:SOURCE:{{json object}}", param_hint="--event")
    return {"type": kind, "source": source, "payload": payload}


def _calls(playbook: Playbook) -> set[str]:
    names = (action.name for _, action in every_action(playbook) if isinstance(action, ExecuteScenario))
    return {name.removesuffix(".yaml").removesuffix(".yml") for name in names if "{{" not in name and "/" not in name}


def _playbook(file: Path) -> Playbook:
    try:
        loaded = load_text(_text(file), file=str(file))
    except PlaybookInvalid as error:
        raise Failure(error.code, error.message) from None
    for warning in loaded.warnings:
        note(f"warning: {warning}")
    return loaded.playbook


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Failure("usage", f"{file}: {error.strerror or error}") from None
    if len(content) > FILE_BYTES_MAX:
        raise Failure("usage", f"{file}: has {len(content)} bytes, the limit is {FILE_BYTES_MAX}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure("usage", f"{file}: is no UTF-8: {error}") from None
