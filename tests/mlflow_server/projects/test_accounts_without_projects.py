"""Users of a server without projects: what is one's own is not another's, wherever it is said to lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import ATTACHMENT, MARK, Cli, Neighbours, account_of, made_by

API, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"


@pytest.fixture(scope="module")
def colleagues(postgres_home: Path, cli: Cli) -> Neighbours:
    """Two users of one server; anna made things and marked them."""
    anna, bert = (
        account_of(postgres_home, cli(postgres_home, "create-user", name).stdout, name, None)
        for name in ("anna", "bert")
    )
    return Neighbours(postgres_home, anna, made_by(anna, MARK), bert, made_by(bert, "beta"))


@pytest.mark.parametrize(
    "place",
    [
        "s3://mlflow/artifacts/{files}",
        "mlflow-artifacts:/{files}",
        "mlflow-artifacts:/x/../{files}",
        "file:///etc",
        "/etc",
    ],
)
def test_no_user_chooses_where_the_server_reads(colleagues: Neighbours, place: str) -> None:
    made, own = colleagues.made, colleagues.own
    place = place.replace("{files}", f"{made.experiment}/{made.run}/artifacts")
    for field in ("artifact_location", "artifactLocation"):
        answer = colleagues.bert.ask("POST", f"{API}/experiments/create", {"name": f"{field}{place}", field: place})
        assert answer.status == 403, answer
        assert "Only an administrator chooses where" in answer.text
    for lineage in ({}, {"run_id": own.run}):
        version = {"name": own.registered, "source": place, **lineage}
        assert colleagues.bert.ask("POST", f"{API}/model-versions/create", version).status in (400, 403)
    colleagues.bert.done("PATCH", f"{V3}/traces/{own.trace}/tags", {"key": "mlflow.artifactLocation", "value": place})
    for path in ("", f"&path={ATTACHMENT}"):
        answer = colleagues.bert.ask("GET", f"/ajax-api/3.0/mlflow/get-trace-artifact?request_id={own.trace}{path}")
        assert answer.status == 403, answer


def test_another_users_things_are_seen_once_they_are_granted_and_no_longer(colleagues: Neighbours, cli: Cli) -> None:
    made, bert = colleagues.made, colleagues.bert
    run, file = f"{API}/runs/get?run_id={made.run}", f"/get-artifact?run_id={made.run}&path=s.txt"
    proxied = f"/api/2.0/mlflow-artifacts/artifacts/{made.experiment}/{made.run}/artifacts/s.txt"
    model = f"/model-versions/get-artifact?name={made.registered}&version=1&path=s.txt"
    for path in (run, file, proxied, model):
        assert bert.ask("GET", path).status == 403, path
    own = colleagues.own
    climbing = f"/api/2.0/mlflow-artifacts/artifacts/{own.experiment}/../{made.experiment}/{made.run}/artifacts/s.txt"
    assert MARK not in bert.ask("GET", climbing).text
    assert MARK not in bert.ask("POST", f"{API}/experiments/search", {"max_results": 1000}).text
    done = cli(colleagues.home, "grant", "bert", "reader", "--experiment", made.registered)
    assert done.returncode == 0, done.stderr
    for path in (run, file, proxied):
        assert bert.ask("GET", path).status == 200, path
    assert bert.ask("GET", model).status == 403
    assert cli(colleagues.home, "grant", "bert", "member", "--model", made.registered).returncode == 0
    assert MARK in bert.ask("GET", model).text
    assert bert.ask("POST", f"{API}/runs/set-tag", {"run_id": made.run, "key": "k", "value": "v"}).status == 403
    for option in ("--experiment", "--model"):
        assert "no more" in cli(colleagues.home, "revoke", "bert", option, made.registered).stdout
    for path in (run, file, proxied, model):
        assert bert.ask("GET", path).status == 403, path


def test_a_model_is_registered_from_ones_own_run_and_place(colleagues: Neighbours, cli: Cli) -> None:
    own, bert = colleagues.own, colleagues.bert
    for source, lineage in (
        (own.location, {"run_id": own.run}),
        (f"runs:/{own.run}/s.txt", {"run_id": own.run}),
        (f"models:/{own.model}", {"model_id": own.model}),
        (f"models:/{own.registered}/1", {}),
    ):
        bert.done("POST", f"{API}/model-versions/create", {"name": own.registered, "source": source, **lineage})
    assert cli(colleagues.home, "grant", "bert", "member", "--model", "unheard-of").returncode == 1


def test_a_grant_names_what_is_not_there_and_says_how_much_it_gave(colleagues: Neighbours, cli: Cli) -> None:
    home = colleagues.home
    for name in ("no-such-experiment", "987654"):
        refused = cli(home, "grant", "bert", "reader", "--experiment", name)
        assert refused.returncode == 1
        assert f"There is no experiment {name} at http://" in refused.stderr
    refused = cli(home, "grant", "bert", "reader", "--project", "wine")
    assert "There is no project wine: " in refused.stderr
    assert "`mlflow-server create-project wine` makes it" in refused.stderr
    cli(home, "create-user", "carla")
    assert "carla was not let into all this server has" in cli(home, "revoke", "carla").stdout
    assert "--experiment or --model grant less" in cli(home, "grant", "carla", "reader").stdout
    assert "no more" in cli(home, "revoke", "carla").stdout
