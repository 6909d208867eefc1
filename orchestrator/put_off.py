"""What a node need not do before it answers: build the validators of hundreds of models, load what only others use.

A node that is restarted is down until its modules are loaded. A fifth of that time pydantic built validators for bodies
that nobody sends in the first second. Here that is put off, by pydantic's own `defer_build`: who needs a validator
before its turn builds it then and there; `Rest.build` builds the others while the node serves.
"""

import asyncio
import contextlib
import gc
import importlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

log = logging.getLogger(__name__)

METERS = "opentelemetry.sdk.metrics"
"""Loaded by redis where it is to be had, for figures of its own that nobody asks for here."""
CIPHER = "cryptography.fernet"
"""Loaded by pysyncobj, for a transport of its own that the cluster does without."""
OLD_MODELS = "pydantic.v1"
"""Loaded by FastAPI, to refuse models that are made by it; there are none here."""
OWN = ("cluster", "framebuffer", "orchestrator")
LATER = ("uvicorn.protocols.websockets.websockets_sansio_impl", "anyio._backends._asyncio")
"""Loaded once the node serves: for who watches by WebSocket, and what httpx needs when it asks or is closed first."""
TURN_S = 0.001
"""How long requests have between two validators: none takes more than some tens of milliseconds to build."""


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """For importing a node's modules: no garbage is looked for, and what nobody here needs is not loaded."""
    gc.disable()  # imports allocate much and free little: a sixth of the time went into looking for garbage
    try:
        with _without(METERS), _without(CIPHER), without_old_models():
            yield
        gc.freeze()
    finally:
        gc.enable()


def without_old_models() -> contextlib.AbstractContextManager[None]:
    """For making the API: FastAPI does without pydantic's old models. A user's router may need them."""
    return _without(OLD_MODELS)


@contextlib.contextmanager
def _without(module: str) -> Iterator[None]:
    """Importing `module` fails, as if it were not installed; nothing, where it is loaded already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(module, None)


class Rest:
    """Within the block, until `build`, pydantic puts off every validator; here is what is still to be built.

    What it sets in pydantic has no public name for all models at once, FastAPI's among them. Where a version of it has
    these places no more, validators are built as they come, which is slower and nothing else.
    """

    def __init__(self) -> None:
        self._adapters: list[Any] = []
        self._as_before = contextlib.ExitStack()

    def __enter__(self) -> Self:
        from pydantic import TypeAdapter, main
        from pydantic import warnings as said
        from pydantic._internal import _config

        defaults = getattr(_config, "config_defaults", {})
        if "defer_build" not in defaults or not isinstance(getattr(TypeAdapter, "_defer_build", None), property):
            return self
        if not hasattr(main, "_rebuild_lock"):
            return self  # two threads that need the same validator at once could disturb each other
        # FastAPI keeps this one from being said around each adapter that it makes; now they are built elsewhere.
        if (unused := getattr(said, "UnsupportedFieldAttributeWarning", None)) is not None:
            warnings.filterwarnings("ignore", category=unused)
        self._as_before.callback(setattr, TypeAdapter, "_defer_build", TypeAdapter._defer_build)
        self._as_before.callback(defaults.__setitem__, "defer_build", defaults["defer_build"])
        TypeAdapter._defer_build = property(self._note)  # type: ignore[assignment]
        defaults["defer_build"] = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._as_before.close()

    async def build(self) -> int:
        """Build what nobody needed yet, and let the loop turn between any two; how many there were.

        FastAPI's own models stay as they are: they are for the OpenAPI document, which is made on demand.
        """
        from pydantic import BaseModel

        self._as_before.close()
        for name in LATER:
            await asyncio.sleep(TURN_S)
            with contextlib.suppress(ImportError):  # another version of these has it elsewhere, and loads it by itself
                importlib.import_module(name)
        adapters, self._adapters = self._adapters, []
        built = 0
        for build in (*_unbuilt(BaseModel), *[adapter.rebuild for adapter in adapters]):
            done = build(raise_errors=False)
            if done:
                built += 1
                await asyncio.sleep(TURN_S)
            elif done is False:
                log.error("the validator of %r cannot be built: requests that need it fail", build.__self__)
        return built

    def _note(self, adapter: Any) -> bool:
        """Asked once by each type adapter that is made: whether its validator is put off."""
        self._adapters.append(adapter)
        return True


def _unbuilt(model: Any) -> Iterator[Callable[..., bool | None]]:
    """`model_rebuild` of each class below `model` that is the product's."""
    for one in model.__subclasses__():
        if one.__module__.partition(".")[0] in OWN and not one.__pydantic_complete__:
            yield one.model_rebuild
        yield from _unbuilt(one)
