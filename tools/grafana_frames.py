"""The dashboard of frames, and the server between."""

from tools.grafana_panels import BAD_ABOVE_ZERO, Board, Row, lines, stat

__all__ = ["FRAMES"]

FRAMES = Board(
    "frames",
    "Triarch: frames",
    "From the cameras to the processors, and the server between.",
    (
        Row(
            "Now",
            (
                stat(
                    "Dispatched",
                    "Frames a second.",
                    'sum(rate(frame_buffer_frames_routed_total{result="routed", of}[1m]))',
                    unit="ops",
                    steps=((None, "blue"),),
                ),
                stat(
                    "Backpressure",
                    "0 normal, 1 low, 2 high, 3 critical.",
                    "max(frame_buffer_backpressure_level{of})",
                    steps=((None, "green"), (2.0, "orange"), (3.0, "red")),
                ),
                stat(
                    "Oldest frame",
                    "In any place.",
                    "max(frame_buffer_oldest_frame_age_seconds{of})",
                    unit="s",
                    steps=((None, "green"), (5.0, "orange"), (60.0, "red")),
                ),
                stat(
                    "Ledger",
                    "What its figures differ by; 0: exact.",
                    "max(frame_buffer_ledger_difference{of})",
                    steps=BAD_ABOVE_ZERO,
                ),
                stat(
                    "Dead letters",
                    "Frames that were given up.",
                    "max(frame_buffer_dead_letters{of})",
                    steps=BAD_ABOVE_ZERO,
                ),
                stat(
                    "Capabilities nobody offers",
                    "And that frames wait for.",
                    "max(frame_buffer_unserved_capabilities{of})",
                    steps=BAD_ABOVE_ZERO,
                ),
            ),
        ),
        Row(
            "Flow",
            (
                lines(
                    "Frames by processor",
                    "Given to its queue, each second.",
                    (
                        'sum by (processor_id) (rate(frame_buffer_frames_routed_total{result="routed", of}[1m]))',
                        "{{processor_id}}",
                    ),
                    unit="ops",
                    stacked=True,
                ),
                lines(
                    "Frames by camera",
                    "The twenty busiest.",
                    ("topk(20, sum by (camera_id) (rate(frame_buffer_frames_routed_total{of}[1m])))", "{{camera_id}}"),
                    unit="ops",
                    stacked=True,
                ),
                lines(
                    "Put aside",
                    "Nobody could take them then.",
                    ('sum(rate(frame_buffer_frames_routed_total{result="parked", of}[1m]))', "parked"),
                    unit="ops",
                ),
                lines(
                    "From publish to result",
                    "Of the last ten seconds, waiting and work included.",
                    *(
                        (f'max(frame_buffer_frame_latency_seconds{{share="{share}", of}})', name)
                        for share, name in (("0.5", "half"), ("0.95", "95 %"), ("0.99", "99 %"))
                    ),
                    unit="s",
                ),
                lines(
                    "Dispatch call",
                    "A whole batch, with the way to the server and back.",
                    *(
                        (
                            (
                                f"histogram_quantile({share}, sum by (le) "
                                "(rate(frame_buffer_routing_duration_seconds_bucket{of}[5m])))"
                            ),
                            name,
                        )
                        for share, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))
                    ),
                    unit="s",
                ),
                lines(
                    "Frames in a call",
                    "On average, of calls that moved any.",
                    (
                        (
                            "sum(rate(frame_buffer_dispatch_batch_size_sum{of}[1m])) / "
                            "sum(rate(frame_buffer_dispatch_batch_size_count{of}[1m]))"
                        ),
                        "frames",
                    ),
                ),
                lines(
                    "Dropped by cameras",
                    "By reason, since the ledger began.",
                    ("max by (reason) (frame_buffer_frames_dropped{of})", "{{reason}}"),
                ),
            ),
        ),
        Row(
            "Waiting",
            (
                lines(
                    "Age",
                    "Of the next frame in each place.",
                    ("max by (place) (frame_buffer_oldest_frame_age_seconds{of})", "{{place}}"),
                    unit="s",
                ),
                lines(
                    "In queues",
                    "Waiting and in work.",
                    ("max by (processor_id) (frame_buffer_processor_queue_depth{of})", "{{processor_id}}"),
                    stacked=True,
                ),
                lines(
                    "In lanes",
                    "Nobody can take them now.",
                    ("max by (capability) (frame_buffer_frames_waiting{of})", "{{capability}}"),
                    stacked=True,
                ),
                lines(
                    "Breakers",
                    "0 closed, 1 half open, 2 open.",
                    ("max by (processor_id) (frame_buffer_breaker_state{of})", "{{processor_id}}"),
                ),
                lines(
                    "Lost, and off",
                    "Both 0 while the ledger is exact.",
                    ("max(frame_buffer_frames_lost{of})", "lost"),
                    ("max(frame_buffer_ledger_difference{of})", "difference"),
                ),
                lines(
                    "Fenced calls",
                    "In five minutes: of leaders that were deposed.",
                    ("increase(frame_buffer_fenced_calls_total{of}[5m])", "{{instance}}"),
                ),
            ),
        ),
        Row(
            "Redis",
            (
                lines("Answers", "1 while it does, to each node.", ("triarch_redis_up{of}", "{{instance}}")),
                lines("Replicas", "In step with the primary.", ("max(triarch_redis_replicas{of})", "replicas")),
                lines(
                    "Behind",
                    "The replica that is furthest.",
                    ("max(triarch_redis_replica_lag_bytes{of})", "lag"),
                    unit="bytes",
                ),
                lines(
                    "Memory",
                    "Used, and the limit where there is one.",
                    ("max(triarch_redis_memory_bytes{of})", "used"),
                    ("max(triarch_redis_memory_max_bytes{of}) > 0", "limit"),
                    unit="bytes",
                ),
                lines(
                    "Keeps what it is given",
                    "1 while the append-only file is written.",
                    (
                        "min(triarch_redis_persistence_ok{of} and on (instance) triarch_redis_up{of} == 1)",
                        "persistence",
                    ),
                ),
                lines(
                    "Outages",
                    "Times that dispatch lost it, in an hour.",
                    ("sum(increase(frame_buffer_redis_outages_total{of}[1h]))", "outages"),
                ),
            ),
        ),
    ),
)
