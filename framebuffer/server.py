"""What a server must be, and finding out what it is."""

from typing import Any

import redis.exceptions as redis_errors
from redis.asyncio import Redis

from framebuffer.connection import execute, translate
from framebuffer.errors import RedisUnavailable, RedisUnsupported
from framebuffer.library import ensure_library
from framebuffer.wire import ServerInfo

__all__ = ["inspect_server", "is_supported"]

_MIN_REDIS = (7, 0)
_MIN_VALKEY = (7, 2)


def is_supported(software: str, version: str) -> bool:
    """Whether this version has what the streams need (functions with effects replication, XAUTOCLAIM's clean-up)."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return numbers >= (_MIN_VALKEY if software == "valkey" else _MIN_REDIS)


async def inspect_server(redis: Redis) -> ServerInfo:
    """Check the server and load the library. Errors: RedisUnsupported, RedisUnavailable, RedisRefused."""
    try:
        info: dict[str, Any] = await redis.info()
        save = await _config(redis, "save")
    except (redis_errors.RedisError, OSError) as error:
        raise translate(error) from error
    software, version = "redis", str(info.get("redis_version", "0"))
    if "valkey_version" in info:
        software, version = "valkey", str(info["valkey_version"])
    if not is_supported(software, version):
        raise RedisUnsupported(f"{software} {version} is too old: Redis >= 7.0 or Valkey >= 7.2 is needed")
    role = str(info.get("role", ""))
    if role != "master":
        raise RedisUnavailable("read_only", f"this {software} server is a replica (role {role}), not the primary")
    policy = str(info.get("maxmemory_policy", ""))
    if policy.startswith("allkeys") and int(info.get("maxmemory", 0)) > 0:
        raise RedisUnsupported(f"maxmemory-policy is {policy}: frames would be dropped when it is full; use noeviction")
    append_only = bool(int(info.get("aof_enabled", 0)))
    return ServerInfo(
        software=software,
        version=version,
        role=role,
        persistent=append_only or bool(save),
        append_only=append_only,
        replicas=int(info.get("connected_slaves", 0)),
        library_revision=await ensure_library(redis),
    )


async def _config(redis: Redis, name: str) -> str:
    try:
        reply = await execute(redis, "CONFIG", "GET", name)
    except redis_errors.ResponseError:  # renamed or not permitted: then it is not known
        return ""
    return reply[1].decode() if len(reply) > 1 else ""
