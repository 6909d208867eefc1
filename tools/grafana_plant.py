"""The dashboard of components and playbooks."""

from tools.grafana_panels import BAD_ABOVE_ZERO, Board, Row, lines, quantile, stat

__all__ = ["PLANT"]

PLANT = Board(
    "plant",
    "Triarch: components and playbooks",
    "What the plant does, and what was done to it.",
    (
        Row(
            "Now",
            (
                stat(
                    "Components",
                    "That are registered.",
                    "max(sum by (instance) (triarch_components{of}))",
                    steps=((None, "blue"),),
                ),
                stat("In FAULT", "Components.", 'max(triarch_components{state="FAULT", of})', steps=BAD_ABOVE_ZERO),
                stat("Not heard", "Components.", "max(triarch_components_offline{of})", steps=BAD_ABOVE_ZERO),
                stat(
                    "Given up", "Not restarted any more.", "max(triarch_components_given_up{of})", steps=BAD_ABOVE_ZERO
                ),
                stat(
                    "Alerts that fire",
                    "Of the plant.",
                    "max(sum by (instance) (triarch_alerts_firing{of}))",
                    steps=BAD_ABOVE_ZERO,
                ),
                stat(
                    "Open executions",
                    "Of playbooks.",
                    "max(sum by (instance) (triarch_executions_open{of}))",
                    steps=((None, "blue"),),
                ),
            ),
        ),
        Row(
            "Components",
            (
                lines(
                    "By state",
                    "As the cluster agrees on it.",
                    ("max by (state) (triarch_components{of})", "{{state}}"),
                    width=12,
                    stacked=True,
                ),
                lines(
                    "Supervision",
                    "What is under way, and restarts that count against limits.",
                    ("max by (purpose) (triarch_supervision_runs{of})", "{{purpose}}"),
                    ("max(triarch_components_restarts_in_window{of})", "restarts in window"),
                    width=12,
                ),
                lines(
                    "Kept out",
                    "In maintenance, or given up.",
                    ("max(triarch_components_in_maintenance{of})", "maintenance"),
                    ("max(triarch_components_given_up{of})", "given up"),
                    width=12,
                ),
                lines(
                    "Histories",
                    "Memory of the leader's, and samples that found no room.",
                    ("max(triarch_history_series{of})", "series"),
                    ("sum(rate(triarch_history_refused_total{of}[5m]))", "refused a second"),
                    width=12,
                ),
            ),
        ),
        Row(
            "Alerts of the plant",
            (
                lines(
                    "That fire",
                    "By severity.",
                    ("max by (severity) (triarch_alerts_firing{of})", "{{severity}}"),
                    stacked=True,
                ),
                lines(
                    "Nobody looks after",
                    "By severity.",
                    ("max by (severity) (triarch_alerts_unacknowledged{of})", "{{severity}}"),
                    stacked=True,
                ),
                lines("Silenced", "By severity.", ("max by (severity) (triarch_alerts_silenced{of})", "{{severity}}")),
            ),
        ),
        Row(
            "Playbooks",
            (
                lines(
                    "Executions",
                    "That have not ended.",
                    ("max by (status) (triarch_executions_open{of})", "{{status}}"),
                    stacked=True,
                ),
                lines(
                    "Steps",
                    "Ended, each second, by how.",
                    ("sum by (status) (rate(triarch_steps_total{of}[5m]))", "{{status}}"),
                    unit="ops",
                    stacked=True,
                ),
                lines(
                    "What the leader takes for a step",
                    "Without waiting and the work of components.",
                    *(
                        (
                            quantile(share, "triarch_step_overhead_seconds"),
                            name,
                        )
                        for share, name in ((0.5, "half"), (0.99, "99 %"))
                    ),
                    unit="s",
                ),
            ),
        ),
    ),
)
