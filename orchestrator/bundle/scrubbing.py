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

_WORDS = (
    *("password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "credential", "cookie"),
    *("privatekey", "secretkey", "accesskey", "signingkey", "requirepass", "masterauth", "authpass"),
)
"""What a name ends with, written in one, however its parts are set off: apiKey, api_key, API-KEYS."""
_PLURAL = tuple(f"{word}s" for word in _WORDS)

_KEYS = r"(?:api|private|secret|access|signing)[_-]?key"
_SINGLE = rf"(?:password|passwd|passphrase|secret|token|{_KEYS}|credential|requirepass|masterauth|auth-?pass)"
_QUOTED = r"(?:\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
_ESCAPED = r"(?:\\\"(?:\\{3}\"|[^\"\\\n]|\\[^\"\n])*\\\")"
"""A text of JSON in a text of JSON, as lines of a log have it."""
_VALUE = rf"(?:{_QUOTED}|{_ESCAPED}|[^\s,;}}&\]]+)"
_END = r"\\?[\"']?"
"""Of a name: nothing, or its quote."""
_NAMED = r"(?<![\w-])[\w-]*"
"""A name up to where a word for a secret may begin, tried once a name: from each of its parts would take the square."""
_FORMS = (
    # An address with credentials.
    (re.compile(r"(\b\w+://)[^/\s\"'@]*@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+(?!realm\b)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # A replicated token, a JSON web token.
    (re.compile(r"\btri_[A-Za-z0-9]+_[A-Za-z0-9_-]{16,}"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    # `passwords: [x, y]`, and one to a line below it.
    # A quote that nothing closes is one in a word, or the line was cut.
    (
        re.compile(rf"(?i)({_NAMED}{_SINGLE}s?{_END}\s*[:=]\s*\[)(?:{_QUOTED}|[^\]\"']|[\"'][^\]\n]*)+"),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(rf"(?im)^([ \t]*[\w-]*{_SINGLE}s?[\"']?[ \t]*:[ \t]*\n)((?:[ \t]*-[ \t]+\S.*(?:\n|\Z))+)"),
        rf"\1{HIDDEN}\n",
    ),
    # `password: x`, `requirepass x`, `token=x` as settings and command lines have them; a number of tokens is none.
    (
        re.compile(
            rf"(?im)({_NAMED}{_SINGLE}(?:{_END}|s{_END}(?=[ \t]*[:=][ \t]*[\\\"'\w])(?![ \t]*[:=][ \t]*\d+\b))"
            rf"[ \t]*[:=](?:[ \t]*|\s*(?=[\"'])))"
            rf"(?!\s|\[|\{{(?:\s|\}}|[\\\"'\w-]+\s*:|\Z)|(?:null|None)(?=[\s,;}}&\])\"'\\]|\Z)|\\?\"\\?\"|''){_VALUE}"
        ),
        rf"\1{HIDDEN}",
    ),
    # Headers: all that follows is one.
    (
        re.compile(r"(?im)((?<![\w-])(?:[\w-]*authorization|(?:set-)?cookies?)[ \t]*:[ \t]*)(?!\s)[^\n]+"),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(
            rf"(?i)([\"'](?:[\w-]*authorization|(?:set-)?cookies?)\\?[\"']\s*:\s*)(?:{_QUOTED}|{_ESCAPED})",
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?im)^(\s*(?:requirepass|masterauth|sentinel auth-pass \S+)\s+)\S+"), rf"\1{HIDDEN}"),
)


def scrubbed(data: Any, secrets: Iterable[str] = ()) -> Any:
    """JSON data without secrets; `secrets`: values that are known to be."""
    return _walked(data, _values(secrets))


def scrubbed_text(text: str, secrets: Iterable[str] = ()) -> str:
    """The same for text."""
    return _text(text, _values(secrets))


def _values(secrets: Iterable[str]) -> tuple[str, ...]:
    """The longest first: one may stand in another."""
    return tuple(sorted({one for one in secrets if len(one) >= VALUE_CHARS_MIN}, key=len, reverse=True))


def _walked(data: Any, values: tuple[str, ...]) -> Any:
    if isinstance(data, Mapping):
        return {_text(str(name), values): _member(str(name), value, values) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_walked(value, values) for value in data]
    return _text(data, values) if isinstance(data, str) else data


def _member(name: str, value: Any, values: tuple[str, ...]) -> Any:
    said = "".join(re.findall(r"[a-z0-9]", name.lower())).rstrip("0123456789")
    if said.endswith(_WORDS):
        return _covered(value, values)
    if said.endswith(_PLURAL) and not isinstance(value, int | float):  # so many of them: no secret
        return _covered(value, values)
    return _walked(value, values)


def _covered(value: Any, values: tuple[str, ...]) -> Any:
    """All that stands below the name of a secret is hidden, but for whether there is anything."""
    if isinstance(value, Mapping):
        return {_text(str(name), values): _covered(inner, values) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_covered(inner, values) for inner in value]
    return value if value is None or isinstance(value, bool) or value in ("", b"") else HIDDEN


def _text(text: str, values: tuple[str, ...]) -> str:
    for value in values:
        text = text.replace(value, HIDDEN)
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text
