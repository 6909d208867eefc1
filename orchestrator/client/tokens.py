"""Where the token comes from: text, a file, or a function. It is never part of a message."""

from collections.abc import Callable
from pathlib import Path

from orchestrator.client.errors import SettingsInvalid

TOKEN_CHARS_MAX = 8_192
Source = str | Path | Callable[[], str] | None


class Token:
    """The token as it is now. A `Path` is read, a function called: at first, and again when a node refuses it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text: str | None = None
        self.known = False

    def text(self) -> str | None:
        """None where none is used. Raises SettingsInvalid."""
        if not self.known:
            self._text, self.known = self._taken(), True
        return self._text

    def renew(self) -> bool:
        """Whether taking it anew gives another one."""
        if self._source is None or isinstance(self._source, str):
            return False
        before, self.known = self._text, False
        return self.text() != before

    def _taken(self) -> str | None:
        source = self._source
        if source is None or source == "":
            return None
        if isinstance(source, str):
            return checked_token(source, "the token")
        if isinstance(source, Path):
            try:
                with source.open("rb") as file:
                    data = file.read(TOKEN_CHARS_MAX + 2)
                return checked_token(data.decode("ascii").strip(), f"the token in {source}")
            except OSError as error:
                raise SettingsInvalid(f"the token file {source} cannot be read: {error.strerror}") from None
            except UnicodeDecodeError:
                raise SettingsInvalid(f"the token in {source} is no ASCII text") from None
        return checked_token(source(), "the token that the function gave")


def checked_token(text: str, what: str) -> str:
    """`text`, if it can stand in a header. Raises SettingsInvalid, without the token."""
    if not text:
        raise SettingsInvalid(f"{what} is empty")
    if len(text) > TOKEN_CHARS_MAX or not all("!" <= character <= "~" for character in text):
        raise SettingsInvalid(f"{what} is not one word of at most {TOKEN_CHARS_MAX} visible ASCII characters")
    return text
