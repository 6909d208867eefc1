"""Whose directory it is: `node.json`, written once, checked at every start."""

from collections.abc import Callable

import msgspec

from cluster.disk import Disk, put
from cluster.errors import DataDirForeign, DataDirUnreadable

FORMAT = 2
FILE = "node.json"


class Identity(msgspec.Struct, frozen=True):
    """Content of node.json. `incarnation` is drawn when the directory is made; a lost disk's is lost."""

    format: int
    cluster: str
    node: str
    incarnation: str


class _Format(msgspec.Struct, frozen=True):
    format: int


def identify(disk: Disk, *, cluster: str, node: str, entropy: Callable[[int], bytes]) -> Identity:
    """The directory's identity, made when it is new. DataDirForeign, DataDirUnreadable."""
    file = disk.path(FILE)
    data = disk.read(FILE)
    if data is None:
        made = Identity(FORMAT, cluster, node, entropy(8).hex())
        put(disk, FILE, msgspec.json.encode(made) + b"\n")
        return made
    try:
        found_format = msgspec.json.decode(data, type=_Format).format
        if found_format != FORMAT:
            raise DataDirUnreadable(
                file, f"has format {found_format}, this release knows {FORMAT}; use the release that wrote it"
            )
        found = msgspec.json.decode(data, type=Identity)
    except msgspec.MsgspecError as error:
        raise DataDirUnreadable(
            file, f"does not say whose directory this is ({error}); restore the file, or start with an empty data_dir"
        ) from error
    if (found.cluster, found.node) != (cluster, node):
        raise DataDirForeign(
            file.parent,
            f"belongs to node {found.node!r} of cluster {found.cluster!r}, this is node {node!r} of cluster "
            f"{cluster!r}; set the data_dir of this node, or start with an empty one",
        )
    return found
