"""What a host is like before anything is deployed to it: read, not changed."""

import glob
import hashlib
import json
import os
import platform
import re
import socket
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.triarch_redis_files import holds, stored

DOCUMENTATION = r"""
module: triarch_host_report
short_description: What a host is like before anything is deployed to it
description:
  - Reads, and writes nothing but a small file for the disk's speed, which is removed again.
  - Its action plugin adds when the controller asked and was answered, so that clocks can be compared.
options:
  address: {type: str, required: true, description: Address under which the other hosts reach this one}
  ports: {type: dict, required: true, description: Unit that may listen, by port}
  data: {type: path, required: true, description: Folder above all data}
  root: {type: path, required: true, description: Folder above the releases}
  redis_port: {type: int, required: true, description: Port of Redis}
  prefix: {type: str, default: frames, description: What the keys of frames begin with}
  python: {type: path, default: /usr/bin/python3, description: Interpreter that releases are made with}
author: [The Triarch project]
"""

SYNCS = 24
SYNC_SECONDS = 2.0
"""A slow disk is known after so long."""
KEYS_LOOKED_AT = 2000
SECRETS = "/etc/triarch/secrets"
NODE = "/etc/triarch/node.yaml"
# A host need not have a reader of YAML. Only members have a URL there.
API = re.compile(r"""^[ \t]*(?:-[ \t]+)?api:[ \t]*["']?(https?)://""", re.MULTILINE)


def text_of(path):
    """What stands in a small file; "" where it cannot be read."""
    try:
        with open(path) as file:
            return file.read(65536).strip()
    except (OSError, ValueError):
        return ""


def system():
    """Identification of the operating system, from os-release."""
    found = {}
    for line in text_of("/etc/os-release").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name] = value.strip("\"'")
    return {"id": found.get("ID", ""), "version": found.get("VERSION_ID", ""), "name": found.get("PRETTY_NAME", "")}


def python_of(module, path):
    """[major, minor, micro] of an interpreter; empty where there is none, or none that can make releases."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:3])"
    if not os.access(path, os.X_OK):
        return []
    failed, said, _ = module.run_command([path, "-c", code])
    return [] if failed else [int(part) for part in said.split()]


def standing(path):
    """The folder that is there: `path`, or the closest above it."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def free_bytes(path):
    """Bytes that an ordinary user may still write where `path` is, or will be."""
    room = os.statvfs(standing(path))
    return room.f_bavail * room.f_frsize


def disk(path):
    """Free space, and how long a small write takes until it is on the disk."""
    folder = standing(path)
    found = {"path": folder, "free_bytes": free_bytes(folder), "error": ""}
    taken = []
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".triarch-preflight-") as file:
            began = time.monotonic()
            while len(taken) < SYNCS and time.monotonic() - began < SYNC_SECONDS:
                start = time.monotonic()
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
                taken.append(time.monotonic() - start)
    except OSError as error:
        found["error"] = str(error)
    taken.sort()
    found["sync_median_ms"] = round(taken[len(taken) // 2] * 1000, 3) if taken else None
    found["sync_worst_ms"] = round(taken[-1] * 1000, 3) if taken else None
    return found


def listening_inodes(ports):
    """Inode of each listening TCP socket by port, of those in `ports`."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in text_of_whole(table).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == "0A":
                port = int(fields[1].rpartition(":")[2], 16)
                if port in ports:
                    found.setdefault(port, set()).add(fields[9])
    return found


def text_of_whole(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def owners(inodes):
    """(pid, name, unit) of who holds a socket; None where it cannot be seen."""
    wanted = {"socket:[" + inode + "]" for inode in inodes}
    for folder in glob.glob("/proc/[0-9]*/fd"):
        try:
            held = {os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)}
        except OSError:
            continue
        if held & wanted:
            process = os.path.dirname(folder)
            unit = [
                part for part in text_of(process + "/cgroup").replace("\n", "/").split("/") if part.endswith(".service")
            ]
            return {
                "pid": int(process.rpartition("/")[2]),
                "name": text_of(process + "/comm"),
                "unit": unit[-1] if unit else "",
            }
    return {"pid": 0, "name": "a program that cannot be seen", "unit": ""}


def taken_ports(ports):
    """Who listens on a port that only `ports[port]` may have, by port."""
    wanted = {int(port): unit for port, unit in ports.items()}
    found = {}
    for port, inodes in listening_inodes(wanted).items():
        owner = owners(inodes)
        if owner["unit"] != wanted[port]:
            found[str(port)] = owner
    return found


def installed(root):
    """Releases that are there completely, as triarch_release marks them."""
    return sorted(
        os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(root, "releases", "*", ".installed"))
    )


def scheme(path):
    """How the members' APIs are asked, as the node's file has it; "" where there is none."""
    found = API.search(text_of_whole(path))
    return found.group(1) if found else ""


def secrets():
    """SHA-256 of each secret that is there, by name: what they are stays on the host."""
    found = {}
    for path in glob.glob(SECRETS + "/*"):
        with open(path, "rb") as file:
            found[os.path.basename(path)] = hashlib.sha256(file.read(65536).rstrip(b"\r\n")).hexdigest()
    return found


class Redis:
    """Enough of the protocol for a few questions."""

    def __init__(self, port, password):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=3)
        self.file = self.socket.makefile("rb")
        self.needs_password = False
        if password:
            self.ask("AUTH", password)

    def close(self):
        self.file.close()
        self.socket.close()

    def ask(self, *words):
        parts = ["*{}\r\n".format(len(words))] + ["${}\r\n{}\r\n".format(len(word.encode()), word) for word in words]
        self.socket.sendall("".join(parts).encode())
        return self.answer()

    def answer(self):
        line = self.file.readline().rstrip(b"\r\n").decode(errors="replace")
        kind, rest = line[:1], line[1:]
        if kind == "$":
            return None if int(rest) < 0 else self.file.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == "*":
            return [self.answer() for _ in range(max(int(rest), 0))]
        if kind == "-":
            raise ValueError(rest)
        return rest


def redis_password():
    """Of our Redis: a deployment that broke off has written its configuration, and not yet the node's secret."""
    for line in text_of("/etc/triarch/redis.conf").splitlines():
        if line.startswith("requirepass "):
            return line.split(None, 1)[1].strip('"')
    return text_of(SECRETS + "/redis.password")


def running_redis(port, prefix):
    """Persistence, foreign keys, and the leader whom it obeys, of the Redis that listens.

    {} where none does, "error" where it does not answer. "fence": term, index and node of that leader; {} for none.
    """
    try:
        redis = Redis(port, redis_password())
    except ValueError as error:
        return {"error": str(error)}
    except OSError:
        return {}
    try:
        append_only = redis.ask("CONFIG", "GET", "appendonly")
        foreign, cursor, seen = [], "0", 0
        while seen < KEYS_LOOKED_AT and not foreign:
            cursor, keys = redis.ask("SCAN", cursor, "COUNT", "500")
            foreign = [key for key in keys if not key.startswith((prefix + ":", "{" + prefix, prefix))]
            seen += 500
            if cursor == "0":
                break
        names = ("term", "index", "node")
        values = redis.ask("HMGET", prefix + ":fence", *names)
        return {
            "append_only": append_only[1] == "yes",
            "foreign_keys": foreign[:3],
            "fence": {name: values[at] for at, name in enumerate(names) if values[at] is not None},
            "error": "",
        }
    except (OSError, ValueError, IndexError) as error:
        return {"error": str(error)}
    finally:
        redis.close()


def holds_files(folder):
    """Whether there is a file anywhere below; a folder that was only made does not count."""
    return any(files for _, _, files in os.walk(folder))


def redis_data(folder):
    """What stands in the data folder, whether it is ours, and of which cluster: "" where nobody wrote it down."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    data = [name for name in names if name == "dump.rdb" or name.startswith("appendonly")]
    return {"data": data, "ours": "redis.conf" in names, "cluster": text_of(os.path.join(folder, "cluster"))}


def stopped_redis(folder, prefix, alone):
    """Foreign keys, and whether a leader of before is obeyed, of the data that Redis would be started on.

    {} where there are none, or none that can be read: Redis would say so. All of the files are read only where they
    stand `alone`, without data of a node.
    """
    try:
        found = stored(folder, prefix)
        if not found:
            return {}
        return {
            "foreign_keys": found["foreign_keys"],
            "fence": alone and holds(found["files"], prefix + ":fence"),
        }
    except (OSError, ValueError, OverflowError, MemoryError):  # the last two: of lengths in a damaged file
        return {}


def cluster_of(folder):
    """Name of the cluster that a node's data are of, as it wrote it down; "" where it did not."""
    try:
        return str(json.loads(text_of(os.path.join(folder, "node.json")) or "{}").get("cluster", ""))
    except (ValueError, AttributeError):
        return ""


def sentinel_view(folder):
    """Primary and epoch as Sentinel last wrote them down; None where it never ran here."""
    found = {}
    for line in text_of_whole(os.path.join(folder, "sentinel.conf")).splitlines():
        words = line.split()
        if words[:2] == ["sentinel", "monitor"] and len(words) > 4:
            found["address"], found["port"] = words[3], int(words[4])
        elif words[:2] == ["sentinel", "config-epoch"] and len(words) > 3:
            found["epoch"] = int(words[3])
    return found if "epoch" in found else None


def can_bind(address):
    """Whether `address` is one of this host; "" or why not."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return str(error)
    return ""


def main():
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "ports": {"type": "dict", "required": True},
            "data": {"type": "path", "required": True},
            "root": {"type": "path", "required": True},
            "redis_port": {"type": "int", "required": True},
            "prefix": {"type": "str", "default": "frames"},
            "python": {"type": "path", "default": "/usr/bin/python3"},
        },
        supports_check_mode=True,
    )
    asked = module.params
    clock_start = time.time()
    current = os.path.join(asked["root"], "current")
    node, redis = (os.path.join(asked["data"], name) for name in ("node", "redis"))
    running, led = running_redis(asked["redis_port"], asked["prefix"]), holds_files(node)
    report = {
        "system": system(),
        "systemd": os.path.isdir("/run/systemd/system") and text_of("/proc/1/comm") == "systemd",
        "python": python_of(module, asked["python"]),
        "arch": platform.machine(),
        "boot_id": text_of("/proc/sys/kernel/random/boot_id"),
        "machine_id": text_of("/etc/machine-id"),
        "foreign_address": can_bind(asked["address"]),
        "disks": [disk(asked["data"])],
        "root_free_bytes": free_bytes(asked["root"]),
        "ports": taken_ports(asked["ports"]),
        "secrets": secrets(),
        "scheme": scheme(NODE),
        "release": os.path.basename(os.readlink(current)) if os.path.islink(current) else "",
        "installed": installed(asked["root"]),
        "node_data": led,
        "node_cluster": cluster_of(node),
        "redis": redis_data(redis),
        "running_redis": running,
        "stopped_redis": {} if running else stopped_redis(redis, asked["prefix"], not led),
        "sentinel": sentinel_view(os.path.join(asked["data"], "sentinel")),
    }
    report["clock_start"], report["clock_end"] = clock_start, time.time()
    module.exit_json(changed=False, report=json.loads(json.dumps(report)))


if __name__ == "__main__":
    main()
