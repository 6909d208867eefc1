"""What a text has to look like, in words: a refusal that shows a regular expression tells most people nothing. Pure."""

import re

_LOOKS = {
    r"^[!-~]+$": "visible ASCII characters, without blanks",
    r"^[a-z2-7]{10}$": "the 10 letters and digits of a token's id, as `triarch token list` shows them",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or a digit",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$": "1 to 100 of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or a digit",
    r"^[@A-Za-z0-9][A-Za-z0-9._-]{0,63}$": (
        "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or a digit; or @all"
    ),
    r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$": (
        "1 to 64 of A-Z, a-z, 0-9, '_', '.' and '-', the first neither '.' nor '-'"
    ),
    r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$": (
        "1 to 128 of A-Z, a-z, 0-9, '_', '.' and '-', the first neither '.' nor '-'"
    ),
    r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$": (
        "1 to 63 of A-Z, a-z, 0-9, '_', '.', '/' and '-', the first a letter or a digit"
    ),
    r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$": (
        "1 to 100 of A-Z, a-z, 0-9, '_', '.', ':' and '-', the first a letter or a digit"
    ),
    r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$": "1 to 64 of A-Z, a-z, 0-9, '_', '.' and '-', the first a letter or '_'",
    r"^[A-Za-z_][A-Za-z0-9_]{0,63}$": "1 to 64 of A-Z, a-z, 0-9 and '_', the first no digit",
    r"^[A-Za-z0-9_.*@:-]+$": "letters, digits and _ . * @ : -, where * stands for anything",
    r"^[A-Z][A-Z0-9_]{0,63}$": "1 to 64 of A-Z, 0-9 and '_', the first a letter",
    r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$": (
        "words of a-z, 0-9 and '_' with points between them, each beginning with a letter, such as door.opened"
    ),
    r"^[0-9]{1,20}\.[0-9]{1,20}$": "TERM.INDEX, two numbers with a point between them, such as 3.17",
    r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$": "a W3C traceparent: version, trace, span and flags in hex",
    r"^a[0-9]{1,19}$": "an alert's id, such as a42",
    r"^s[0-9]{1,19}$": "a silence's id, such as s43",
    r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z?)?$": "a day or a time in UTC: 2026-05-04, 2026-05-04T06:30:00Z",
    r"^[^\x00-\x1f\x7f]*$": "text without control characters",
    r"^(@all|(group|component):[A-Za-z0-9][A-Za-z0-9._-]{0,63})$": "@all, group:NAME or component:ID",
}
_SAID = re.compile(r"String should match pattern '(.*)'", re.DOTALL)


def in_words(message: str) -> str:
    """A validation's message, where that is a pattern which the text does not match: what it has to look like."""
    found = _SAID.fullmatch(message)
    looks = _LOOKS.get(found[1].removeprefix("^$|")) if found else None
    return f"must be {looks}" if looks else message
