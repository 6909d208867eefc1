"""The proof that a node passed a request on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from orchestrator.access.forwarded import BY_HEADER, CLIENT_HEADER, PROOF_HEADER, Forwarded, key_of, sign, verify

KEY = key_of("t" * 32)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


def signed(method: str = "POST", target: bytes = b"/v1/variables/a?x=1", client: str = "10.0.0.7") -> Headers:
    return Headers(sign(KEY, node="n2", method=method, target=target, client=client))


def test_what_a_node_signed_is_proven() -> None:
    proven = verify(KEY, signed(), method="POST", target=b"/v1/variables/a?x=1")
    assert proven == Forwarded("n2", "10.0.0.7")


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", b"/v1/variables/b?x=1"), ("POST", b"/v1/variables/a?x=2"), ("DELETE", b"/v1/variables/a?x=1")],
)
def test_a_proof_is_for_one_request_only(method: str, target: bytes) -> None:
    assert verify(KEY, signed(), method=method, target=target) is None


@pytest.mark.parametrize("name", [BY_HEADER, CLIENT_HEADER])
def test_neither_node_nor_client_can_be_exchanged(name: str) -> None:
    headers = {**dict(signed()), name.lower(): "10.9.9.9"}
    assert verify(KEY, Headers(headers), method="POST", target=b"/v1/variables/a?x=1") is None


@pytest.mark.parametrize("name", [BY_HEADER, CLIENT_HEADER, PROOF_HEADER])
def test_without_one_of_them_nothing_is_proven(name: str) -> None:
    headers = dict(signed())
    del headers[name.lower()]
    assert verify(KEY, Headers(headers), method="POST", target=b"/v1/variables/a?x=1") is None


def test_another_token_proves_nothing() -> None:
    for other in (None, "", "u" * 32):
        assert verify(key_of(other), signed(), method="POST", target=b"/v1/variables/a?x=1") is None


@given(node=TEXT, client=TEXT, other_node=TEXT, other_client=TEXT)
def test_fields_cannot_run_into_one_another(node: str, client: str, other_node: str, other_client: str) -> None:
    headers = sign(KEY, node=node, method="GET", target=b"/", client=client)
    forged = {**headers, BY_HEADER: other_node, CLIENT_HEADER: other_client}
    proven = verify(KEY, Headers(forged), method="GET", target=b"/")
    assert (proven is not None) == ((node, client) == (other_node, other_client))


@given(proof=st.text(max_size=80))
def test_no_text_is_taken_for_a_proof(proof: str) -> None:
    headers = {**sign(KEY, node="n2", method="GET", target=b"/", client=""), PROOF_HEADER: proof}
    assert verify(KEY, headers, method="GET", target=b"/") is None
