"""Writes the table of rights in docs/access.md from orchestrator/access/rights.py, so that the two cannot differ.

python tools/access_page.py --write    writes the table between the page's markers
python tools/access_page.py --check    exits 1 when it is not what would be written
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "access.md"
BEGIN = (
    "<!-- rights: written by tools/access_page.py from orchestrator/access/rights.py; `make docs` writes it anew -->"
)
END = "<!-- /rights -->"


def table() -> str:
    """A row an endpoint, a column a role: yes, its own (a machine's for itself), or nothing."""
    from orchestrator.access.principal import Role
    from orchestrator.access.rights import RIGHTS, Right

    machines = (Role.COMPONENT, Role.PROCESSOR)

    def cell(right: Right, role: Role) -> str:
        if right.public:
            return "anybody"
        if right.own == "cluster":
            return "the cluster's token" if role in right.roles else ""
        if role not in right.roles:
            return ""
        return "itself" if role in machines and right.own else "yes"

    rows = [
        f"| endpoint | {' | '.join(role.value for role in Role)} |",
        f"| --- |{' --- |' * len(Role)}",
    ]
    for right in RIGHTS:
        cells = " | ".join(cell(right, role) for role in Role)
        rows.append(f"| `{right.method} {right.path}` | {cells} |")
    return "\n".join(rows)


def page(there: str) -> str:
    """The page with what stands between its markers written anew. SystemExit when it has none."""
    before, begin, rest = there.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{PAGE.name} lacks its markers: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    there = PAGE.read_text(encoding="utf-8")
    if arguments == ["--write"]:
        PAGE.write_text(page(there), encoding="utf-8")
        return 0
    if arguments == ["--check"]:
        if there != page(there):
            print("docs/access.md does not show the rights as the code has them: make docs", file=sys.stderr)
            return 1
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
