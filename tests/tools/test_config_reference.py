from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from tools.config_reference import table


class Member(BaseModel):
    id: str


class Section(BaseModel):
    mode: Literal["a", "b"] = "a"
    port: Annotated[int, Field(ge=1, le=65535)] = Field(6390, description="Where it\nlistens.")
    secret: SecretStr | None = None
    members: tuple[Member, ...]
    on: bool = False
    home: Path = Path("data")


def test_each_setting_has_a_row_with_type_bounds_default_and_meaning() -> None:
    assert table(Section, "redis.")[2:] == [
        "| `redis.mode` | `a`, `b` | `a` |  |",
        "| `redis.port` | integer, ≥ 1, ≤ 65535 | `6390` | Where it listens. |",
        "| `redis.secret` | secret text | none |  |",
        "| `redis.members` | list of {id} | required |  |",
        "| `redis.on` | true or false | `false` |  |",
        "| `redis.home` | path | `data` |  |",
    ]
