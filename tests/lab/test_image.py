"""The image is known by what it is made from, is whole before it is used, and has nothing of Triarch."""

import shutil
from pathlib import Path

import pytest

from tests.lab.hosts import image
from tests.lab.hosts.image import PACKAGES, Image, ready_image
from tests.lab.hosts.running import why_not


@pytest.fixture(scope="module")
def whole() -> Image:
    if reason := why_not():
        pytest.skip(reason)
    return ready_image()


def test_an_image_that_is_whole_is_used_again(whole: Image) -> None:
    again = ready_image()
    assert (again.directory, again.fresh) == (whole.directory, False)


def test_another_list_of_packages_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = image.identity()
    monkeypatch.setattr(image, "PACKAGES", (*PACKAGES, "stress-ng"))
    assert image.identity() != before


def test_an_image_is_damaged_when_a_file_is_missing_longer_or_another_ones(whole: Image, tmp_path: Path) -> None:
    # A part of the image is enough, and the image itself stays whole for the other tests.
    copy = tmp_path / "image"
    shutil.copytree(whole.rootfs / "etc/ssh", copy / "rootfs", symlinks=True)
    content = image.content_of(copy / "rootfs")
    (copy / "image.json").write_text(f'{{"built_s": 1.0, "content": "{content}"}}')
    assert image.seconds_if_whole(copy) == 1.0
    settings = copy / "rootfs/sshd_config"
    text = settings.read_text()
    settings.write_text(text + "#")
    assert image.seconds_if_whole(copy) is None
    settings.unlink()
    assert image.seconds_if_whole(copy) is None
    (copy / "image.json").write_text("{")
    assert image.seconds_if_whole(copy) is None


def test_it_has_nothing_of_triarch_and_no_identity(whole: Image) -> None:
    for path in ("opt/triarch", "etc/triarch", "var/lib/triarch", "usr/local/bin/triarch", "etc/machine-id"):
        assert not (whole.rootfs / path).exists()
    assert not list((whole.rootfs / "etc/ssh").glob("ssh_host_*"))
    assert not list((whole.rootfs / "etc/systemd/system").glob("*/redis*"))
