"""Everything meant for AWS passes a security scanner; what it must overlook is said beside the resource."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCANNER = Path(sys.prefix) / "scan" / "bin" / "python"
SCAN = Path(__file__).with_name("template_scan.py")


def scan(*folders: Path) -> dict[str, list[str]]:
    """What was found in folders: the checks that passed and failed, the excuses, the files that could not be read."""
    told = subprocess.run([SCANNER, SCAN, *map(str, folders)], capture_output=True, text=True, check=False, timeout=240)
    assert told.returncode == 0, told.stderr
    found: dict[str, list[str]] = json.loads(told.stdout.splitlines()[-1])
    return found


def test_templates_and_images_have_no_finding_that_is_not_explained_and_what_is_open_is_found(tmp_path: Path) -> None:
    (tmp_path / "open.yaml").write_text(
        "Resources:\n  Open:\n    Type: AWS::S3::Bucket\n    Properties:\n      AccessControl: PublicRead\n"
    )
    # In one run, since the scanner's start is most of its time: what is found in the canary shows that it looks.
    found = scan(*(ROOT / room for room in ("cicd", "mlflow-server", "model-deploy")), tmp_path)
    assert found["unread"] == []
    assert [finding for finding in found["failed"] if not finding.endswith(" AWS::S3::Bucket.Open")] == []
    assert any(finding.startswith("CKV_AWS_20 ") for finding in found["failed"])
    for kind in ("CodeBuild::Project.", "RDS::DBCluster.", "SageMaker::Model.", "/image/Docker", "/serving/Docker"):
        assert any(kind in check for check in found["passed"]), kind
    assert len(found["excused"]) > 3
    assert all(reason and reason != "No comment provided" for reason in found["excused"])
