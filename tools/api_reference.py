"""Writes docs/api.md from the OpenAPI document of the API, so that the page cannot drift from the code.

python tools/api_reference.py --write    writes the page
python tools/api_reference.py --check    exits 1 when the page is not what would be written
"""

import difflib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "api.md"

INTRODUCTION = """# The HTTP API

<!-- Written by tools/api_reference.py from the OpenAPI document; `make docs` writes it anew. Do not edit. -->

`GET /openapi.json` of any node has all of this for programs: parameters, bodies, every answer with its headers,
every refusal with its codes, and an example of each.

```sh
curl -s -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8101/v1/components/press-1
curl -s -X PUT -H "Authorization: Bearer $TOKEN" -H 'Idempotency-Key: 7d3f' \\
     -H 'Content-Type: application/json' -d '{"value": 120}' http://127.0.0.1:8102/v1/variables/line-a.speed
```

## What holds everywhere
- **Any node answers.** A change, and a read with `consistency=leader` (the default) or `linearizable`, is
  passed on to the leader. `?redirect` answers `307` with the leader's address instead. `consistency=stale` is
  answered by the node that is asked, from its own state; `max_stale` bounds how old that may be (seconds).
- **Who answered.** `X-Triarch-Node`, `-Leader`, `-Epoch` and `-Index` say who did, who leads, since when, and
  how far the state is; `X-Triarch-Forwarded-By` who passed it on, `X-Triarch-Staleness` how long a follower has
  not heard the leader.
- **Refusals** are problem documents (RFC 9457): match on `code`, never on `detail`. `404 not_found` is a path
  that is none, `405` has `Allow`. A parameter in the query that the path does not have is refused (`422
  invalid_request`, with the names that it has): a misspelt filter would be answered with everything.
- **Changes** may carry an `Idempotency-Key`. After `504 outcome_unknown`, which names the key, the same request
  under the same key is done at most once. No leader: `503 no_leader` with `Retry-After`; nothing was changed.
- **Conditions.** An `ETag` is a revision; `If-Match` changes only that, `If-None-Match: *` only makes what is
  not there. A change that does not go by a condition refuses it (`422 invalid_request`): it would be done
  whatever is there now. Reads with an `ETag` answer `304` to the one that the client has (`If-None-Match`), lists of
  processors, variables and executions too.
- **Pages.** `cursor` goes on where the answer before ended. A cursor belongs to its query: with other filters
  it is refused (`422 invalid_cursor`).
- **Older paths.** `/processors` and `/event` are the same as below `/v1`, and stay.
- **Long work** answers `202` with the `Location` to look at.
- **HEAD** is GET without the body.
- **Bounds.** A head of 16 KiB and 100 lines, which arrives within 10 s; a body of 1 MiB.
"""


def document() -> dict[str, Any]:
    """The document as a node with a token gives it."""
    from orchestrator.api.app import build_app
    from orchestrator.config import load_config
    from orchestrator.node import Node

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "node.yaml"
        path.write_text(
            f"node: {{id: n1, data_dir: {directory}/data}}\n"
            "cluster:\n  members:\n"
            + "".join(
                f"  - {{id: n{n}, raft: '127.0.0.1:710{n}', api: 'http://127.0.0.1:810{n}'}}\n" for n in (1, 2, 3)
            )
            + f"redis: {{mode: url, url: 'redis://127.0.0.1:6390/0'}}\napi: {{token: {'t' * 32}}}\n",
            encoding="utf-8",
        )
        found: dict[str, Any] = build_app(Node(load_config(path, {}))).openapi()
        return found


def page(found: dict[str, Any]) -> str:
    """The whole page."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append(_row(method, path, operation))
    parts = [INTRODUCTION]
    for tag in found["tags"]:
        if tag["name"] not in by_tag:
            continue
        parts.append(f"\n## {tag['name'].replace('_', ' ').capitalize()}\n{tag['description']}\n")
        parts.append("\n| request | what for | who may | answers |\n| --- | --- | --- | --- |\n")
        parts += by_tag[tag["name"]]
    return "".join(parts)


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    well = ", ".join(sorted(status for status in operation["responses"] if status[0] in "23" and status != "307"))
    roles = ", ".join(operation.get("x-triarch-roles", ())) or "whoever has a token"
    if operation.get("security") == []:
        roles = "anybody"
    return f"| `{method.upper()} {path}` | {operation['summary']} | {roles} | {well} |\n"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it."""
    if list(arguments) not in (["--write"], ["--check"]):
        sys.stderr.write("usage: api_reference.py --write | --check\n")
        return 2
    wanted = page(document())
    if arguments[0] == "--write":
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    there = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if there == wanted:
        return 0
    difference = difflib.unified_diff(there.splitlines(), wanted.splitlines(), "docs/api.md", "written", lineterm="")
    sys.stdout.write("\n".join(difference) + "\ndocs/api.md is not what the code says: make docs writes it\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
