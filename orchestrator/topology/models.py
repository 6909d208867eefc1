"""What may be said of a group or a component, checked once, where it is proposed. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from orchestrator.events import Frozen, Id

ALL = "@all"
"""The selector of every registered component: never the name of a group."""
MEMBERS_MAX = 2_000
DEPENDS_ON_MAX = 100
RESTARTS_MAX = 100
DAY_S = 86_400.0
TEXT_CHARS_MAX = 500

Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX)]
Who = Annotated[str, Field(max_length=100, description="Kept behind the name of the token that was shown.")]


class Strategy(StrEnum):
    """Who is restarted with a member of a group that failed."""

    ONE_FOR_ONE = "one_for_one"
    REST_FOR_ONE = "rest_for_one"
    ALL_FOR_ONE = "all_for_one"


RestartWhen = Literal["never", "on_failure", "always"]
OnDependencyFailure = Literal["stop", "ignore"]


class RestartModel(Frozen):
    """When a component is brought back, after which pause, and how often.

    The pause before the nth restart of a window is `backoff_initial_s` × `backoff_factor`^(n−1), at most
    `backoff_max_s`. After `limit` restarts within `window_s` it is left as it is, and the reason is shown.
    """

    when: RestartWhen = "never"
    backoff_initial_s: float = Field(default=1.0, ge=0, le=3600, allow_inf_nan=False)
    backoff_factor: float = Field(default=2.0, ge=1, le=10, allow_inf_nan=False)
    backoff_max_s: float = Field(default=60.0, ge=0, le=DAY_S, allow_inf_nan=False)
    limit: int = Field(default=5, le=RESTARTS_MAX, description="Restarts within `window_s`.")
    window_s: float = Field(default=300.0, gt=0, le=7 * DAY_S, allow_inf_nan=False)

    @field_validator("limit")
    @classmethod
    def _some(cls, value: int) -> int:
        if value < 1:
            raise ValueError("must be 1 or more; for no restart at all say `when: never`")
        return value

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.backoff_max_s < self.backoff_initial_s:
            raise ValueError("backoff_max_s must not be less than backoff_initial_s")
        return self


class PolicyModel(Frozen):
    """How a component is kept. `depends_on` is added to what its registration says.

    `on_dependency_failure`: `stop` stops it gracefully when a component that it needs is in FAULT or OFFLINE.
    """

    depends_on: tuple[Id, ...] = Field(default=(), max_length=DEPENDS_ON_MAX)
    restart: RestartModel = RestartModel()
    on_dependency_failure: OnDependencyFailure = "stop"

    @field_validator("depends_on")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return named_once(value)


class GroupModel(Frozen):
    """Members of a group: components, which need not be registered yet, and groups, which must be there."""

    title: str = Field(default="", max_length=200)
    components: tuple[Id, ...] = Field(default=(), max_length=MEMBERS_MAX)
    groups: tuple[Id, ...] = Field(default=(), max_length=MEMBERS_MAX)
    strategy: Strategy = Strategy.ONE_FOR_ONE

    @field_validator("components", "groups")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return named_once(value)


def named_once(names: Iterable[str]) -> tuple[str, ...]:
    """`names` as they are. ValueError that says which stands there twice."""
    seen: set[str] = set()
    for name in (found := tuple(names)):
        if name in seen:
            raise ValueError(f"{name} stands there twice")
        seen.add(name)
    return found
