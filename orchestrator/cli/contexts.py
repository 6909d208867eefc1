"""Named places that commands ask: addresses, where the token comes from, whom to trust. Kept in one file of the user's.

$XDG_CONFIG_HOME/triarch/contexts.yaml, by default in ~/.config: for its owner alone (0600), or it is refused

current: plant
contexts:
  plant: {urls: ["https://a:8101"], token: …, token_file: FILE, token_env: NAME, ca: FILE, certificate: FILE, key: FILE}
"""

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from orchestrator.cli.output import Failure

BYTES_MAX = 1 << 20
CONTEXTS_MAX = 200
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One context. Of `token`, `token_file` and `token_env` at most one is set."""

    urls: list[str]
    token: str = ""
    token_file: str = ""
    token_env: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def shown(self, name: str, current: str) -> dict[str, Any]:
        """What a person sees of it: never the token."""
        token = "kept here" if self.token else f"file {self.token_file}" if self.token_file else ""
        token = token or (f"environment {self.token_env}" if self.token_env else "none")
        own = {"ca": self.ca or None, "certificate": self.certificate or None, "key": self.key or None}
        return {"name": name, "current": name == current, "urls": self.urls, "token": token, **own}

    def trusted(self) -> tuple[str | None, tuple[str, str] | None]:
        """The file of the authorities, and the client's certificate with its key."""
        ca, certificate, key = (str(Path(each).expanduser()) for each in (self.ca, self.certificate, self.key))
        return ca if self.ca else None, (certificate, key) if self.certificate else None

    def source(self, name: str) -> str | Path | None:
        """Where the client takes the token from. Failure when the variable that is named is not set."""
        if self.token_env:
            found = os.environ.get(self.token_env)
            if not found:
                why = f"the context {name} takes its token from the variable {self.token_env}, which is not set"
                raise Failure("context_invalid", why)
            return found
        return self.token or (Path(self.token_file).expanduser() if self.token_file else None)


class Contexts(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All of them, and the name of the one that is used where none is named."""

    current: str = ""
    contexts: dict[str, Entry] = {}

    def get(self, name: str) -> Entry:
        """Failure for one that is not there."""
        if name not in self.contexts:
            known = ", ".join(sorted(self.contexts)) or "none"
            raise Failure("context_unknown", f"there is no context {name!r} (known: {known}); see triarch context set")
        return self.contexts[name]

    def with_entry(self, name: str, entry: Entry, *, use: bool) -> "Contexts":
        """The same with this one set, and used where no other is, or `use` says so."""
        if not NAME.fullmatch(name):
            raise Failure("usage", f"{name!r} is no name for a context: letters, digits, dots, dashes; at most 64")
        if sum(map(bool, (entry.token, entry.token_file, entry.token_env))) > 1:
            raise Failure("usage", "a token comes from one place: the file, the variable or this context itself")
        if bool(entry.certificate) != bool(entry.key):
            raise Failure("usage", "a certificate and its key go together")
        if name not in self.contexts and len(self.contexts) >= CONTEXTS_MAX:
            raise Failure("refused", f"there are {CONTEXTS_MAX} contexts already; delete one")
        current = name if use or not self.current else self.current
        return Contexts(current, {**self.contexts, name: entry})

    def without(self, name: str) -> "Contexts":
        self.get(name)
        left = {each: entry for each, entry in self.contexts.items() if each != name}
        return Contexts("" if self.current == name else self.current, left)


def path() -> Path:
    """Where the contexts are kept."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    # A relative one is to be passed over, says the specification of these directories.
    base = Path(home) if home.startswith("/") else Path("~/.config").expanduser()
    return base / "triarch" / "contexts.yaml"


def load() -> Contexts:
    """All contexts; none where there is no file. Failure for one that others can read, or that is damaged."""
    file = path()
    try:
        with file.open("rb") as opened:
            _refuse_exposed(os.fstat(opened.fileno()), file)
            data = opened.read(BYTES_MAX + 1)
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise Failure("context_invalid", f"{file} cannot be read: {error.strerror}") from None
    if len(data) > BYTES_MAX:
        raise Failure("context_invalid", f"{file} is larger than {BYTES_MAX} bytes")
    try:
        found = msgspec.convert(yaml.safe_load(data) or {}, Contexts)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f":{mark.line + 1}" if mark is not None else ""
        raise Failure("context_invalid", f"{file}{at} is no YAML; mend it, or delete it and log in again") from None
    except (msgspec.ValidationError, RecursionError) as error:
        # What is wrong, and where; never a value, which may be a token.
        raise Failure("context_invalid", f"{file} is not as contexts are kept: {str(error)[:200]}") from None
    return found


@contextmanager
def changing() -> Iterator[list[Contexts]]:
    """The contexts in a list; what stands first in it at the end is kept. One process at a time changes them."""
    file = path()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failure("context_invalid", f"{file.parent} cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = load()
        held = [before]
        yield held
        if held[0] != before:
            _save(held[0], file.resolve())
    finally:
        os.close(lock)


def _save(contexts: Contexts, file: Path) -> None:
    text = yaml.safe_dump(msgspec.to_builtins(contexts), sort_keys=False, allow_unicode=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(opened, "w", encoding="utf-8") as target:
                target.write(text)
                target.flush()
                os.fsync(target.fileno())
            new.replace(file)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Failure("context_invalid", f"{file} cannot be written: {error.strerror}") from None


def _refuse_exposed(status: os.stat_result, file: Path) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise Failure("context_invalid", f"{file} is no file")
    if status.st_uid != os.geteuid():
        raise Failure("context_exposed", f"{file} belongs to another user: it may hold tokens; chown it to yourself")
    if mode & 0o077:
        raise Failure(
            "context_exposed", f"{file} can be read by others (mode {mode:04o}): it may hold tokens; chmod 600 {file}"
        )
