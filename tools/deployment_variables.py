"""Writes the tables of variables in docs/deployment.md from the roles' argument specs.

--write rewrites them; --check fails when they do not say what the roles say.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
ROLES = ROOT / "deploy/ansible/roles"
PAGE = ROOT / "docs/deployment.md"
BEGIN = "<!-- Variables: written by tools/deployment_variables.py; `make docs` writes them anew. -->"
END = "<!-- End of the variables. -->"


class SpecDiffers(Exception):
    """What a spec and the defaults of its role disagree on."""


def shown(value: Any) -> str:
    """A default as it stands in YAML, short."""
    if value is None:
        return "none"
    if value == "":
        return "empty"
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).strip().removesuffix("...").strip()
    return f"`{text}`"


def rows(options: dict[str, dict[str, Any]]) -> list[str]:
    """Lines of a table."""
    found = ["| variable | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, option in options.items():
        kind = " or ".join(f"`{choice}`" for choice in option.get("choices", ())) or option["type"]
        if option.get("elements"):
            kind = f"list of {option['elements']}"
        default = "required" if option.get("required") else shown(option.get("default"))
        told = option["description"]
        meaning = " ".join(" ".join(told if isinstance(told, list) else [told]).split())
        found.append(f"| `{name}` | {kind} | {default} | {meaning} |")
    return found


def specs(role: Path) -> dict[str, Any]:
    """The spec of a role's main tasks, and that it says what the role's defaults say. Errors: SpecDiffers."""
    spec: dict[str, Any] = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]
    place = role / "defaults/main.yml"
    defaults = yaml.safe_load(place.read_text()) if place.exists() else {}
    for name, option in spec.get("options", {}).items():
        default, said = (defaults or {}).get(name), option.get("default")
        # What follows from other variables is told in words.
        if isinstance(default, str) and "{{" in default:
            continue
        if said != default:
            raise SpecDiffers(f"{role.name}: {name} is {default!r} in its defaults, {said!r} in its argument spec")
    return spec


def tables() -> str:
    """All of it, between the two marks."""
    parts = [BEGIN]
    for role in sorted(path for path in ROLES.iterdir() if (path / "meta/argument_specs.yml").exists()):
        spec = specs(role)
        if spec.get("options"):
            parts += ["", f"### {role.name}", f"{spec['short_description']}.", "", *rows(spec["options"])]
    return "\n".join([*parts, "", END])


def main() -> int:
    parser = argparse.ArgumentParser()
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--write", action="store_true")
    chosen.add_argument("--check", action="store_true")
    given = parser.parse_args()
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        print(f"{PAGE.name}: the marks of the variables are gone", file=sys.stderr)
        return 1
    try:
        wanted = before + tables() + after
    except SpecDiffers as error:
        print(error, file=sys.stderr)
        return 1
    if given.write:
        PAGE.write_text(wanted)
    elif wanted != page:
        print(f"{PAGE.name} does not say what the roles say: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
