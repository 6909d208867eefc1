"""Restarts Redis or Sentinel on one host of three, and waits until the three are whole again."""

import socket
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: triarch_redis_restart
short_description: Restarts Redis or Sentinel and waits until the replication is whole
description:
  - Looks first whether the primary has all its replicas and the sentinels reach each other; restarts nothing where not.
    So a host that did not come back keeps the others from being restarted, also those whose turn is later in the task.
  - Then restarts the unit, and waits until it is so again.
options:
  unit: {type: str, required: true, description: "Name of the unit"}
  address: {type: str, required: true, description: "Address of this host"}
  redis_port: {type: int, required: true, description: "Port of Redis"}
  sentinel_port: {type: int, required: true, description: "Port of Sentinel"}
  service: {type: str, required: true, description: "Name under which the sentinels watch the primary"}
  password: {type: str, required: true, description: "Of Redis"}
  replicas: {type: int, required: true, description: "How many replicas the primary must have"}
  timeout_s: {type: int, default: 60, description: "How long that may take, in seconds"}
author: [The Triarch project]
"""

PAUSE_S = 0.25
BEFORE_S = 10.0
"""What was whole a moment ago may take so long to be seen as whole: a sentinel looks again every few seconds."""


class NotSo(Exception):
    """What is missing, in one sentence."""


def asked(address, port, *commands):
    """The answer to the last of some commands, a string. Raises NotSo."""
    where = f"{address} port {port}"
    try:
        with socket.create_connection((address, port), timeout=2) as link:
            answers = link.makefile("rb")
            found = ""
            for words in commands:
                parts = [word.encode() for word in words]
                link.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
                line = answers.readline().decode(errors="replace").rstrip("\r\n")
                if line[:1] == "$" and int(line[1:]) >= 0:
                    found = answers.read(int(line[1:]) + 2).decode(errors="replace")
                elif line[:1] in ("+", ":"):
                    found = line[1:]
                else:
                    raise NotSo(f"{where} answers {words[0]} with: {line[1:] or 'nothing'}")
            return found
    except (OSError, ValueError) as error:
        raise NotSo(f"{where} does not answer: {error}") from None


def replication(address, port, password):
    """INFO replication of a Redis, as a dict. Raises NotSo."""
    text = asked(address, port, ("AUTH", password), ("INFO", "replication"))
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def whole(params):
    """The primary has all its replicas, with this host among the three, and all sentinels are there. Raises NotSo."""
    port, password = params["redis_port"], params["password"]
    found, primary = replication(params["address"], port, password), params["address"]
    if found["role"] == "slave":
        primary = found["master_host"]
        if found.get("master_link_status") != "up":
            raise NotSo("Redis of this host is a replica whose link to {} is not up".format(primary))
        found = replication(primary, int(found["master_port"]), password)
    if found["role"] != "master":
        raise NotSo(f"{primary}, which Redis of this host follows, is no primary")
    online = sum("state=online" in value for name, value in found.items() if name.startswith("slave"))
    if online < params["replicas"]:
        raise NotSo("the primary {} has {} of {} replicas online".format(primary, online, params["replicas"]))
    said = asked(params["address"], params["sentinel_port"], ("SENTINEL", "CKQUORUM", params["service"]))
    if not said.startswith("OK {} ".format(params["replicas"] + 1)):
        raise NotSo(f"the sentinel of this host says: {said}")


def missing(params, limit_s):
    """What is still missing after `limit_s`; "" as soon as nothing is."""
    began = time.monotonic()
    while True:
        try:
            whole(params)
            return ""
        except NotSo as reason:
            if time.monotonic() - began > limit_s:
                return str(reason)
        time.sleep(PAUSE_S)


def main():
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "redis_port": {"type": "int", "required": True},
            "sentinel_port": {"type": "int", "required": True},
            "service": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "replicas": {"type": "int", "required": True},
            "timeout_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    unit, limit = module.params["unit"], module.params["timeout_s"]
    if module.check_mode:
        module.exit_json(changed=True)
    if reason := missing(module.params, BEFORE_S):
        module.fail_json(
            msg=f"{unit} was not restarted on this host, as the three are not whole: {reason}. Its new settings "
            f"are written and wait for a restart: mend that, then `systemctl restart {unit}` here."
        )
    began = time.monotonic()
    for command in (["systemctl", "daemon-reload"], ["systemctl", "restart", unit]):
        code, said, error = module.run_command(command)
        if code:
            module.fail_json(
                msg="{} ended with {}: {}. See journalctl -u {}; hosts whose turn is later are not restarted.".format(
                    " ".join(command), code, (error or said).strip(), unit
                )
            )
    if reason := missing(module.params, limit):
        module.fail_json(
            msg=f"{unit} was restarted on this host, and the three are not whole {limit} s later: {reason}. "
            f"See journalctl -u {unit}; hosts whose turn is later are not restarted."
        )
    module.exit_json(changed=True, whole_after_s=round(time.monotonic() - began, 3))


if __name__ == "__main__":
    main()
