"""The package's public names."""

import subprocess
import sys

import pytest

import framebuffer


@pytest.mark.parametrize("name", framebuffer.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(framebuffer, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        framebuffer.nonsense  # noqa: B018


def test_importing_the_package_loads_neither_redis_nor_pydantic() -> None:
    program = "import framebuffer, sys; print([name for name in ('redis', 'pydantic', 'httpx') if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
