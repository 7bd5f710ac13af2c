"""Run by the scanner's own Python: what it finds in folders, and the reasons given for overlooking some, as JSON.

The scanner's command line would take three times as long: it loads all its frameworks, and prints all that is right.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import bc_jsonpath_ng.parser
from checkov.cloudformation.runner import Runner as CloudFormation
from checkov.dockerfile.runner import Runner as Dockerfile
from checkov.runner_filter import RunnerFilter

RUNNERS = {"cloudformation": CloudFormation, "dockerfile": Dockerfile}


def keep_parsers() -> None:
    """Have each grammar's tables made once: the scanner makes them anew for every expression it reads."""
    make, made = bc_jsonpath_ng.parser.ply.yacc.yacc, {}

    def parser(*, module: object, start: str, **options: Any) -> Any:
        grammar = (type(module), start)
        if grammar not in made:
            made[grammar] = make(module=module, start=start, **options)
        return made[grammar]

    bc_jsonpath_ng.parser.ply.yacc.yacc = parser


def main(folders: list[str]) -> None:
    keep_parsers()
    found: dict[str, list[str]] = {"passed": [], "failed": [], "excused": [], "unread": []}
    for folder in folders:
        for framework, runner in RUNNERS.items():
            reported = runner().run(root_folder=folder, runner_filter=RunnerFilter(framework=[framework]))
            for report in reported if isinstance(reported, list) else [reported]:
                found["passed"] += [f"{check.check_id} {check.resource}" for check in report.passed_checks]
                found["failed"] += [f"{check.check_id} {check.resource}" for check in report.failed_checks]
                found["excused"] += [check.check_result["suppress_comment"] for check in report.skipped_checks]
                found["unread"] += report.parsing_errors
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
