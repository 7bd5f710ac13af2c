"""Requests that the endpoint must refuse with a 4xx that names the problem, and survive."""

import json
import random
from typing import Any

import pytest

NAMES = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
ROW = [5.1, 3.5, 1.4, 0.2]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "body is empty"),
        (b" \n ", "body is empty"),
        (b"{", "not JSON"),
        (b"nonsense", "not JSON"),
        (b'[["\xff"]]', "not JSON"),
        (b"[[NaN, 1, 1, 1]]", "is missing a value"),
        (b"[[1, NaN, 1, Infinity]]", "not JSON"),
        (b"[[1, NaN, 1, 1e999]]", "not JSON"),
        (b"[[1, NaN, 1", "not JSON"),
        (b"[" * 20_000 + b"NaN", "not JSON"),
        (b"[[Infinity, 1, 1, 1]]", "not JSON"),
        (b"[[1e999, 1, 1, 1]]", "infinity"),
        (b"[" * 100_000, "depth"),
        (b"[[" + b"[" * 900 + b"]" * 900 + b",1,1,1]]", "Row 0, column"),
        (b'{"instances":' * 5_000, "depth"),
        (b"null", "send a list of rows"),
        (b"5", "send a list of rows"),
        (b'"5"', "send a list of rows"),
    ],
)
def test_a_body_that_holds_no_rows_is_refused(tree: Any, body: bytes, said: str) -> None:
    answer = tree.invoke(body)
    assert (answer.status, said in answer.message) == (400, True), answer.message
    assert len(answer.message) < 600


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "no rows"),
        ({}, "found nothing"),
        ({"rows": [ROW]}, "found 'rows'"),
        ({"instances": [ROW], "inputs": [ROW]}, "found 'instances', 'inputs'"),
        ({"instances": []}, "no rows"),
        ({"instances": "five"}, "must be a list of rows"),
        ({"instances": None}, "must be a list of rows"),
        ({"instances": [ROW, 5]}, "Row 1"),
        ({"instances": [ROW, {"a": 1}]}, "Row 1"),
        ({"dataframe_records": {"a": 1}}, "must be a list of rows"),
        ({"dataframe_records": [dict(zip(NAMES, ROW, strict=True)), None]}, "Row 1"),
        ({"dataframe_split": [ROW]}, "must be an object with `data`"),
        ({"dataframe_split": {"columns": NAMES}}, "must be an object with `data`"),
        ({"dataframe_split": {"columns": NAMES, "data": [ROW], "rows": 1}}, "must be an object with `data`"),
        ({"dataframe_split": {"columns": "abcd", "data": [ROW]}}, "`columns` must be a list of names"),
        ({"dataframe_split": {"columns": [1, 2, 3, 4], "data": [ROW]}}, "`columns` must be a list of names"),
        ({"dataframe_split": {"columns": NAMES, "data": [ROW], "index": [0, 1]}}, "`index`"),
        ({"dataframe_split": {"columns": NAMES, "data": [[1, 2, 3]]}}, "Row 0 has 3 values for 4 named columns"),
        ({"inputs": {NAMES[0]: [1, 2], NAMES[1]: [1]}}, "different lengths"),
        ({"instances": [ROW], "params": {"threshold": 1}}, "takes no params"),
    ],
)
def test_rows_in_none_of_the_forms_are_refused(tree: Any, document: Any, said: str) -> None:
    answer = tree.invoke(document)
    assert (answer.status, said in answer.message) == (400, True), answer.message


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([5.1, 3.5, 1.4], "Row 1 has 3 values; the model takes 4 columns: sepal length (cm), "),
        ([5.1, 3.5, 1.4, 0.2, 9], "Row 1 has 5 values"),
        ([], "Row 1 has 0 values"),
        ([5.1, 3.5, 1.4, "0.2"], "Row 1, column 'petal width (cm)' is '0.2', not of type double"),
        ([5.1, 3.5, True, 0.2], "Row 1, column 'petal length (cm)' is True, not of type double"),
        ([5.1, 3.5, [1.4], 0.2], "Row 1, column 'petal length (cm)' is [1.4]"),
        ([5.1, 3.5, {"a": 1}, 0.2], "Row 1, column 'petal length (cm)' is {'a': 1}"),
        ([5.1, None, 1.4, 0.2], "Row 1, column 'sepal width (cm)' is missing a value"),
        ([5.1, 1e300, 1.4, 0.2], "too large for dtype('float32')"),
    ],
)
def test_a_row_that_breaks_the_signature_is_named_by_row_column_and_value(tree: Any, row: list[Any], said: str) -> None:
    answer = tree.invoke([ROW, row])
    assert (answer.status, said in answer.message) == (400, True), answer.message


def test_missing_columns_are_named_beside_the_ones_that_were_sent(tree: Any) -> None:
    answer = tree.invoke({"dataframe_split": {"columns": [*NAMES[:3], "petal widht (cm)"], "data": [ROW]}})
    assert answer.status == 400
    assert "Columns are missing: petal width (cm). Not in the signature: 'petal widht (cm)'." in answer.message


def test_a_record_without_a_column_that_others_have_is_refused(tree: Any) -> None:
    whole = dict(zip(NAMES, ROW, strict=True))
    answer = tree.invoke({"dataframe_records": [whole, {NAMES[0]: 1.0}]})
    assert (answer.status, "Row 1, column 'sepal width (cm)' is missing" in answer.message) == (400, True)


def test_a_column_named_twice_is_refused(tree: Any) -> None:
    answer = tree.invoke({"dataframe_split": {"columns": [*NAMES, NAMES[0]], "data": [[*ROW, 1.0]]}})
    assert (answer.status, answer.message) == (400, "A column is named twice: sepal length (cm).")


def test_a_single_row_that_is_not_in_a_list_says_how_to_send_it(tree: Any) -> None:
    answer = tree.invoke(ROW)
    assert (answer.status, "one row alone is a list in a list" in answer.message) == (400, True)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([30.5, 1.0, "Graz", True], "30.5, not a whole number"),
        ([2**63, 1.0, "Graz", True], "too large for type long"),
        ([1e19, 1.0, "Graz", True], "too large for type long"),
        ([None, 1.0, "Graz", True], "column 'age' is missing a value"),
        ([30, "much", "Graz", True], "column 'income' is 'much'"),
        ([30, 1.0, 7, True], "column 'city' is 7, not of type string"),
        ([30, 1.0, None, True], "column 'city' is missing a value"),
        ([30, 1.0, "Graz", 1], "column 'member' is 1, not of type boolean"),
        ([30, 1.0, "Graz", "yes"], "column 'member' is 'yes', not of type boolean"),
    ],
)
def test_each_type_of_column_refuses_what_it_cannot_hold(pipeline: Any, row: list[Any], said: str) -> None:
    answer = pipeline.invoke([row])
    assert (answer.status, said in answer.message) == (400, True), answer.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\n\n", "empty"),
        (b"\xff\xfe1,2,3,4", "not UTF-8"),
        (b'"5.1,3.5,1.4,0.2', "not CSV"),
        (b"5.1,3.5,1.4", "Row 0 has 3 values"),
        (b"5.1,3.5,1.4,\n", "missing a value"),
        (b"5.1,3.5,1.4,nan\n", "missing a value"),
        (b"5.1,3.5,1.4,inf\n", "is infinite"),
        (b"5.1,3.5,1.4,1_0\n", "'1_0', not of type double"),
        (b"5.1,3.5,1.4,wide\n", "'wide', not of type double"),
        (b"5.1,3.5,1.4," + b"9" * 200_000, "not CSV: field larger"),
        (b",".join(name.encode() for name in NAMES), "no rows"),
        (b",".join(name.encode() for name in NAMES[1:]) + b"\n1,2,3", "Columns are missing: sepal length (cm)"),
    ],
)
def test_csv_that_breaks_the_signature_is_refused(tree: Any, text: bytes, said: str) -> None:
    answer = tree.invoke(text, "text/csv")
    assert (answer.status, said in answer.message) == (400, True), answer.message


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/octet-stream",
        "application/x-npy",
        "text/html",
        "nonsense",
        "application/json; charset=utf-16",
    ],
)
def test_another_content_type_is_refused_with_the_ones_that_are_served(tree: Any, content_type: str | None) -> None:
    answer = tree.invoke([ROW], content_type)
    assert answer.status == 415
    assert "application/json" in answer.message or "send UTF-8" in answer.message


@pytest.mark.parametrize("accept", ["application/x-npy", "text/html, image/*", "application/json;q=0", "*/*;q=0"])
def test_an_accept_that_allows_neither_form_is_refused_with_the_two(tree: Any, accept: str) -> None:
    answer = tree.invoke([ROW], accept=accept)
    assert (answer.status, "application/json or text/csv" in answer.message) == (406, True)


def test_a_body_over_the_limit_of_a_real_time_endpoint_is_refused_with_the_limit(tree: Any) -> None:
    answer = tree.invoke(b"[" + b"[1,2,3,4]," * 2_700_000 + b"[1,2,3,4]]")
    assert (answer.status, "larger than the 25 MB" in answer.message) == (413, True)


def test_other_paths_and_methods_are_refused(tree: Any) -> None:
    assert tree.ask("GET", "/").status == 404
    assert tree.ask("GET", "/invocations").status == 405
    assert tree.ask("POST", "/ping", b"{}").status == 405


def test_thousands_of_damaged_requests_never_make_a_server_error(tree: Any, pipeline: Any) -> None:
    chance = random.Random(7)  # noqa: S311
    customer = {"age": 30, "income": None, "city": "Graz", "member": True}
    whole = {
        tree: [
            json.dumps({"dataframe_split": {"columns": NAMES, "data": [ROW, ROW]}}).encode(),
            json.dumps({"inputs": {name: [value] for name, value in zip(NAMES, ROW, strict=True)}}).encode(),
            (",".join(NAMES) + "\n" + ",".join(map(str, ROW))).encode(),
        ],
        pipeline: [
            json.dumps({"dataframe_records": [customer, customer]}).encode(),
            json.dumps({"instances": [list(customer.values())]}).encode(),
            b"age,city,member,income\n30,Graz,true,1e3\n31,Graz,false,\n",
        ],
    }
    statuses = set()
    for _ in range(1500):
        endpoint = chance.choice([tree, pipeline])
        body = bytearray(chance.choice(whole[endpoint]))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body))
            pieces = chance.choices([*b'{}[]",:0.eE-tfn\xff\x00 \n'], k=chance.randint(0, 3))
            body[at : at + chance.randint(0, 3)] = bytes(pieces)
        statuses.add(endpoint.invoke(bytes(body), chance.choice(["application/json", "text/csv"])).status)
    assert statuses == {200, 400}
    assert tree.invoke([ROW]).predictions == [0]
