"""Ansible's plugins and modules of this repository as modules of Python: what they decide needs no Ansible."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ANSIBLE = Path(__file__).parents[2] / "deploy/ansible"


def plugin(path: str) -> Any:
    """The module at `path` below deploy/ansible, loaded as Ansible does it."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ANSIBLE / path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def library(path: str) -> Any:
    """An Ansible module at `path`, for its functions; `main`, which is Ansible's to call, does not work.

    What its role has in module_utils is there for it, as Ansible sends it along.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ansible", "ansible.module_utils", "ansible.module_utils.basic"):
            patch.setitem(sys.modules, name, ModuleType(name))
        patch.setattr(sys.modules["ansible.module_utils.basic"], "AnsibleModule", None, raising=False)
        for part in sorted((ANSIBLE / path).parents[1].glob("module_utils/*.py")):
            patch.setitem(sys.modules, f"ansible.module_utils.{part.stem}", plugin(str(part.relative_to(ANSIBLE))))
        return plugin(path)
