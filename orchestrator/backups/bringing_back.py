"""What a backup needs beside its files to be in force again, and whether it is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from framebuffer.connection import connect
from framebuffer.keys import Keys
from orchestrator.backups import manifest
from orchestrator.backups.manifest import Manifest

if TYPE_CHECKING:
    from orchestrator.config import NodeConfig


async def forget_leader(config: "NodeConfig") -> None:
    """Remove the fence: it names a leader of the cluster that is gone, whose epoch is higher than a new one's.

    Errors: redis-py's.
    """
    redis = connect(
        config.redis.public_url,
        password=config.redis_password(),
        sentinel_password=config.sentinel_password(),
        timeout_s=10.0,
    )
    try:
        await redis.delete(Keys().fence)
    finally:
        await redis.aclose()


def unequal(made: Manifest, *, digest: str | None, ledger: Mapping[str, Any]) -> list[str]:
    """Where what is in force differs from the backup; empty when it is equal. `ledger`: as `GET /v1/frames/ledger`.

    A ledger that was not in order when it was backed up is equal when it is as it was, and no worse.
    """
    problems = manifest.ledger_problems(made, ledger)
    if digest != made.state.digest:
        problems.insert(0, f"the state's digest is {digest}, the backup has {made.state.digest}")
    problems += manifest.new_problems(made, ledger.get("problems", ()))
    return problems
