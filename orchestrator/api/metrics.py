"""`/metrics` for Prometheus, and the figures of the interface itself."""

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from orchestrator.api.asking import Ask
from orchestrator.api.documented import Responses, problems

router = APIRouter(tags=["health"])

EXPOSITION: Responses = {200: {"content": {"text/plain": {"example": "frame_buffer_backpressure_level 0.0\n"}}}}


@router.get(
    "/metrics", summary="Prometheus metrics of this node", response_class=Response, responses=problems(also=EXPOSITION)
)
async def metrics(ask: Ask, request: Request) -> Response:
    """In Prometheus' text format, or OpenMetrics where `Accept` asks for it. docs/metrics.md lists them."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(ask.node.registry), headers={"Content-Type": content_type})
