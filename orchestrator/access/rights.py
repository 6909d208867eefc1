"""Who may ask what: one table, endpoint × role. Pure. docs/access.md shows it, `GET /v1/rights` too.

A request whose method and path stand in no row is for nobody but an admin, who is then told that there is nothing here:
an endpoint that was forgotten in the table is closed, not open.

People: viewer ⊂ operator ⊂ admin. A viewer has GET and nothing else. Machines have few rows, and each only for itself:
`own` says where the request names whom it is about, which has to be the subject of the token.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orchestrator.access.principal import Principal, Role

_VIEW = frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN})
_OPERATE = frozenset({Role.OPERATOR, Role.ADMIN})
_ADMIN = frozenset({Role.ADMIN})
_ALL = frozenset(Role)
_COMPONENT = frozenset({Role.COMPONENT})
_PROCESSOR = frozenset({Role.PROCESSOR})


class Right(NamedTuple):
    """One row. `public`: asked without a token.

    `own`: `path.NAME` or `body.NAME`, which binds machines alone; `cluster`: not by a replicated token of that role.
    """

    method: str
    path: str
    roles: frozenset[Role]
    own: str = ""
    public: bool = False


def _rows(methods: str, path: str, roles: frozenset[Role], own: str = "", *, public: bool = False) -> list[Right]:
    return [Right(method, path, roles, own, public) for method in methods.split()]


def _processors(prefix: str) -> list[Right]:
    one = f"{prefix}/processors/{{processor_id}}"
    mine = "path.processor_id"
    return [
        *_rows("GET", f"{prefix}/processors", _VIEW),
        *_rows("POST", f"{prefix}/processors/register", _OPERATE | _PROCESSOR, "body.id"),
        *_rows("GET", one, _VIEW | _PROCESSOR, mine),
        *_rows("PATCH DELETE", one, _OPERATE | _PROCESSOR, mine),
        *_rows("POST", f"{one}/drain", _OPERATE | _PROCESSOR, mine),
        *_rows("POST", f"{one}/resume", _OPERATE | _PROCESSOR, mine),
        *_rows("POST", f"{one}/heartbeat", _OPERATE | _PROCESSOR, mine),
    ]


RIGHTS: tuple[Right, ...] = (
    # What balancers look at.
    *_rows("GET", "/healthz", _ALL, public=True),
    *_rows("GET", "/readyz", _ALL, public=True),
    *_rows("GET", "/leader", _ALL, public=True),
    *_rows("GET", "/health", _VIEW),
    *_rows("GET", "/control/status", _VIEW),
    *_rows("GET", "/metrics", _VIEW),
    *_rows("GET", "/openapi.json", _VIEW),
    *_rows("GET", "/v1/node", _ADMIN),
    # Who may do what.
    *_rows("GET", "/v1/whoami", _ALL),
    *_rows("GET", "/v1/rights", _ALL),
    *_rows("POST", "/v1/access/bootstrap", _ADMIN, "cluster"),
    *_rows("GET", "/v1/access/limits", _VIEW),
    *_rows("PUT", "/v1/access/limits", _ADMIN),
    *_rows("GET POST", "/v1/tokens", _ADMIN),
    *_rows("GET DELETE", "/v1/tokens/{token_id}", _ADMIN),
    *_rows("POST", "/v1/tokens/{token_id}/rotate", _ADMIN),
    *_rows("GET", "/v1/audit", _VIEW),
    *_rows("GET", "/v1/audit/export", _VIEW),
    *_rows("GET", "/v1/audit/head", _VIEW),
    *_rows("POST", "/v1/audit/notes", _ADMIN, "cluster"),  # between nodes
    # The cluster itself. A snapshot holds all there is, what is kept of the tokens included.
    *_rows("GET", "/v1/cluster", _VIEW),
    *_rows("GET", "/v1/cluster/leaderships", _VIEW),
    *_rows("POST", "/v1/cluster/transfer", _ADMIN),
    *_rows("GET", "/v1/cluster/members", _VIEW),
    *_rows("POST", "/v1/cluster/members", _ADMIN),
    *_rows("GET", "/v1/cluster/members/{member_id}", _VIEW),
    *_rows("DELETE", "/v1/cluster/members/{member_id}", _ADMIN),
    *_rows("GET", "/v1/cluster/snapshot", _ADMIN),
    *_rows("POST", "/v1/cluster/restore", _ADMIN),
    # All of the plant at once, and as it changes. Subjects of it that need more say so themselves.
    *_rows("GET", "/v1/snapshot", _VIEW),
    *_rows("GET", "/v1/watch", _VIEW),
    *_rows("GET", "/v1/figures", _VIEW),
    # Components.
    *(
        right
        for path in ("/event", "/v1/event")
        for right in (
            *_rows("GET", path, _VIEW | _COMPONENT),
            *_rows("POST", path, _OPERATE | _COMPONENT, "body.source"),
        )
    ),
    *_rows("POST", "/v1/components/heartbeats", _ADMIN),  # between nodes
    *_rows("GET", "/v1/components", _VIEW),
    *_rows("POST", "/v1/components", _OPERATE | _COMPONENT, "body.id"),
    *_rows("GET", "/v1/components/{component_id}", _VIEW | _COMPONENT, "path.component_id"),
    *_rows("DELETE", "/v1/components/{component_id}", _OPERATE | _COMPONENT, "path.component_id"),
    *_rows("POST", "/v1/components/{component_id}/commands", _OPERATE),
    *_rows("GET", "/v1/components/{component_id}/metrics", _VIEW),
    *_rows("GET", "/v1/components/{component_id}/dependents", _VIEW),
    *_rows("GET", "/v1/components/{component_id}/policy", _VIEW),
    *_rows("PUT DELETE", "/v1/components/{component_id}/policy", _OPERATE),
    *_rows("PUT", "/v1/components/{component_id}/desired", _OPERATE),
    *_rows("PUT DELETE", "/v1/components/{component_id}/maintenance", _OPERATE),
    *_rows("POST", "/v1/components/{component_id}/acknowledge", _OPERATE),
    *_rows("GET", "/v1/groups", _VIEW),
    *_rows("GET", "/v1/groups/{name}", _VIEW),
    *_rows("PUT DELETE", "/v1/groups/{name}", _OPERATE),
    *_rows("PUT", "/v1/groups/{name}/desired", _OPERATE),
    *_rows("PUT DELETE", "/v1/groups/{name}/maintenance", _OPERATE),
    *_rows("GET", "/v1/plan", _VIEW),
    *_rows("GET", "/v1/supervision", _VIEW),
    # Playbooks and what they do.
    *_rows("GET", "/v1/playbooks", _VIEW),
    *_rows("GET", "/v1/playbooks/{name}", _VIEW),
    *_rows("PUT DELETE", "/v1/playbooks/{name}", _OPERATE),
    *_rows("POST", "/v1/playbooks/validate", _OPERATE),
    *_rows("POST", "/v1/playbooks/{name}/runs", _OPERATE),
    *_rows("POST", "/v1/playbooks/{name}/plan", _OPERATE),
    *_rows("GET", "/v1/executions", _VIEW),
    *_rows("GET", "/v1/executions/{execution_id}", _VIEW),
    *_rows("GET", "/v1/executions/{execution_id}/follow", _VIEW),
    *(
        Right("POST", f"/v1/executions/{{execution_id}}/{verb}", _OPERATE)
        for verb in ("pause", "resume", "cancel", "retry", "approve", "reject", "signal")
    ),
    *_rows("GET", "/v1/events", _VIEW),
    *_rows("GET", "/v1/events/follow", _VIEW),
    *_rows("GET", "/v1/variables", _VIEW),
    *_rows("GET", "/v1/variables/{name}", _VIEW),
    *_rows("PUT DELETE", "/v1/variables/{name}", _OPERATE),
    # Alerts.
    *_rows("GET", "/v1/alerts", _VIEW),
    *_rows("GET", "/v1/alerts/{alert_id}", _VIEW),
    *_rows("POST", "/v1/alerts/{alert_id}/acknowledge", _OPERATE),
    *_rows("GET", "/v1/silences", _VIEW),
    *_rows("POST", "/v1/silences", _OPERATE),
    *_rows("DELETE", "/v1/silences/{silence_id}", _OPERATE),
    *_rows("GET", "/v1/alert-rules", _VIEW),
    *_rows("GET", "/v1/alert-rules/{name}", _VIEW),
    *_rows("PUT DELETE", "/v1/alert-rules/{name}", _OPERATE),
    # Frames.
    *_processors(""),
    *_processors("/v1"),
    *_rows("GET", "/v1/frames/server", _VIEW),
    *_rows("GET", "/v1/frames/stats", _VIEW),
    *_rows("GET", "/v1/frames/ledger", _VIEW),
    *_rows("GET", "/v1/frames/lag", _VIEW),
    *_rows("GET", "/v1/frames/latency", _VIEW),
    *_rows("GET", "/v1/frames/cameras", _VIEW),
    *_rows("GET", "/v1/frames/cameras/{camera_id}", _VIEW),
    *_rows("GET", "/v1/frames/cameras/{camera_id}/picture", _VIEW),
    *_rows("GET", "/v1/frames/trace/{frame:path}", _VIEW),
    *_rows("GET", "/v1/frames/dead", _VIEW),
    *_rows("POST", "/v1/frames/dead/replay", _OPERATE),
    *_rows("POST", "/v1/frames/dead/drop", _OPERATE),
    *_rows("GET", "/v1/frames/tail", _VIEW),
)

_FILES = frozenset({"/", "/favicon.ico"})
_FILES_PREFIX = "/assets/"


def may_watch(principal: Principal, subject: str) -> bool:
    """Whether a subject of the watch and of the snapshot is shown to `principal`: as its list is."""
    row = _EXACT.get(("GET", f"/v1/{subject}"))
    return principal.role in (_VIEW if row is None else row.roles)


def is_file(method: str, path: str) -> bool:
    """A static file of the dashboard: it is the same for everybody, and holds nothing of the plant."""
    return method == "GET" and (path in _FILES or path.startswith(_FILES_PREFIX))


class Found(NamedTuple):
    """The row of a request, and what its path names."""

    right: Right
    named: Mapping[str, str]


class _Template(NamedTuple):
    right: Right
    segments: tuple[str, ...]

    def match(self, segments: list[str]) -> Mapping[str, str] | None:
        named: dict[str, str] = {}
        for at, wanted in enumerate(self.segments):
            if wanted.endswith(":path}"):
                named[wanted[1:-6]] = "/".join(segments[at:])
                return named
            if wanted.startswith("{"):
                if not segments[at]:
                    return None
                named[wanted[1:-1]] = segments[at]
            elif wanted != segments[at]:
                return None
        return named


_EXACT: dict[tuple[str, str], Right] = {}
_BY_LENGTH: dict[tuple[str, int], list[_Template]] = {}
_REST: dict[str, list[_Template]] = {}
for _right in RIGHTS:
    _segments = tuple(_right.path.split("/"))
    if "{" not in _right.path:
        _EXACT[_right.method, _right.path] = _right
    elif _segments[-1].endswith(":path}"):
        _REST.setdefault(_right.method, []).append(_Template(_right, _segments))
    else:
        _BY_LENGTH.setdefault((_right.method, len(_segments)), []).append(_Template(_right, _segments))


def find(method: str, path: str) -> Found | None:
    """The row of a request; `path` decoded, as routes are matched against it. None where there is none."""
    exact = _EXACT.get((method, path))
    if exact is not None:
        return Found(exact, {})
    segments = path.split("/")
    for template in _candidates(method, len(segments)):
        named = template.match(segments)
        if named is not None:
            return Found(template.right, named)
    return None


def _candidates(method: str, length: int) -> Iterator[_Template]:
    yield from _BY_LENGTH.get((method, length), ())
    for template in _REST.get(method, ()):
        if len(template.segments) <= length:
            yield template


def methods_of(path: str) -> frozenset[str]:
    """Methods that stand in the table for a path."""
    return frozenset(method for method in {right.method for right in RIGHTS} if find(method, path) is not None)
