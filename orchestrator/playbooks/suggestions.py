"""What somebody probably meant who misspelt a name. Pure."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean `timeout`?`, or an empty text when nothing is close."""
    names = sorted(set(known))
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word[:80].lower(), list(by_lower), n=1, cutoff=0.6)
    return f"did you mean `{by_lower[close[0]]}`?" if close else ""
