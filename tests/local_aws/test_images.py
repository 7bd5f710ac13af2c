"""`local-aws build-image`: which Dockerfiles are understood, and how the others are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from local_aws.__main__ import main

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/example:1"


class Builder:
    """A build context and a home of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.context, self.home = folder / "context", folder / "home"
        self.context.mkdir()
        (self.context / "server.py").write_text("print('hello')\n")

    def build(self, dockerfile: str, *arguments: str) -> Result:
        (self.context / "Dockerfile").write_text(dockerfile)
        given = [word for argument in arguments for word in ("--build-arg", argument)]
        command = ["build-image", "--home", str(self.home), "--tag", URI, *given, str(self.context)]
        return CliRunner().invoke(main, command)

    def refusal(self, dockerfile: str, *arguments: str) -> str:
        result = self.build(dockerfile, *arguments)
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        assert not list(self.home.glob("images/uris/*"))
        return result.stderr

    def built(self, dockerfile: str, *arguments: str) -> dict[str, object]:
        result = self.build(dockerfile, *arguments)
        assert result.exit_code == 0, result.output
        [tag] = self.home.glob("images/uris/*.json")
        return json.loads((self.home / "images" / json.loads(tag.read_text())["digest"] / "image.json").read_text())

    def file(self, path: str) -> Path:
        [tag] = self.home.glob("images/uris/*.json")
        return self.home / "images" / json.loads(tag.read_text())["digest"] / "root" / path.lstrip("/")


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(tmp_path)


def test_a_folder_without_a_dockerfile_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local_aws", "build-image", "--home", str(tmp_path / "home"), "--tag", URI]
    result = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode != 0
    assert "has no Dockerfile" in result.stderr


def test_another_python_is_refused_with_the_argument_that_helps(builder: Builder) -> None:
    message = builder.refusal("ARG PYTHON_VERSION=3.9\nFROM python:${PYTHON_VERSION}-slim\n")
    assert "line 2" in message
    assert f"asks for Python 3.9, and this environment is Python {PYTHON}" in message
    assert f"--build-arg PYTHON_VERSION={PYTHON}" in message


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("RUN apt-get update", "no command but `pip install`"),
        ("RUN pip install -r absent.txt", "absent.txt was not copied"),
        ("RUN pip install --index-url https://example.test x", "--index-url"),
        ("VOLUME /data", "not carried out here"),
        ("SHELL ['sh']", "not carried out here"),
        ("COPY --from=builder /a /opt/a", "--from"),
        ("COPY absent.py /opt/program/", "absent.py is not in"),
        ("COPY ../secret /opt/program/", "outside the build context"),
        ("COPY link /opt/program/", "outside the build context"),
        ("COPY server.py /usr/bin/server", "may cover a folder of this machine"),
        ("COPY server.py /opt/ml/model/server.py", "SageMaker's own"),
        ("ADD https://example.test/x /opt/program/", "no addresses"),
        ("ENTRYPOINT python server.py", "exec form"),
        ("FROM python:3.11-slim", "multi-stage"),
        ("ENV A=${B:?no}", "not understood"),
    ],
)
def test_an_instruction_that_is_not_carried_out_is_refused_by_line(
    builder: Builder, instruction: str, reason: str
) -> None:
    (builder.context / "link").symlink_to("/etc")
    message = builder.refusal(f"# a comment\nFROM python:{PYTHON}-slim\n\n{instruction}\n")
    assert "Dockerfile line 4" in message
    assert reason in message


def test_an_unknown_base_and_an_unknown_argument_are_refused(builder: Builder) -> None:
    assert "ubuntu:24.04 cannot be had here" in builder.refusal("FROM ubuntu:24.04\n")
    assert "no ARG TYPO" in builder.refusal(f"FROM python:{PYTHON}\n", "TYPO=1")
    assert "has no FROM" in builder.refusal("# nothing\n")


def test_requirements_that_cannot_be_had_are_refused_with_the_installers_words(builder: Builder) -> None:
    (builder.context / "requirements.txt").write_text("boto3==0.0.0.1\n")
    steps = "WORKDIR /opt/program\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
    assert "boto3" in builder.refusal(f"FROM python:{PYTHON}-slim\n{steps}")


def test_files_variables_and_entry_point_are_those_of_the_dockerfile(builder: Builder) -> None:
    (builder.context / "requirements.txt").write_text("boto3>=1\n")
    (builder.context / "package").mkdir()
    (builder.context / "package" / "module.py").write_text("x = 1\n")
    (builder.context / "package" / "notes.md").write_text("left out\n")
    (builder.context / ".dockerignore").write_text("**/*.md\n")
    image = builder.built(
        """
        ARG PYTHON_VERSION=3.9
        FROM python:${PYTHON_VERSION}-slim
        ARG PORT=1
        ENV GREETING="good day" \\
            PORT=$PORT PATH="/opt/program:${PATH}"
        LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
        WORKDIR /opt/program
        COPY requirements.txt server.py ./
        RUN --mount=type=cache,target=/var/cache/pip pip install --no-cache-dir -r requirements.txt
        COPY package package
        EXPOSE 8080
        USER root
        ENTRYPOINT ["python", "server.py"]
        """,
        f"PYTHON_VERSION={PYTHON}",
        "PORT=8080",
    )
    assert image["python"] == sys.executable
    assert (image["entrypoint"], image["cmd"]) == (["python", "server.py"], [])
    assert (image["workdir"], image["folders"]) == ("/opt/program", ["/opt/program"])
    environment = image["environment"]
    assert isinstance(environment, dict)
    assert (environment["GREETING"], environment["PORT"]) == ("good day", "8080")
    assert environment["PATH"].startswith("/opt/program:/usr/local/bin:")
    assert image["labels"] == {"com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true"}
    assert builder.file("/opt/program/server.py").read_text() == "print('hello')\n"
    assert builder.file("/opt/program/package/module.py").exists()
    assert not builder.file("/opt/program/package/notes.md").exists()


def test_the_same_contents_have_the_same_digest_and_others_another(builder: Builder) -> None:
    dockerfile = f"FROM python:{PYTHON}-slim\nCOPY . /opt/program\n"
    first = builder.built(dockerfile)["digest"]
    assert builder.built(dockerfile)["digest"] == first
    (builder.context / "server.py").write_text("print('good bye')\n")
    assert builder.built(dockerfile)["digest"] != first
