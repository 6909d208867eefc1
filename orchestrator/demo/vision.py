"""The one place that imports OpenCV: quiet, one thread, and a clear error where the `demo` extra is not installed."""

import os
from typing import TYPE_CHECKING, Any

from orchestrator.dev.errors import DemoExtraMissing, FrameUndecodable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]


def opencv() -> Any:
    """Return the module `cv2`. Raises DemoExtraMissing."""
    # FFmpeg and OpenCV write their own lines to standard error for a broken file; our error says it once.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2  # 0.1 s, and only the processes that see images need it
    except ImportError as error:
        raise DemoExtraMissing("OpenCV") from error
    # Every process of the demo shares the machine with a dozen others: a pool of threads each would only thrash.
    cv2.setNumThreads(1)
    return cv2


def decode_gray(payload: bytes) -> "Image":
    """Decode a JPEG (or any image OpenCV knows) to height × width, uint8. Raises FrameUndecodable."""
    import numpy as np  # comes with OpenCV

    cv2 = opencv()
    image: Image | None = None
    if payload:
        image = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FrameUndecodable(len(payload))
    return image
