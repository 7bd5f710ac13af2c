"""Environments of jobs and images, when more than one process wants the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BACKEND = """
import pathlib, time, zipfile
def build_wheel(folder, *_):
    here = pathlib.Path(__file__).parent
    with (here / "builds").open("a") as file:
        file.write("built ")
    time.sleep(1)
    name = "counted-1-py3-none-any.whl"
    info = "counted-1.dist-info"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("counted.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: counted\\nVersion: 1\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def test_two_processes_that_want_the_same_environment_fill_it_once(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "counting.py").write_text(BACKEND)
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "counting"\nbackend-path = ["."]\n'
        '[project]\nname = "counted"\nversion = "1"\n'
    )
    (tmp_path / "requirements.txt").write_text(f"{package}\n")
    program = (
        "import sys; from pathlib import Path; from local_aws.environments import provided; "
        f"print(provided(Path({str(tmp_path)!r}), Path(sys.executable), Path({str(tmp_path / 'requirements.txt')!r})))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "UV_NO_CACHE": "1"},
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0] == said[1]
    assert (package / "builds").read_text().split() == ["built"]
    assert subprocess.run([said[0][0].strip(), "-c", "import counted"], check=False).returncode == 0
