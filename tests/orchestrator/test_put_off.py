"""What a node puts off so that it answers soon is there when it is needed, and as it would have been."""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestrator.api.app import build_app
from orchestrator.node import Node
from orchestrator.put_off import CIPHER, LATER, METERS, OLD_MODELS, Rest, loading
from tests.orchestrator.api_nodes import TOKEN, configured, settings

STARTED = f"""
import asyncio, json, sys
from pathlib import Path
from orchestrator.cli.main import main
from orchestrator import put_off
from orchestrator.put_off import Rest, _unbuilt, loading

put_off.TURN_S = 0.0
with Rest() as rest:
    with loading():
        from orchestrator.config import load_config
        from orchestrator.node_process import run
    from pydantic import BaseModel
    from orchestrator.api.app import build_app
    from orchestrator.node import Node
    app = build_app(Node(load_config(Path(sys.argv[1]), {{}})))
    waiting = [adapter for adapter in rest._adapters if not adapter.pydantic_complete]
    unused = ("jwt", "cryptography.x509", {METERS!r}, {CIPHER!r}, {OLD_MODELS!r}, *{LATER!r})
    loaded = [name for name in unused if sys.modules.get(name)]
    document = app.openapi()
    built = asyncio.run(rest.build())
    left = [str(build) for build in _unbuilt(BaseModel)] + [one for one in waiting if not one.pydantic_complete]
missing = [name for name in {LATER!r} if name not in sys.modules]
json.dump(
    {{
        **{{"waiting": len(waiting), "loaded": loaded, "missing": missing}},
        **{{"left": left, "built": built, "document": document}},
    }},
    sys.stdout,
)
"""


@pytest.mark.timeout(180)  # a whole node is loaded twice, and its OpenAPI document written
def test_the_api_is_the_same_when_it_is_asked_before_what_was_put_off_is_built(tmp_path: Path) -> None:
    tree = settings(0, [(7101, 8101), (7102, 8102), (7103, 8103)], tmp_path, 6390, api={"token": TOKEN})
    file = tmp_path / "n1.yaml"
    file.write_text(yaml.safe_dump(tree))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STARTED, str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found = json.loads(done.stdout)
    assert found["waiting"] > 200, "pydantic has other places now: a node is slower to answer"
    assert found["built"] > 50
    assert (found["loaded"], found["left"]) == ([], [])
    assert found["missing"] == [], "what a node loads later has other names now: whoever needs it first waits for it"
    assert found["document"] == json.loads(json.dumps(build_app(Node(configured(tree, tmp_path))).openapi()))


def test_what_is_put_off_is_built_by_whoever_needs_it_first_and_pydantic_is_as_before_afterwards() -> None:
    with Rest() as rest:

        class Inner(BaseModel):
            number: int

        class Outer(BaseModel):
            inner: Inner

        adapter = TypeAdapter(list[Outer])
        assert not Outer.__pydantic_complete__
        assert adapter.validate_python([{"inner": {"number": "3"}}])[0].inner.number == 3
        with pytest.raises(ValidationError, match=r"inner\.number"):
            Outer.model_validate({"inner": {"number": "x"}})
        other = TypeAdapter(dict[str, Inner])
        asyncio.run(rest.build())
        assert other.pydantic_complete

        class Later(BaseModel):
            number: int

        assert Later.__pydantic_complete__, "nothing is put off any more"
    with contextlib.suppress(RuntimeError), Rest():
        raise RuntimeError
    assert TypeAdapter(set[int]).pydantic_complete


def test_what_is_not_loaded_for_a_node_can_be_loaded_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(METERS)]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError), loading():
        __import__(METERS)
    assert METERS not in sys.modules


def test_a_router_of_the_user_has_pydantics_old_models(tmp_path: Path) -> None:
    (tmp_path / "old_router.py").write_text(
        "from pydantic.v1 import BaseModel\n\n\ndef route(frames, processors):\n    return {}\n"
    )
    script = (
        "from orchestrator.put_off import Rest, loading\n"
        "with Rest() as rest:\n"
        "    with loading():\n"
        "        import orchestrator.node_process\n"
        "    from framebuffer.router import load_router\n"
        "    load_router('old_router:route')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_leaves_with_what_is_to_be_done_at_its_end_and_without_taking_itself_apart() -> None:
    script = (
        "import atexit; from orchestrator.interpreter import leave\n"
        "class Kept:\n"
        "    def __del__(self): print('taken apart')\n"
        "kept = Kept(); atexit.register(print, 'end'); print('said'); leave(3)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\nend\n", "")
