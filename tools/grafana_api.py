"""The dashboard of the interface."""

from tools.grafana_panels import Board, Row, lines, quantile

__all__ = ["API"]

API = Board(
    "api",
    "Triarch: interface",
    "Requests, watchers, limits, the audit.",
    (
        Row(
            "Requests",
            (
                lines(
                    "By node",
                    "Each second.",
                    ("sum by (instance) (rate(triarch_http_requests_total{of}[1m]))", "{{instance}}"),
                    unit="reqps",
                    stacked=True,
                ),
                lines(
                    "By answer",
                    "Each second.",
                    ("sum by (status) (rate(triarch_http_requests_total{of}[1m]))", "{{status}}"),
                    unit="reqps",
                    stacked=True,
                ),
                lines(
                    "Failed",
                    "Share that was answered with a server error.",
                    (
                        (
                            'sum(rate(triarch_http_requests_total{status=~"5..", of}[5m])) / '
                            "sum(rate(triarch_http_requests_total{of}[5m]))"
                        ),
                        "5xx",
                    ),
                    unit="percentunit",
                ),
                lines(
                    "Time to answer",
                    "From the first byte to the last, 99 of 100, by node.",
                    (
                        quantile(0.99, "triarch_http_request_seconds", by="instance, "),
                        "{{instance}}",
                    ),
                    unit="s",
                    width=12,
                ),
                lines(
                    "The slowest routes",
                    "Mean time, the ten slowest.",
                    (
                        (
                            "topk(10, sum by (route) (rate(triarch_http_request_seconds_sum{of}[5m])) / "
                            "sum by (route) (rate(triarch_http_request_seconds_count{of}[5m])))"
                        ),
                        "{{route}}",
                    ),
                    unit="s",
                    width=12,
                ),
            ),
        ),
        Row(
            "Clients",
            (
                lines("Connections", "Open.", ("triarch_api_connections{of}", "{{instance}}"), stacked=True),
                lines("Watchers", "Streams of /v1/watch.", ("triarch_watchers{of}", "{{instance}}"), stacked=True),
                lines(
                    "Ended by the node",
                    "Each second, by reason.",
                    ("sum by (reason) (rate(triarch_watch_lost_total{of}[5m]))", "watch: {{reason}}"),
                    (
                        "sum by (reason) (rate(triarch_api_connections_turned_away_total{of}[5m]))",
                        "connection: {{reason}}",
                    ),
                    unit="ops",
                ),
                lines(
                    "Too many requests",
                    "Answered 429, each second.",
                    ("sum by (limit) (rate(triarch_rate_limited_total{of}[5m]))", "{{limit}}"),
                    unit="reqps",
                ),
                lines(
                    "Certificates",
                    "Until they expire.",
                    ("triarch_api_certificate_expiry_seconds{of}", "{{instance}}"),
                    unit="s",
                    least=None,
                ),
                lines(
                    "Keys of the identity provider",
                    "Since it gave them.",
                    ("triarch_oidc_keys_age_seconds{of}", "{{instance}}"),
                    unit="s",
                    least=None,
                ),
            ),
        ),
        Row(
            "Audit and traces",
            (
                lines("Entries", "In each node's file.", ("triarch_audit_entries{of}", "{{instance}}")),
                lines(
                    "Trouble with the audit",
                    "1: it cannot be written, or is not the chain.",
                    ("triarch_audit_write_failed{of}", "{{instance}} not written"),
                    ("triarch_audit_broken{of}", "{{instance}} broken"),
                ),
                lines(
                    "Spans",
                    "Each second, exported or dropped.",
                    ("sum by (result) (rate(frame_buffer_spans_total{of}[5m]))", "{{result}}"),
                    unit="ops",
                    stacked=True,
                ),
            ),
        ),
    ),
)
