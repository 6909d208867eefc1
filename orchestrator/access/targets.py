"""What a request may ask for at all: its target, and how deep its body is. Pure.

Routes, rights and the audit see decoded paths, proxies in front perhaps not: so what could mean two paths is refused,
not made sense of.
"""

import re
from array import array
from itertools import accumulate

TARGET_BYTES_MAX = 8 << 10
"""Path and query together."""
SLASHED = (b"/v1/frames/trace/",)
"""Paths whose last part may hold a slash, and so an encoded one: `camera/number`."""

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(rb"[\x00-\x20\x7f]|%[01][0-9A-Fa-f]|%7[Ff]")
_SLASH = re.compile(rb"\\|%5[Cc]|%2[Ff]")
_DOTS = re.compile(rb"/(?:\.|%2[Ee]){1,2}(?=/|$)")


def target_fault(raw_path: bytes, path: str, query: bytes) -> tuple[str, str] | None:
    """(code, what is wrong) of a target that is refused.

    Args:
        raw_path: as it came over the wire, without the query.
        path: decoded.
    """
    if len(raw_path) + len(query) > TARGET_BYTES_MAX:
        return "target_too_long", f"path and query have more than {TARGET_BYTES_MAX} bytes together"
    if not raw_path.startswith(b"/"):
        return "path_invalid", "a path begins with a slash"
    if _CONTROL.search(raw_path):
        return "path_invalid", "the path holds a control character or white space"
    if _BAD_ESCAPE.search(raw_path):
        return "path_invalid", "the path holds a % that two hexadecimal digits do not follow"
    if "\ufffd" in path:
        return "path_invalid", "the path is not UTF-8"
    if _DOTS.search(raw_path):
        return "path_invalid", "the path holds a part '.' or '..'; ask for the path itself"
    if _SLASH.search(raw_path) and (b"\\" in raw_path or not raw_path.startswith(SLASHED)):
        return "path_invalid", "the path holds an encoded slash or a backslash"
    return None


JSON_DEPTH_MAX = 64
"""How deep lists and objects may stand in one another in a body: more than any document of the API has."""
_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_CHUNK = 32 << 10


def too_deep(body: bytes) -> bool:
    """Whether lists and objects of a JSON text are more than `JSON_DEPTH_MAX` deep in one another.

    Linear in every case, and without recursion: whoever sends a megabyte of quotes must not have it gone through twice.
    Says nothing of texts that are no JSON: whoever parses them does.
    """
    if body.count(b"[") + body.count(b"{") <= JSON_DEPTH_MAX:
        return False
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(body.split(b'"')[::2])
    steps = array("b", outside.translate(_STEPS, _BRACKETS))
    depth = 0
    for at in range(0, len(steps), _CHUNK):
        depths = list(accumulate(steps[at : at + _CHUNK], initial=depth))
        if max(depths) > JSON_DEPTH_MAX:
            return True
        depth = depths[-1]
    return False
