"""Waits until a host of a plant is well: its node, the cluster as it sees it, and its Redis."""

import json
import socket
import ssl
import time
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: triarch_gate
short_description: Waits until a host of a plant is well
description:
  - C(/readyz) says 200; the node is a member, knows a leader, reaches all members and has applied what is committed.
  - Redis of the host is a primary with enough replicas online, or a replica whose link is up and that has caught up.
  - Changes nothing. Fails after O(timeout_s) with everything that is not so.
options:
  api: {type: str, required: true, description: Base URL of the node of this host}
  ca_file: {type: str, default: "", description: Whose certificates the nodes have; empty for the system's}
  token_file: {type: path, default: /etc/triarch/secrets/api.token, description: File on the host with the API's token}
  members: {type: list, elements: str, required: true, description: Ids that the cluster must have, no others}
  redis_port: {type: int, default: 6379, description: Port of Redis on this host}
  redis_password_file: {type: path, default: /etc/triarch/secrets/redis.password, description: File with its password}
  replicas: {type: int, default: 2, description: Replicas that a primary must have online}
  release: {type: str, default: "", description: Release that the node must run, any if empty}
  behind_max: {type: int, default: 100, description: Committed entries that may still have to be applied}
  timeout_s: {type: int, default: 60, description: How long to wait, in seconds}
author: [The Triarch project]
"""

PAUSE_S = 0.2


class NotSo(Exception):
    """What is not well yet."""


def get(url, trust, token=""):
    """(status, JSON) of a GET. `trust`: SSL context for https. Raises NotSo where nobody answers, or not JSON."""
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token} if token else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=2, context=trust) as response:  # noqa: S310 (the playbook says http or https)
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.loads(error.read())
        except ValueError:
            raise NotSo(f"{url} answers {error.code}") from None
    except (OSError, ValueError) as error:
        raise NotSo(f"{url} does not answer: {error}") from None


def cluster(params, trust, token):
    """What the node says of the cluster. Raises NotSo."""
    status, ready = get(params["api"] + "/readyz", trust)
    if status != 200:
        raise NotSo("the node is not ready: " + str(ready.get("detail") or ready))
    status, seen = get(params["api"] + "/v1/cluster", trust, token)
    if status != 200:
        raise NotSo("/v1/cluster answers {}: {}".format(status, seen.get("detail")))
    ids = sorted(member["id"] for member in seen["members"])
    if ids != sorted(params["members"]):
        raise NotSo("the members are {}, expected {}".format(", ".join(ids), ", ".join(sorted(params["members"]))))
    lost = [member["id"] for member in seen["members"] if not member["reachable"] or not member["voter"]]
    if lost:
        raise NotSo("{} cannot be reached from this node, or has no vote yet".format(", ".join(lost)))
    if not seen["leader"] or not seen["leader_api"]:
        raise NotSo("no leader is known")
    own = next((member for member in seen["members"] if member["id"] == seen["node"]), None)
    if own is None:
        raise NotSo("the node that answers is {}, which is no member".format(seen["node"]))
    if params["release"] and own["release"] != params["release"]:
        raise NotSo("the node runs {}, expected {}".format(own["release"], params["release"]))
    leading = seen if seen["leader"] == seen["node"] else get(seen["leader_api"] + "/v1/cluster", trust, token)[1]
    behind = leading.get("commit_index", 0) - seen["applied_index"]
    if behind > params["behind_max"]:
        raise NotSo(f"the node is {behind} entries behind the leader")
    return dict(seen, release=own["release"], behind=behind)


def replication(params, password):
    """INFO replication of the Redis of this host, as a dict. Raises NotSo."""
    words = ["AUTH", password] if password else ["PING"]
    try:
        with socket.create_connection(("127.0.0.1", params["redis_port"]), timeout=2) as link:
            link.sendall(_encoded(*words) + _encoded("INFO", "replication"))
            answer = link.makefile("rb")
            first = answer.readline()
            if not first.startswith(b"+"):
                raise NotSo("Redis says: " + first.decode(errors="replace").strip())
            size = answer.readline()
            if not size.startswith(b"$"):
                raise NotSo("Redis says: " + size.decode(errors="replace").strip())
            text = answer.read(int(size[1:])).decode()
    except OSError as error:
        raise NotSo("Redis on port {} does not answer: {}".format(params["redis_port"], error)) from None
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _encoded(*words):
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def redis(params, password):
    """The role of the Redis of this host, which is well. Raises NotSo."""
    found = replication(params, password)
    if found["role"] == "master":
        online = sum("state=online" in value for name, value in found.items() if name.startswith("slave"))
        if online < params["replicas"]:
            raise NotSo("Redis is the primary, and {} of {} replicas are online".format(online, params["replicas"]))
        return "primary"
    if found.get("master_link_status") != "up" or found.get("master_sync_in_progress") != "0":
        raise NotSo("Redis is a replica whose link to {} is not up".format(found.get("master_host")))
    return "replica"


def main():
    module = AnsibleModule(
        argument_spec={
            "api": {"type": "str", "required": True},
            "ca_file": {"type": "str", "default": ""},
            "token_file": {"type": "path", "default": "/etc/triarch/secrets/api.token"},
            "members": {"type": "list", "elements": "str", "required": True},
            "redis_port": {"type": "int", "default": 6379},
            "redis_password_file": {"type": "path", "default": "/etc/triarch/secrets/redis.password"},
            "replicas": {"type": "int", "default": 2},
            "release": {"type": "str", "default": ""},
            "behind_max": {"type": "int", "default": 100},
            "timeout_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params, began = module.params, time.monotonic()
    secrets = {}
    for name in ("token_file", "redis_password_file"):
        try:
            with open(params[name]) as file:
                secrets[name] = file.read().strip()
        except OSError as error:
            module.fail_json(msg=f"{params[name]}: {error.strerror}: is Triarch deployed on this host?")
    try:
        trust = ssl.create_default_context(cafile=params["ca_file"] or None)
    except (OSError, ssl.SSLError) as error:
        module.fail_json(msg="{}: {}: it holds no certificates to trust".format(params["ca_file"], error))
    while True:
        wrong, seen, role = [], {}, ""
        try:
            seen = cluster(params, trust, secrets["token_file"])
        except NotSo as reason:
            wrong.append(str(reason))
        try:
            role = redis(params, secrets["redis_password_file"])
        except NotSo as reason:
            wrong.append(str(reason))
        waited = round(time.monotonic() - began, 3)
        if not wrong:
            module.exit_json(
                changed=False,
                waited_s=waited,
                leader=seen["leader"],
                release=seen["release"],
                # 0.1.0 does not say which level its state uses.
                state_level=seen.get("state_level"),
                behind=seen["behind"],
                redis=role,
            )
        if waited > params["timeout_s"]:
            module.fail_json(msg="not well after {:.0f} s: {}".format(waited, "; ".join(wrong)), wrong=wrong)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
