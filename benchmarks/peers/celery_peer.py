"""Celery on Redis, as its guide on optimizing says for many short tasks.

- `worker_prefetch_multiplier=128`: "if you have many short-running tasks, this number should be large. Say 64, or 128".
- `task_ignore_result`, no result backend, or Redis as the backend, a result for each task; rate limits, events,
  gossip, mingle and heartbeats off: nothing needs them.
- `task_acks_late`: acknowledged after the work, as all others here do; by default Celery acknowledges before.
- Three processes with the solo pool, which runs tasks in the process that reads them: faster here than prefork, whose
  parent reads for all children and pipes each task to them.
- The producer keeps one connection of the pool for all messages.
"""

from typing import Any

from benchmarks.peers.peer import RESULT, Peer, payload

PREFETCH = 128


class Celery(Peer):
    """Tasks through kombu's lists: LPUSH, BRPOP, and a hash of what is not acknowledged."""

    results = False

    def connect(self) -> Any:
        """The application."""
        import celery
        import redis

        self.redis: Any = redis.Redis.from_url(self.place.redis)
        backend = self.place.redis if self.results else None
        app = celery.Celery("peers", broker=self.place.redis, backend=backend, set_as_current=True)
        app.conf.update(
            broker_connection_retry_on_startup=True,
            task_acks_late=True,
            task_ignore_result=not self.results,
            worker_disable_rate_limits=True,
            worker_enable_remote_control=False,
            worker_prefetch_multiplier=PREFETCH,
            worker_redirect_stdouts=False,  # what this process says is for the driver, not for the log
            worker_send_task_events=False,
        )
        return app

    def prepare(self) -> None:
        self.app = self.connect()

    def publish(self) -> None:
        def handle(data: str) -> None:
            raise NotImplementedError("the producer only names the task")

        task = self.app.task(handle, name="handle", ignore_result=not self.results)
        with self.app.producer_or_acquire() as producer:
            for number in range(self.place.events):
                task.apply_async((payload(number).decode(),), producer=producer)

    def work(self) -> None:
        from celery.signals import worker_ready

        app = self.connect()
        process = self.process

        def handle(data: str) -> str | None:
            process(data)
            return RESULT if self.results else None

        app.task(handle, name="handle", ignore_result=not self.results)
        worker_ready.connect(lambda **_: self.ready(), weak=False)
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR")
        app.worker_main(["worker", "--pool=solo", "--concurrency=1", f"--hostname=w{self.place.number}@peers", *quiet])

    def outstanding(self) -> int:
        pipe = self.redis.pipeline()
        pipe.llen("celery")
        pipe.hlen("unacked")
        return sum(pipe.execute())


class CeleryResults(Celery):
    """The same, with a result for each."""

    results = True
