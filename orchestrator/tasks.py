"""Ending tasks, in the way that the frame buffer does."""

from framebuffer.tasks import cancelled

__all__ = ["cancelled"]
