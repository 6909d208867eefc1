"""Taking secrets out of what is shown to others. Pure.

Three nets, one behind the other: values that are known to be secret, whatever they stand in; members whose names say
that they are; and forms that secrets have in text (credentials in an address, a bearer token, a private key).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["HIDDEN", "VALUE_CHARS_MIN", "scrubbed", "scrubbed_text"]

HIDDEN = "***"
VALUE_CHARS_MIN = 6
"""Shorter values are not looked for: every other word would be hidden."""

_NAME = re.compile(
    r"(?:^|[_-])(?:password|passwd|passphrase|secret|token|api_?key|authorization|credentials?|private_?key|cookie)$",
    re.IGNORECASE,
)
_FORMS = (
    # An address with credentials.
    (re.compile(r"(\w+://)[^/\s\"'@]*@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+(?!realm\b)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # A replicated token, a JSON web token.
    (re.compile(r"\btri_[A-Za-z0-9]+_[A-Za-z0-9_-]{16,}"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    # `password: x`, `requirepass x`, `token=x` as settings and command lines have them.
    (
        re.compile(
            r"(?im)(\b[\w-]*(?:password|passwd|secret|token|api_?key|requirepass|masterauth|auth-pass)\"?\s*[:=]\s*)"
            r"(?!\s|null\b|None\b|\"\"|'')(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;}&\]]+)"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?im)^(\s*(?:requirepass|masterauth|sentinel auth-pass \S+)\s+)\S+"), rf"\1{HIDDEN}"),
)


def scrubbed(data: Any, secrets: Iterable[str] = ()) -> Any:
    """JSON data without secrets; `secrets`: values that are known to be."""
    values = _values(secrets)
    return _walked(data, values)


def scrubbed_text(text: str, secrets: Iterable[str] = ()) -> str:
    """The same for text."""
    return _text(text, _values(secrets))


def _values(secrets: Iterable[str]) -> tuple[str, ...]:
    """The longest first: one may stand in another."""
    return tuple(sorted({one for one in secrets if len(one) >= VALUE_CHARS_MIN}, key=len, reverse=True))


def _walked(data: Any, values: tuple[str, ...]) -> Any:
    if isinstance(data, Mapping):
        return {
            _text(str(name), values): HIDDEN if _NAME.search(str(name)) and _is_value(value) else _walked(value, values)
            for name, value in data.items()
        }
    if isinstance(data, list | tuple):
        return [_walked(value, values) for value in data]
    return _text(data, values) if isinstance(data, str) else data


def _is_value(value: Any) -> bool:
    return isinstance(value, str | bytes) and bool(value)


def _text(text: str, values: tuple[str, ...]) -> str:
    for value in values:
        text = text.replace(value, HIDDEN)
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text
