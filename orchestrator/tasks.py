"""Ending tasks, in the way that the frame buffer does."""

from framebuffer.tasks import cancelled, ended

__all__ = ["cancelled", "ended"]
