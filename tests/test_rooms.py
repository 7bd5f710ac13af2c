"""The house plan, kept by looking: who may import whom, and who may know that there is a local mode."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "model_build": ROOT / "model-build",
    "model_deploy": ROOT / "model-deploy",
    "mlflow_server": ROOT / "mlflow-server",
    "local_aws": ROOT / "local-aws",
}
SDKS = {"boto3", "botocore", "sagemaker"}


def imports(folder: Path) -> dict[str, set[str]]:
    """The top-level names that each file below a folder imports."""
    found = {}
    for path in folder.rglob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module.partition(".")[0])
        found[str(path.relative_to(ROOT))] = names
    assert found
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_a_sibling(room: str) -> None:
    siblings = {"demo", "benchmarks", *ROOMS} - {room}
    assert {path: names & siblings for path, names in imports(ROOMS[room]).items() if names & siblings} == {}


@pytest.mark.parametrize("room", ["model_build", "model_deploy"])
def test_the_product_does_not_know_of_a_local_mode(room: str) -> None:
    for path in ROOMS[room].rglob("*.py"):
        text = path.read_text()
        for word in ("AWS_ENDPOINT_URL", "endpoint_url", "local_aws", "localhost"):
            assert word not in text, f"{path.relative_to(ROOT)} knows {word}"


@pytest.mark.parametrize("folder", ["model-build/source", "model-deploy/serving"])
def test_code_that_runs_in_containers_imports_no_sdk(folder: str) -> None:
    # A secret must not travel in a job's description, so the job asks for it itself.
    asks_for_a_secret = {"model-build/source/mlflow_account.py": {"boto3", "botocore"}}
    assert {path: names & SDKS for path, names in imports(ROOT / folder).items() if names & SDKS} == (
        asks_for_a_secret if folder == "model-build/source" else {}
    )


def test_the_lock_pins_by_hash_and_names_no_index() -> None:
    for name in ("requirements.lock", "requirements-uv.lock", "requirements-scan.lock"):
        text = (ROOT / name).read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index" not in text
