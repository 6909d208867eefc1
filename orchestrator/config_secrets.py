"""The secrets in a tree of settings, and the tree without them."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

__all__ = ["secrets_in", "without_secrets"]


def secrets_in(settings: Any) -> Iterator[str]:
    """Every secret of the tree, in the clear."""
    if isinstance(settings, SecretStr):
        yield settings.get_secret_value()
    elif isinstance(settings, BaseModel):
        for name in type(settings).model_fields:
            yield from secrets_in(getattr(settings, name))
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from secrets_in(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from secrets_in(value)


def without_secrets(settings: BaseModel) -> dict[str, Any]:
    """As JSON data; a secret that is set is a row of asterisks, whatever its length."""
    return settings.model_dump(mode="json")
