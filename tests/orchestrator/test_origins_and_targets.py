"""Whose page asks, and which targets are looked at."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.access.origins import also_localhost, is_host_of, is_ours, is_this_host, origin_of
from orchestrator.access.targets import JSON_DEPTH_MAX, TARGET_BYTES_MAX, target_fault, too_deep

MEMBERS = {"https://a.plant:8101", "http://10.0.0.2:8101", "https://c.plant"}


@pytest.mark.parametrize(
    ("origin", "host", "open_to_all", "ours"),
    [
        ("https://a.plant:8101", "b.plant:8101", False, True),
        ("https://A.plant:8101", "b.plant:8101", False, True),
        ("https://c.plant", "x", False, True),
        ("http://a.plant:8101", "b.plant:8101", False, False),  # another scheme is another origin
        ("https://a.plant:8102", "b.plant:8101", False, False),
        ("https://a.plant:8101.evil", "b.plant:8101", False, False),
        ("https://evil", "b.plant:8101", False, False),
        ("null", "null", False, False),
        ("", "", False, False),
        ("https://evil/https://a.plant:8101", "b", False, False),
        ("https://panel.plant", "panel.plant", False, True),  # a proxy in front
        ("http://panel.plant", "panel.plant", False, True),
        ("http://evil:8101", "evil:8101", True, False),  # its name was made to lead here
        ("http://localhost:8101", "localhost:8101", True, True),
        ("http://127.0.0.1:9", "127.0.0.1:9", True, True),
        ("http://[::1]:9", "[::1]:9", True, True),
        ("http://127.0.0.1:9", "127.0.0.1:8", True, False),
    ],
)
def test_which_pages_are_ours(origin: str, host: str, open_to_all: bool, ours: bool) -> None:
    assert is_ours(origin, host, MEMBERS, open_to_all=open_to_all) is ours


def test_this_machine_has_a_name_too() -> None:
    """A page that was opened as localhost may go over to the members, which are known by address."""
    known = also_localhost({"http://127.0.0.1:8101", "https://localhost:8102", "http://10.0.0.2:8101"})
    assert known == {
        *("http://127.0.0.1:8101", "http://localhost:8101", "https://localhost:8102", "https://127.0.0.1:8102"),
        "http://10.0.0.2:8101",
    }
    assert is_ours("http://localhost:8101", "127.0.0.1:8102", known, open_to_all=True)
    assert not is_ours("http://localhost:8103", "127.0.0.1:8102", known, open_to_all=True)


@given(origin=st.text(max_size=60), host=st.text(max_size=60))
def test_no_origin_or_host_breaks_the_decision(origin: str, host: str) -> None:
    is_ours(origin, host, MEMBERS, open_to_all=True)
    is_host_of(host, MEMBERS)
    is_this_host(host)
    assert origin_of(origin_of(origin)) == origin_of(origin)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"v1/cluster", b"http://elsewhere/v1", b"*", b"/v1/../secret", b"/v1/..", b"/v1/%2e%2E/x", b"/./x",
        b"/v1/.%2e/x", b"/v1/variables/a%00", b"/v1/variables/a%0d%0a", b"/v1/variables/a%7f", b"/v1/a b",
        b"/v1/variables/a%2fb", b"/v1/variables/a%5Cb", b"/v1\\variables", b"/v1/%", b"/v1/%zz", b"/v1/%c3",
    ],
)  # fmt: skip
def test_paths_of_two_meanings_are_refused(raw: bytes) -> None:
    from urllib.parse import unquote

    fault = target_fault(raw, unquote(raw.decode("ascii")), b"")
    assert fault is not None
    assert fault[0] == "path_invalid"


@pytest.mark.parametrize(
    "raw",
    [
        b"/", b"/v1/cluster", b"/v1/variables/a.b", b"/v1/variables/..a", b"/v1/variables/a..", b"/v1/variables/%C3%A4",
        b"/v1/frames/trace/camera%2F17", b"/v1/frames/trace/camera/17", b"//healthz", b"/v1/variables/a%20b",
    ],
)  # fmt: skip
def test_other_paths_are_let_through(raw: bytes) -> None:
    from urllib.parse import unquote

    assert target_fault(raw, unquote(raw.decode("ascii")), b"a=%00") is None


def test_a_target_has_a_bound() -> None:
    path = b"/" + b"a" * (TARGET_BYTES_MAX - 1)
    assert target_fault(path, path.decode(), b"") is None
    fault = target_fault(path, path.decode(), b"x")
    assert fault is not None
    assert fault[0] == "target_too_long"


def nested(depth: int, *, objects: bool = False) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth if objects else b"[" * depth + b"]" * depth


@pytest.mark.parametrize("objects", [False, True])
def test_the_depth_of_json_has_a_bound(objects: bool) -> None:
    assert not too_deep(nested(JSON_DEPTH_MAX, objects=objects))
    assert too_deep(nested(JSON_DEPTH_MAX + 1, objects=objects))
    assert too_deep(b"[" * 200_000)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=60,
)


@given(value=JSON, outside=st.integers(min_value=0, max_value=80))
def test_depth_is_what_a_walk_finds(value: object, outside: int) -> None:
    def depth(of: object) -> int:
        inner = list(of.values()) if isinstance(of, dict) else of if isinstance(of, list) else None
        return 0 if inner is None else 1 + max((depth(one) for one in inner), default=0)

    for _ in range(outside):
        value = [value, "]{\\"]
    assert too_deep(json.dumps(value).encode()) is (depth(value) > JSON_DEPTH_MAX)
