"""Whether HAProxy's place is free, by what `ss` says listens."""

import pytest

from tests.deploy.filters import plugin

PLUGIN = plugin("roles/triarch_haproxy/filter_plugins/triarch_binds.py")
LISTENING = [
    'LISTEN 0 4096 0.0.0.0:8100 0.0.0.0:* users:(("haproxy",pid=300,fd=7))',
    'LISTEN 0 128 192.0.2.11:8101 0.0.0.0:* users:(("python3",pid=200,fd=12))',
    'LISTEN 0 511 *:80 *:* users:(("nginx",pid=101,fd=6),("nginx",pid=100,fd=6))',
    "LISTEN 0 128 [::1]:631 [::]:*",
    'LISTEN 0 128 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=90,fd=14))',
]


@pytest.mark.parametrize(
    "bind",
    [
        "",
        ":8100",  # its own
        "192.0.2.100:8101",  # an address that moves between hosts, beside a node's
        ":8102",
        "unix@/run/haproxy.sock",
        "[2001:db8::1]:8101",
        ":8101-8105",
    ],
)
def test_a_place_that_is_free_or_its_own_is_taken(bind: str) -> None:
    assert PLUGIN.triarch_taken_binds(LISTENING, [bind]) == []


@pytest.mark.parametrize(
    ("bind", "said"),
    [
        (":8101", ":8101 is taken by python3 (pid 200), which listens on 192.0.2.11:8101"),
        ("192.0.2.11:8101", "192.0.2.11:8101 is taken by python3 (pid 200), which listens on 192.0.2.11:8101"),
        (
            ":8100,192.0.2.100:80 ssl crt /etc/haproxy/api.pem",
            "192.0.2.100:80 is taken by nginx (pid 101), which listens on *:80",
        ),
        ("[::]:631 v4v6", "[::]:631 is taken by a program that cannot be seen, which listens on [::1]:631"),
        ("127.0.0.53:53", "127.0.0.53:53 is taken by systemd-resolve (pid 90), which listens on 127.0.0.53%lo:53"),
    ],
)
def test_one_that_another_program_has_is_told_with_who_it_is(bind: str, said: str) -> None:
    assert PLUGIN.triarch_taken_binds(LISTENING, [bind, ""]) == [said]
    assert PLUGIN.triarch_taken_binds([], [bind]) == []
