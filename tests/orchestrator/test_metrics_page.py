"""docs/metrics.md, held against what a real node shows: no metric without a row, no row without a metric."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from framebuffer.trust import trusting
from orchestrator.config_api import OidcSettings
from tests.orchestrator.api_nodes import TOKEN, serving
from tests.orchestrator.authorities import Authority
from tests.orchestrator.identity import AUDIENCE, ISSUER
from tests.support import free_port
from tools.metric_names import documented, named, recorded, series

LABELS_OF_ALL = {"le", "quantile"}


@pytest.mark.anyio
async def test_the_page_and_a_node_name_the_same_metrics(tmp_path: Path) -> None:
    """With everything on that has metrics: a certificate and an identity provider."""
    authority = Authority(tmp_path)
    pair = authority.sign("node")
    oidc = OidcSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=f"http://127.0.0.1:{free_port()}/keys")
    api = {
        "tls": {"cert_file": str(pair.cert), "key_file": str(pair.key)},
        "ca_file": str(authority.file),
        "oidc": oidc.model_dump(mode="json", exclude_defaults=True),
    }
    async with serving(1, tmp_path, token=TOKEN, verify=trusting(authority.file), api=api) as nodes:
        await nodes.clients[0].put("/v1/variables/v", json={"value": 1})
        text = (await nodes.clients[0].get("/metrics")).text
    families = [one for one in text_string_to_metric_families(text) if not one.name.endswith("_created")]
    shown = {(f"{one.name}_total" if one.type == "counter" else one.name): one for one in families}
    page = documented()
    assert set(shown) == set(page)
    for name, family in shown.items():
        kind, labels = page[name]
        assert kind == ("info" if name.endswith("_info") else family.type), name
        for sample in family.samples:
            assert set(sample.labels) - LABELS_OF_ALL == set(labels), name


def test_rows_of_the_page_are_understood() -> None:
    found = documented(
        "| `a_total{x,y}`, `b_bytes` | counter | what |\n| `c_seconds` | histogram | what |\n| d | e | f |\n"
    )
    assert found == {"a_total": ("counter", ("x", "y")), "b_bytes": ("counter", ()), "c_seconds": ("histogram", ())}
    assert series(found) == {"a_total", "b_bytes", "c_seconds_bucket", "c_seconds_sum", "c_seconds_count"}


def test_metrics_in_expressions_are_found() -> None:
    expression = 'sum by (peer) (rate(triarch_a_total{kind="frame_buffer_x"}[5m])) / triarch:b:rate1m or process_c == 0'
    assert list(named(expression)) == ["triarch_a_total", "process_c"]
    assert list(recorded(expression)) == ["triarch:b:rate1m"]
