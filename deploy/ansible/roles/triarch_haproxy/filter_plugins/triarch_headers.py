"""Whether a configuration of HAProxy lets clients speak for others, for the role's tasks."""

import re
from collections.abc import Callable

OURS = re.compile(r"^listen triarch-", re.MULTILINE)
SECTION = re.compile(r"^(?=\S)", re.MULTILINE)
HEADERS = ("X-Forwarded-For", "Forwarded")
"""Which the nodes, or a proxy between, might take for HAProxy's own word."""


def triarch_passes_on(configuration: str) -> bool:
    """Whether it is this role's, and a part of it passes on what a client says of who it is."""
    return any(
        not re.search(rf"^\s+http-request del-header {header}\s*$", section, re.MULTILINE)
        for section in SECTION.split(configuration)
        if OURS.match(section)
        for header in HEADERS
    )


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., bool]]:
        return {"triarch_passes_on": triarch_passes_on}
