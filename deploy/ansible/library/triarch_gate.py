"""Waits until a host of a plant is well: its node, the cluster as it sees it, and its Redis."""

import collections
import http.client
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
  - C(/readyz) says 200; the node is a member, knows a leader, reaches all members and has applied what the leader says
    is committed, but for O(behind_max) entries. A leader that does not say it is a refusal.
  - Redis of the host is a primary with enough replicas that are in step, or a replica that is in step with its primary.
  - A replica is in step that is online, was heard within O(redis_lag_max_s), and whose offset is within
    O(redis_behind_max) of the primary's. On a replica its own offset is held against what the primary says when it is
    asked from there.
  - On the primary it is the offset that each replica acknowledged last, and they acknowledge once a second only. One
    that seems to lack more is held against what the primary had written 1.5 s before, or longer ago, within this wait;
    until there is such a moment it is not known, and asked again.
  - Changes nothing. Fails after O(timeout_s) with everything that is not so.
options:
  api: {type: str, required: true, description: Base URL of the node of this host}
  ca_file: {type: str, default: "", description: Whose certificates the nodes have; empty for the system's}
  token_file: {type: path, default: /etc/triarch/secrets/api.token, description: File on the host with the API's token}
  members: {type: list, elements: str, required: true, description: Ids that the cluster must have, no others}
  redis_port: {type: int, default: 6379, description: Port of Redis on this host}
  redis_password_file: {type: path, default: /etc/triarch/secrets/redis.password, description: File with its password}
  replicas: {type: int, default: 2, description: Replicas that a primary must have in step}
  redis_behind_max: {type: int, default: 16777216, description: Bytes of the replication that a replica may lack}
  redis_lag_max_s: {type: int, default: 3, description: Seconds since a replica and its primary heard each other}
  release: {type: str, default: "", description: Release that the node must run, any if empty}
  behind_max: {type: int, default: 100, description: Committed entries that may still have to be applied}
  timeout_s: {type: int, default: 60, description: How long to wait, in seconds}
author: [The Triarch project]
"""

PAUSE_S = 0.2
ACKNOWLEDGED_S = 1.5
"""Within which a replica that is in step has acknowledged what it has: it does so once a second, and that travels."""


class Written:
    """How much a primary had written, and when: what a wait has seen of it, as far back as is needed."""

    def __init__(self):
        self._seen = collections.deque()

    def add(self, now, replid, offset):
        """At `now` (s, monotonic) it is at `offset` of the data `replid`. Of other data nothing counts any more."""
        if self._seen and self._seen[-1][1] != replid:
            self._seen.clear()
        self._seen.append((now, replid, offset))
        while len(self._seen) > 1 and now - self._seen[1][0] >= ACKNOWLEDGED_S:
            self._seen.popleft()

    def before(self, now):
        """The newest offset that is old enough to be acknowledged by now; None where there is none yet."""
        at, _, offset = self._seen[0]
        return offset if now - at >= ACKNOWLEDGED_S else None


class NotSo(Exception):
    """What is not well yet."""


def get(url, trust, token=""):
    """The object that a GET is answered with. Raises NotSo for no answer, another status than 200, or anything else."""
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token} if token else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=2, context=trust) as response:  # noqa: S310 (the playbook says http or https)
            status, body = response.status, response.read()
    except urllib.error.HTTPError as error:
        raise NotSo(f"{url} answers {error.code}{_detail(error)}") from None
    except (OSError, http.client.HTTPException) as error:
        raise NotSo(f"{url} does not answer: {error}") from None
    found = _object(body)
    if status != 200 or found is None:
        raise NotSo(f"{url} answers {status}, and not as a node does")
    return found


def _object(body):
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _detail(error):
    """What a problem document says, behind a colon; "" for one that cannot be read."""
    try:
        problem = _object(error.read())
    except (OSError, http.client.HTTPException):
        return ""
    return ": {}".format(problem.get("detail") or problem) if problem else ""


def index(answer, name, whose):
    """A log index of an answer. Raises NotSo where there is none."""
    found = answer.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        raise NotSo(f"{whose} does not say its {name}")
    return found


def cluster(params, trust, token):
    """What the node says of the cluster. Raises NotSo."""
    get(params["api"] + "/readyz", trust)
    seen = get(params["api"] + "/v1/cluster", trust, token)
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
    leading = seen if seen["leader"] == seen["node"] else get(seen["leader_api"] + "/v1/cluster", trust, token)
    behind = index(leading, "commit_index", "the leader " + seen["leader"]) - index(seen, "applied_index", "the node")
    if behind > params["behind_max"]:
        raise NotSo(f"the node is {behind} entries behind the leader")
    if behind < 0:  # it was asked after the node
        raise NotSo("{} knows of fewer entries than the node has applied: it leads no more".format(seen["leader"]))
    return dict(seen, release=own["release"], behind=behind)


def replication(host, port, password):
    """INFO replication of a Redis, as a dict. Raises NotSo."""
    where = f"Redis of {host} port {port}"
    words = ["AUTH", password] if password else ["PING"]
    try:
        with socket.create_connection((host, port), timeout=2) as link:
            link.sendall(_encoded(*words) + _encoded("INFO", "replication"))
            answer = link.makefile("rb")
            first = answer.readline()
            if not first.startswith(b"+"):
                raise NotSo(f"{where} says: " + first.decode(errors="replace").strip())
            size = answer.readline()
            if not size.startswith(b"$"):
                raise NotSo(f"{where} says: " + size.decode(errors="replace").strip())
            text = answer.read(int(size[1:])).decode()
    except (OSError, ValueError) as error:
        raise NotSo(f"{where} does not answer: {error}") from None
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _encoded(*words):
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def redis(params, password, written=None, clock=time.monotonic):
    """The role of the Redis of this host, which is well. `written`: what this wait has seen before. Raises NotSo."""
    written = Written() if written is None else written
    found = replication("127.0.0.1", params["redis_port"], password)
    if found.get("role") == "master":
        now = clock()
        written.add(now, found.get("master_replid"), _number(found, "master_repl_offset"))
        behind = [_behind(row, found, params, written.before(now)) for row in _replicas(found)]
        in_step = sum(not reason for reason in behind)
        if in_step < params["replicas"]:
            raise NotSo(
                "Redis is the primary, and {} of {} replicas are in step{}".format(
                    in_step, params["replicas"], "".join("; " + reason for reason in behind if reason)
                )
            )
        return "primary"
    host = found.get("master_host")
    if found.get("master_link_status") != "up" or found.get("master_sync_in_progress") != "0":
        raise NotSo(f"Redis is a replica whose link to {host} is not up")
    silent = _number(found, "master_last_io_seconds_ago")
    if not 0 <= silent <= params["redis_lag_max_s"]:
        raise NotSo(f"Redis is a replica that has not heard {host} for {silent} s")
    primary = replication(host, _number(found, "master_port"), password)
    if primary.get("role") != "master" or primary.get("master_replid") != found.get("master_replid"):
        raise NotSo(f"Redis is a replica of {host}, which is no primary, or of other data")
    lacks = _number(primary, "master_repl_offset") - _number(found, "slave_repl_offset")
    if lacks > params["redis_behind_max"]:
        raise NotSo(f"Redis is a replica that is {lacks} bytes behind {host}")
    return "replica"


def _replicas(found):
    """A primary's replicas, each as a dict: slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=1."""
    rows = [value for name, value in found.items() if name.startswith("slave") and name[5:].isdigit()]
    return [dict(part.split("=", 1) for part in row.split(",") if "=" in part) for row in rows]


def _behind(row, primary, params, before):
    """Why a replica of the primary is not in step; "" where it is. `before`: of ``Written``."""
    name = "{}:{}".format(row.get("ip"), row.get("port"))
    if row.get("state") != "online":
        return "{} is not online ({})".format(name, row.get("state"))
    silent = _number(row, "lag")
    if not 0 <= silent <= params["redis_lag_max_s"]:
        return f"{name} was not heard for {silent} s"
    acknowledged = _number(row, "offset")
    lacks = _number(primary, "master_repl_offset") - acknowledged
    if lacks <= params["redis_behind_max"]:
        return ""
    if before is None:
        return f"{name} acknowledged {lacks} bytes less than was written, and whether it is behind is not known yet"
    lacks = before - acknowledged
    return f"{name} is {lacks} bytes behind" if lacks > params["redis_behind_max"] else ""


def _number(found, name):
    try:
        return int(found[name])
    except (KeyError, ValueError):
        raise NotSo(f"Redis does not say its {name}") from None


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
            "redis_behind_max": {"type": "int", "default": 16 * 1024 * 1024},
            "redis_lag_max_s": {"type": "int", "default": 3},
            "release": {"type": "str", "default": ""},
            "behind_max": {"type": "int", "default": 100},
            "timeout_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params, began, written = module.params, time.monotonic(), Written()
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
        except (KeyError, TypeError) as error:
            wrong.append(f"/v1/cluster is not answered as a node does: {error!r}")
        try:
            role = redis(params, secrets["redis_password_file"], written)
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
