"""Asks a host for its report, and notes when: what a clock says counts only together with when it was asked."""

import time
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The module of the same name, between two looks at this machine's monotonic clock."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        asked = time.monotonic()
        result.update(self._execute_module(task_vars=task_vars))
        if "report" in result:
            result["report"] |= {"asked": asked, "answered": time.monotonic()}
        return result
