"""Whatever stands in the file or the environment: it is taken, or refused in words. Nothing else is ever raised."""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConfigurationInvalid
from tests.orchestrator.config_files import outcome, refused, tree

ON_TMP_PATH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.sampled_from(["n1", "127.0.0.1:1"])
)
KEYS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        ["node", "cluster", "members", "id", "raft", "api", "redis", "url", "data_dir", "secret", "secret_file"]
    ),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=15,
)


@ON_TMP_PATH
@given(TREES)
@example({"node": {"id": 1}, "cluster": {"members": [[]]}})
@example({"node": {"id": "n1", "data_dir": "d"}, "cluster": {"members": [None]}})
def test_any_tree_is_taken_or_refused_in_words(tmp_path: Path, content: Any) -> None:
    found = outcome(tmp_path, yaml.safe_dump(content))
    if isinstance(found, ConfigurationInvalid):
        assert found.problems
        assert all(problem.message and problem.where for problem in found.problems)


@ON_TMP_PATH
@given(
    st.one_of(st.binary(), st.text().map(str.encode), st.text("{}[]:,-&*!|>'\"#%@ \nab", max_size=40).map(str.encode))
)
def test_any_bytes_are_taken_or_refused_in_words(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path, content)


@ON_TMP_PATH
@given(
    st.dictionaries(
        st.sampled_from(
            ["TRIARCH_CLUSTER__MEMBERS", "TRIARCH_API__TOKEN", "TRIARCH_REDIS__PORT", "TRIARCH_NODE__DATA_DIR"]
        ),
        st.text(),
    )
)
def test_any_variable_is_taken_or_refused_in_words(tmp_path: Path, environment: dict[str, str]) -> None:
    found = outcome(tmp_path, tree(), environment)
    if isinstance(found, ConfigurationInvalid):
        assert {problem.where for problem in found.problems} <= set(environment)
