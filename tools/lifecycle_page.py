"""Draws the lifecycle in docs/components.md from the table in orchestrator/lifecycle.py, so that the two cannot differ.

python tools/lifecycle_page.py --write    writes the drawing and the table between the page's markers
python tools/lifecycle_page.py --check    exits 1 when they are not what would be written
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "components.md"
BEGIN = (
    "<!-- lifecycle: written by tools/lifecycle_page.py from orchestrator/lifecycle.py; `make docs` writes it anew -->"
)
END = "<!-- /lifecycle -->"


def drawing() -> str:
    """The states and what leads from one to another, as a Mermaid state diagram. What any state does is one arrow."""
    from orchestrator.lifecycle import TABLE, Signal, State

    lines = ["```mermaid", "stateDiagram-v2", "    direction LR", f"    [*] --> {next(iter(State))}"]
    for (source, trigger), target in TABLE.items():
        if trigger != Signal.FAILED:
            lines.append(f"    {source} --> {target}: {trigger}")
    for target in sorted({TABLE[state, Signal.FAILED] for state in State}):
        sources = [str(state) for state in State if TABLE[state, Signal.FAILED] == target]
        which = "any state" if len(sources) == len(State) else " or ".join(sources)
        lines.append(f"    note right of {target}: {which} leads here when work fails")
    return "\n".join([*lines, "```"])


def table() -> str:
    """For each state: what it takes, and where that leads."""
    from orchestrator.lifecycle import PASSAGES, TABLE, Command, Signal, State

    rows = ["| state | takes | when its work has ended | when it fails |", "| --- | --- | --- | --- |"]
    for state in State:
        takes = [f"`{command}` → {TABLE[state, command]}" for command in Command if (state, command) in TABLE]
        done = TABLE.get((state, Signal.DONE), "")
        name = f"{state} (a passage)" if state in PASSAGES else str(state)
        rows.append(f"| {name} | {', '.join(takes) or 'nothing'} | {done} | {TABLE[state, Signal.FAILED]} |")
    return "\n".join(rows)


def page(there: str) -> str:
    """The page with what stands between its markers written anew. SystemExit when it has none."""
    before, begin, rest = there.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{PAGE.name} lacks its markers: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{drawing()}\n\n{table()}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    there = PAGE.read_text(encoding="utf-8")
    if arguments == ["--write"]:
        PAGE.write_text(page(there), encoding="utf-8")
        return 0
    if arguments == ["--check"]:
        if there != page(there):
            print("docs/components.md does not draw the lifecycle as the table has it: make docs", file=sys.stderr)
            return 1
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
