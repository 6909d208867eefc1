"""Shapes of answers: policies. Generated from the API by `make docs`; not edited by hand."""

import msgspec

from orchestrator.client.shapes.several import Maintenance, Neighbour


class Dependents(msgspec.Struct, frozen=True, kw_only=True):
    """Who needs a component, and whom it needs, directly or not. `cycle`: names of those that need one another."""

    id: str
    dependents: list[Neighbour]
    needs: list[Neighbour]
    cycle: list[str]
    """One cycle in the plant's dependencies, the first name again at its end."""


class RestartModel(msgspec.Struct, frozen=True, kw_only=True):
    """When a component is brought back, after which pause, and how often. The pause before the nth restart of a
    window is `backoff_initial_s` × `backoff_factor`^(n−1), at most `backoff_max_s`. After `limit` restarts
    within `window_s` it is left as it is, and the reason is shown.
    """

    when: str | None = None
    backoff_initial_s: float | None = None
    backoff_factor: float | None = None
    backoff_max_s: float | None = None
    limit: int | None = None
    """Restarts within `window_s`."""
    window_s: float | None = None


class PolicyModel(msgspec.Struct, frozen=True, kw_only=True):
    """How a component is kept. `depends_on` is added to what its registration says. `on_dependency_failure`:
    `stop` stops it gracefully when a component that it needs is in FAULT or OFFLINE.
    """

    depends_on: list[str] | None = None
    restart: RestartModel | None = None
    on_dependency_failure: str | None = None


class SupervisedRun(msgspec.Struct, frozen=True, kw_only=True):
    """The supervision's last attempt. `outcome`: empty while it goes on."""

    number: int
    purpose: str
    goal: str
    reason: str
    time: float
    """When it began: unix seconds by the clock of the node that led; for display."""
    pause_s: float
    """Seconds before its first command."""
    outcome: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of one component. `revision` is the ETag, 0 while nothing was said."""

    id: str
    revision: int
    policy: PolicyModel
    desired: str | None
    desired_by: str
    maintenance: Maintenance | None
    restarts: int
    """Those that counted against the policy's limit at the last one."""
    exhausted: str
    run: SupervisedRun | None
