"""Everything meant for AWS passes a security scanner; what it must overlook is said beside the resource."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCANNER = Path(sys.prefix) / "scan" / "bin" / "checkov"


def scan(folder: Path) -> tuple[list[str], list[str]]:
    """The findings in a folder, and the reasons that were given for leaving one out."""
    words = ["--framework", "cloudformation", "dockerfile", "--output", "json", "--skip-download"]
    told = subprocess.run([SCANNER, "-d", folder, *words], capture_output=True, text=True, check=False, timeout=180)
    assert told.stdout, told.stderr
    reports = json.loads(told.stdout)
    results = [report["results"] for report in (reports if isinstance(reports, list) else [reports])]
    failed = [f"{it['check_id']} {it['resource']}" for result in results for it in result["failed_checks"]]
    excused = [it["check_result"]["suppress_comment"] for result in results for it in result["skipped_checks"]]
    return failed, excused


@pytest.mark.parametrize("folder", ["cicd", "mlflow-server", "model-deploy"])
def test_templates_and_images_have_no_finding_that_is_not_explained(folder: str) -> None:
    failed, excused = scan(ROOT / folder)
    assert failed == []
    assert all(reason and reason != "No comment provided" for reason in excused)


def test_the_scanner_finds_what_it_should(tmp_path: Path) -> None:
    template = tmp_path / "open.yaml"
    template.write_text(
        "Resources:\n  Open:\n    Type: AWS::S3::Bucket\n    Properties:\n      AccessControl: PublicRead\n"
    )
    assert any("CKV_AWS_20" in finding for finding in scan(tmp_path)[0])
