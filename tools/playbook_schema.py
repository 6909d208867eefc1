"""Writes playbooks/playbook.schema.json from the models in orchestrator/playbooks: editors check what a node checks.

python tools/playbook_schema.py --write    writes the file
python tools/playbook_schema.py --check    exits 1 when the file is not what would be written
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FILE = ROOT / "playbooks" / "playbook.schema.json"


def main(arguments: list[str]) -> int:
    from orchestrator.playbooks.schema import schema_text

    if arguments == ["--write"]:
        FILE.write_text(schema_text())
        return 0
    if arguments == ["--check"]:
        there = FILE.read_text() if FILE.exists() else ""
        if there != schema_text():
            print(f"{FILE.relative_to(ROOT)} is not up to date: make docs", file=sys.stderr)
            return 1
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
