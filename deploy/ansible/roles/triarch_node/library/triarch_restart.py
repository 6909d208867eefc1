"""Restarts a unit and waits until what it serves is ready."""

import json
import ssl
import time
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: triarch_restart
short_description: Restarts a unit and waits until it is ready
description:
  - With C(throttle 1) this is a rolling restart, as the next host begins only when this one is ready again.
  - Restarts nothing that is ready while another of O(others) is not. So a host that did not come back keeps the others
    from being restarted, also those whose turn is later in the task.
  - Where this one is not ready itself, but knows a leader (Redis is away), the others have to know one too.
  - A unit that serves nobody (not ready, and it knows no leader for as long as an election may take) is restarted in
    any case, and not waited for longer than O(timeout_s) either; then it fails.
options:
  unit: {type: str, required: true, description: Name of the unit}
  ready: {type: str, required: true, description: URL that answers 200 when it is ready}
  others: {type: list, elements: str, default: [], description: URLs of the others that must answer 200 before}
  ca_file: {type: str, default: "", description: File with whose certificates they have; empty for the system's}
  timeout_s: {type: int, default: 60, description: How long to wait, in seconds}
author: [The Triarch project]
"""

PAUSE_S = 0.2
OWN_S = 10.0
"""No election takes longer: in the middle of one nobody is ready, and all serve."""
BEFORE_S = 30.0
"""What was ready a moment ago may take so long to be so again: another host may have been started just before."""


def answer(url, trust):
    """(status, body) of a GET; status 0 with the reason where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=2, context=trust) as response:  # noqa: S310 (the playbook says http or https)
            return response.status, response.read(20_000).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(20_000).decode(errors="replace")
    except (OSError, ValueError) as error:
        return 0, str(error)


def is_ready(status, _body):
    return status == 200


def serves(status, body):
    """Whether the node takes part: it is ready, or knows a leader and something else is missing (Redis)."""
    if is_ready(status, body):
        return True
    try:
        return bool(json.loads(body).get("leader"))
    except (ValueError, AttributeError):
        return False


def unready(urls, trust, limit_s, well=is_ready):
    """Which of `urls` are still not `well` after `limit_s`, each with what it says; "" as soon as all are."""
    began = time.monotonic()
    while True:
        answers = [(url, *answer(url, trust)) for url in urls]
        wrong = [
            "{} answers {} {}".format(url, status or "nothing:", body)
            for url, status, body in answers
            if not well(status, body)
        ]
        if not wrong or time.monotonic() - began > limit_s:
            return "; ".join(wrong)
        time.sleep(PAUSE_S)


def main():
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "ready": {"type": "str", "required": True},
            "others": {"type": "list", "elements": "str", "default": []},
            "ca_file": {"type": "str", "default": ""},
            "timeout_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    unit, ready = module.params["unit"], module.params["ready"]
    if module.check_mode:
        module.exit_json(changed=True)
    try:
        trust = ssl.create_default_context(cafile=module.params["ca_file"] or None)
    except (OSError, ssl.SSLError) as error:
        module.fail_json(msg="{}: {}: it holds no certificates to trust".format(module.params["ca_file"], error))
    # One that serves nobody costs nothing to restart, and it may be what the others wait for.
    if module.params["others"]:
        unready([ready], trust, OWN_S, lambda status, body: status == 0 or serves(status, body))
    status, body = answer(ready, trust)
    well = is_ready if is_ready(status, body) else serves
    if serves(status, body) and (wrong := unready(module.params["others"], trust, BEFORE_S, well)):
        module.fail_json(
            msg=f"{unit} was not restarted on this host, as another one is not ready: {wrong}. Its new settings are "
            f"written, and it runs on with those of before. Mend the other one, then run this again.",
            restarted=False,
        )
    began = time.monotonic()
    for command in (["systemctl", "daemon-reload"], ["systemctl", "restart", unit]):
        code, said, error = module.run_command(command)
        if code:
            module.fail_json(msg="{} ended with {}: {}".format(" ".join(command), code, (error or said).strip()))
    while True:
        status, body = answer(ready, trust)
        waited = time.monotonic() - began
        if status == 200:
            module.exit_json(changed=True, ready_after_s=round(waited, 3))
        if waited > module.params["timeout_s"]:
            module.fail_json(
                msg="{} was restarted, but is not ready after {:.0f} s: {} {}. "
                "Hosts whose turn is later are not restarted; see journalctl -u {}.".format(
                    unit, waited, status or "no answer:", body, unit
                )
            )
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
