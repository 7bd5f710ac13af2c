"""Predictions over HTTP: every form of request, both forms of answer, and the model's own labels."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

NAMES = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.3, 3.3, 6.0, 2.5]]
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": NAMES, "data": ROWS}},
        {"dataframe_split": {"columns": NAMES, "index": ["a", "b", "c"], "data": ROWS}},
        {"dataframe_split": {"data": ROWS}},
        {"dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in ROWS]}},
        {"dataframe_split": {"columns": ["id", *NAMES], "data": [["x", *row] for row in ROWS]}},
        {"dataframe_records": RECORDS},
        {"dataframe_records": [dict(reversed(record.items())) for record in RECORDS]},
        {"dataframe_records": [{"id": None, **record} for record in RECORDS]},
        {"instances": ROWS},
        {"instances": RECORDS},
        {"inputs": ROWS},
        {"inputs": RECORDS},
        {"inputs": {name: [record[name] for record in RECORDS] for name in NAMES}},
        {"instances": ROWS, "params": {}},
        {"instances": ROWS, "params": None},
        ROWS,
        RECORDS,
    ],
)
def test_every_form_of_json_gets_the_same_predictions(tree: Any, document: Any) -> None:
    answer = tree.invoke(document)
    assert answer.predictions == [0, 1, 2]
    assert answer.content_type == "application/json"


def test_an_answer_names_the_version_it_is_from_and_a_refusal_names_none(tree: Any) -> None:
    assert tree.invoke(ROWS).served == "iris/7"
    assert tree.invoke("no rows").served == ""


def test_an_object_of_single_values_is_one_row(tree: Any) -> None:
    assert tree.invoke({"inputs": RECORDS[1]}).predictions == [1]


@pytest.mark.parametrize(
    "text",
    [
        "5.1,3.5,1.4,0.2\n6.0,2.9,4.5,1.5\n6.3,3.3,6.0,2.5\n",
        "5.1,3.5,1.4,0.2\r\n6.0,2.9,4.5,1.5\r\n\r\n6.3,3.3,6.0,2.5",
        '"5.1", 3.5 ,1.4e0,.2\n6,2.9,4.5,1.5\n6.3,3.3,6.0,2.5',
        pd.DataFrame(ROWS, columns=NAMES).to_csv(index=False),
        "\ufeff" + pd.DataFrame(ROWS, columns=NAMES)[NAMES[::-1]].to_csv(),
    ],
)
def test_csv_with_and_without_a_header_gets_the_same_predictions(tree: Any, text: str) -> None:
    assert tree.invoke(text, "text/csv").predictions == [0, 1, 2]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"]
)
def test_a_content_type_may_carry_its_character_set(tree: Any, content_type: str) -> None:
    assert tree.invoke(ROWS, content_type).predictions == [0, 1, 2]


def test_the_header_parameter_of_csv_is_believed(regressor: Any) -> None:
    text = "a,b,c\n5.1,3.5,1.4"
    assert len(regressor.invoke(text, "text/csv").predictions) == 1
    assert len(regressor.invoke(text, "text/csv; header=present").predictions) == 1
    assert regressor.invoke(text, "text/csv; header=absent").status == 400


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv, application/json;q=0.5", "text/csv"),
        ("text/csv;q=0.1, */*", "application/json"),
        ("image/png, */*;q=0.1", "application/json"),
    ],
)
def test_the_answer_has_the_form_that_was_asked_for(tree: Any, accept: str | None, content_type: str) -> None:
    answer = tree.invoke(ROWS, accept=accept)
    assert (answer.status, answer.content_type) == (200, content_type)
    expected = b"0\n1\n2\n" if content_type == "text/csv" else b'{"predictions":[0,1,2]}'
    assert answer.body == expected


def test_a_pipeline_gets_its_columns_by_name_and_answers_with_its_own_words(
    pipeline: Any, pipeline_model: Path, customers: pd.DataFrame
) -> None:
    expected = mlflow.sklearn.load_model(str(pipeline_model)).predict(customers).tolist()
    assert set(expected) == {"gold", "silver"}
    records = json.loads(customers.to_json(orient="records", force_ascii=False))
    assert pipeline.invoke({"dataframe_records": records}).predictions == expected
    shuffled = [dict(reversed(record.items())) for record in records]
    assert pipeline.invoke({"instances": shuffled}).predictions == expected
    assert pipeline.invoke([list(record.values()) for record in records]).predictions == expected
    assert pipeline.invoke(customers.to_csv(index=False), "text/csv").predictions == expected
    in_csv = pipeline.invoke({"dataframe_records": records}, accept="text/csv").body.decode()
    assert [line[0] for line in csv.reader(io.StringIO(in_csv))] == expected


def test_a_column_that_need_not_be_there_may_be_null_or_left_out(pipeline: Any) -> None:
    record = {"age": 70, "income": None, "city": "Graz", "member": True}
    expected = pipeline.invoke([record]).predictions
    assert pipeline.invoke([{**record, "income": float("nan")}]).predictions == expected
    del record["income"]
    assert pipeline.invoke([record]).predictions == expected
    assert pipeline.invoke("age,city,member\n70,Graz,true", "text/csv").predictions == expected


def test_a_regressor_answers_with_the_same_numbers_as_in_this_process(regressor: Any, regressor_model: Path) -> None:
    rows = np.random.default_rng(3).uniform(0, 8, (50, 3))
    expected = mlflow.sklearn.load_model(str(regressor_model)).predict(rows)
    assert np.array_equal(regressor.invoke({"inputs": rows.tolist()}).predictions, expected)
    in_csv = regressor.invoke(rows.tolist(), accept="text/csv").body.decode()
    assert np.array_equal(np.loadtxt(io.StringIO(in_csv), delimiter=","), expected)


def test_thousands_of_rows_get_the_predictions_of_this_process(tree: Any, tree_model: Path) -> None:
    rows = np.random.default_rng(5).uniform(0, 8, (20_000, 4))
    expected = mlflow.sklearn.load_model(str(tree_model)).predict(pd.DataFrame(rows, columns=NAMES))
    assert tree.invoke({"inputs": rows.tolist()}).predictions == expected.tolist()


def test_a_model_that_predicts_in_threads_answers_from_each_of_several_processes(
    own_server: Any, until_ready: Any, boosting_model: Path, iris: tuple[pd.DataFrame, pd.Series]
) -> None:
    server = own_server(boosting_model, workers=2)
    until_ready(server)
    expected = mlflow.sklearn.load_model(str(boosting_model)).predict_proba(iris[0])
    rows = iris[0].to_numpy().tolist()
    answers = [server.invoke({"inputs": rows}).predictions for _ in range(10)]
    assert all(np.allclose(answer, expected) for answer in answers)
    in_csv = server.invoke(rows, accept="text/csv").body.decode()
    assert np.allclose(np.loadtxt(io.StringIO(in_csv), delimiter=","), expected)


def test_whole_numbers_are_taken_for_doubles_and_whole_doubles_for_longs(tree: Any, pipeline: Any) -> None:
    assert tree.invoke([[5, 3, 1, 0]]).predictions == [0]
    as_long = pipeline.invoke([[70, 1.0, "Graz", True]]).predictions
    assert pipeline.invoke([[70.0, 1, "Graz", True]]).predictions == as_long


def test_ping_answers_200(tree: Any) -> None:
    assert tree.ask("GET", "/ping").status == 200
