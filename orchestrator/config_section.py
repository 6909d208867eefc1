"""What every section of the settings has in common."""

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationInfo, field_validator

__all__ = ["Section"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Section(BaseModel):
    """Frozen; knows its settings by name; refuses what only looks like a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic would take `yes` for the number 1 where a number is wanted.
        wanted = info.field_name is not None and cls.model_fields[info.field_name].annotation is bool
        if isinstance(value, bool) and not wanted:
            raise ValueError("true and false mean nothing here; text that looks like them belongs in quotes")
        return value

    @field_validator(
        "secret_file",
        "token_file",
        "password_file",
        "sentinel_password_file",
        "data_dir",
        "cert_file",
        "key_file",
        "ca_file",
        "client_ca_file",
        "jwks_file",
        mode="before",
        check_fields=False,
    )
    @classmethod
    def _check_path(cls, value: Any) -> Any:
        if isinstance(value, str | Path) and (not str(value).strip() or _CONTROL.search(str(value))):
            raise ValueError("not a path")
        return value

    @field_validator("secret", "token", "password", "sentinel_password", check_fields=False)
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value():
            raise ValueError("is empty")
        return value
