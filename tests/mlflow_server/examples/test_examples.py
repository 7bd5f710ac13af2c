"""Every example runs to its end against PostgreSQL and the object store, and says what its page promises."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient

EXAMPLES = Path(__file__).parents[3] / "mlflow-server" / "examples"
Example = Callable[..., subprocess.CompletedProcess[str]]
Refusal = Callable[..., str]


def test_a_comparison_before_the_grid_says_to_run_it_first(refusal: Refusal, tmp_path: Path) -> None:
    assert "run `python iris_grid.py` first" in refusal("iris_compare.py", "--experiment", "no-such-grid")
    assert list(tmp_path.iterdir()) == []


def test_an_experiment_that_lies_elsewhere_is_not_said_to_lie_here(refusal: Refusal, client: MlflowClient) -> None:
    client.create_experiment("wine-elsewhere")
    said = refusal("wine/experiment.py", "--name", "wine-elsewhere", "--artifact-location", "s3://mlflow/else")
    assert "keeps its artifacts in mlflow-artifacts:/" in said


def test_a_registry_walk_leaves_a_model_of_that_name_alone(refusal: Refusal, client: MlflowClient) -> None:
    client.create_registered_model("precious-renamed")
    assert "There is a registered model precious-renamed" in refusal("registry.py", "--name", "precious")
    assert client.get_registered_model("precious-renamed")


def test_a_file_that_lacks_a_column_is_refused_by_the_columns_name(refusal: Refusal, tmp_path: Path) -> None:
    header, *wines = (EXAMPLES / "wine" / "wine-quality.csv").read_text().splitlines()
    (tmp_path / "wines.csv").write_text("\n".join([header.replace("alcohol", "strength"), *wines]))
    assert "lacks the columns alcohol" in refusal("wine/train.py", "--data", str(tmp_path / "wines.csv"))


def test_a_model_is_not_served_on_a_port_in_use(refusal: Refusal) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"Port {port} is in use" in refusal("wine/serve.py", "--model-uri", "s3://mlflow/none", "--port", port)


def test_the_first_run_logs_a_parameter_a_metric_and_a_file(program: Example, client: MlflowClient) -> None:
    done = program("hello.py")
    assert done.returncode == 0, done.stderr
    assert "request_header" not in done.stderr
    run = client.get_run(_said(done, "run"))
    assert run.data.params == {"sides": "6"}
    assert len(client.get_metric_history(run.info.run_id, "throw")) == 3
    assert "hello world!" in done.stdout.splitlines()


def test_many_metrics_are_all_there_once_the_script_ends(example: Example, client: MlflowClient) -> None:
    done = example("many_metrics.py", "--steps", "25", "--metrics", "90")
    assert done.returncode == 0, done.stderr
    experiment = client.get_experiment_by_name("many-metrics")
    (run,) = client.search_runs([experiment.experiment_id], max_results=1)
    assert len(run.data.metrics) == 90
    for name in ("loss/layer_000", "loss/layer_089"):
        assert [it.step for it in client.get_metric_history(run.info.run_id, name)] == list(range(25))


def test_the_grid_has_a_hundred_runs_and_the_query_finds_four_leaves(
    example: Example, client: MlflowClient, tmp_path: Path
) -> None:
    grid = example("iris_grid.py")
    assert grid.returncode == 0, grid.stderr
    assert len(client.search_runs([client.get_experiment_by_name("iris-grid").experiment_id])) == 100

    compared = example("iris_compare.py", "--picture", "runs.png")
    assert compared.returncode == 0, compared.stderr
    assert "best leaf_nodes: 4 " in compared.stdout
    assert "too shallow for it even so: max_depth 1, 2" in compared.stdout
    picture = (tmp_path / "runs.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000


def test_the_wine_project_logs_to_its_own_place_in_s3_and_is_served_from_there(
    example: Example, program: Example, client: MlflowClient, postgres_home: Path
) -> None:
    assert "experiment wine: s3://mlflow/wine" in example("wine/experiment.py").stdout

    # By its MLproject, as `mlflow run` reads it for everyone.
    ran = program(
        *("mlflow", "run", str(EXAMPLES / "wine"), "--env-manager", "local"),
        *("-P", "alpha=0.1", "--experiment-name", "wine"),
    )
    assert ran.returncode == 0, ran.stderr
    run = client.get_run(_said(ran, "run"))
    assert run.info.status == "FINISHED"
    assert run.data.params["alpha"] == "0.1"
    assert {"rmse", "mae", "r2"} <= set(run.data.metrics)
    place = _said(ran, "model")
    assert place.startswith("s3://mlflow/wine/models/m-")
    assert (postgres_home / "objects/data" / place.removeprefix("s3://") / "MLmodel").is_file()

    loaded = example("wine/load.py")
    assert loaded.returncode == 0, loaded.stderr
    assert _said(loaded, "model") == place
    predictions = re.findall(r"predicted ([\d.]+)", loaded.stdout)
    assert len(predictions) == 3

    port = _free_port()
    served = example("wine/serve.py", "--port", str(port))
    assert served.returncode == 0, served.stderr
    assert f"serving {place}" in served.stdout
    (answered,) = json.loads(served.stdout.splitlines()[-1])["predictions"]
    assert f"{answered:.2f}" == predictions[0]
    # MLflow's command has a process of its own for the server, which ends a moment later.
    deadline = time.monotonic() + 30
    while _listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_registry_walk_names_each_step_and_leaves_no_model(example: Example, client: MlflowClient) -> None:
    done = example("registry.py", "--name", "walked")
    assert done.returncode == 0, done.stderr
    for step in (
        "version 1: registered while it was logged",
        "version 2: registered afterwards",
        "version 3: made by the client",
        "renamed: walked is walked-renamed now",
        "versions found: 3, 2, 1",
        "validated: version 3",
        "production: version 3, 4 leaves",
        "version 1 deleted, left: 2, 3",
        "walked-renamed deleted, left: 0 models",
    ):
        assert step in done.stdout
    assert client.search_registered_models("name LIKE 'walked%'") == []


def test_the_shipped_wines_are_those_that_the_script_makes() -> None:
    shipped = EXAMPLES / "wine" / "wine-quality.csv"
    make = "import sys, wines; wines.made().to_csv(sys.stdout, index=False)"
    made = subprocess.run(
        [sys.executable, "-c", make], cwd=shipped.parent, capture_output=True, text=True, timeout=60, check=True
    )
    assert made.stdout == shipped.read_text()
    header, *rows = made.stdout.splitlines()
    assert header.count(",") == 11
    assert len(rows) == 800


def _said(done: subprocess.CompletedProcess[str], name: str) -> str:
    """What a script printed after `name: `."""
    found = re.search(rf"^{name}: (\S+)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return found[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
