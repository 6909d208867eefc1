"""Ansible's filter plugins of this repository as modules: what they decide needs no Ansible."""

import importlib.util
from pathlib import Path
from typing import Any

ANSIBLE = Path(__file__).parents[2] / "deploy/ansible"


def plugin(path: str) -> Any:
    """The module at `path` below deploy/ansible, loaded as Ansible does it."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ANSIBLE / path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
