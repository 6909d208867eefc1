"""Restarts a unit and waits until what it serves is ready."""

import time
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: triarch_restart
short_description: Restarts a unit and waits until it is ready
description:
  - With C(throttle 1) this is a rolling restart, as the next host begins only when this one is ready again.
  - A unit that was not ready before is not waited for longer than O(timeout_s) either, and then it fails.
options:
  unit: {type: str, required: true, description: Name of the unit}
  ready: {type: str, required: true, description: URL that answers 200 when it is ready}
  timeout_s: {type: int, default: 60, description: How long to wait, in seconds}
author: [The Triarch project]
"""


def answer(url):
    """(status, body) of a GET; status 0 with the reason where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 (the playbook says http)
            return response.status, response.read(2000).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(2000).decode(errors="replace")
    except (OSError, ValueError) as error:
        return 0, str(error)


def main():
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "ready": {"type": "str", "required": True},
            "timeout_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True)
    began = time.monotonic()
    for command in (["systemctl", "daemon-reload"], ["systemctl", "restart", module.params["unit"]]):
        code, said, error = module.run_command(command)
        if code:
            module.fail_json(msg="{} ended with {}: {}".format(" ".join(command), code, (error or said).strip()))
    while True:
        status, body = answer(module.params["ready"])
        waited = time.monotonic() - began
        if status == 200:
            module.exit_json(changed=True, ready_after_s=round(waited, 3))
        if waited > module.params["timeout_s"]:
            module.fail_json(
                msg="{} was restarted, but is not ready after {:.0f} s: {} {}. "
                "The other hosts were not touched; see journalctl -u {}.".format(
                    module.params["unit"], waited, status or "no answer:", body, module.params["unit"]
                )
            )
        time.sleep(0.2)


if __name__ == "__main__":
    main()
