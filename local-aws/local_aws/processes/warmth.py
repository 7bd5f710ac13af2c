"""Which processes may be forked from the same warm one: same interpreter, same sources' imports, same environment."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_aws.processes.keeper import ProcessSpec

# What differs from job to job of the same code, and no library reads while it is imported: so do ARNs.
_OF_THE_JOB = ("SM_", "TRAINING_JOB_", "PROCESSING_JOB_", "LOCAL_AWS_", "AWS_CONTAINER_", "HOME", "TMPDIR")


def of(spec: ProcessSpec) -> dict[str, Any]:
    """The part of a start message that asks for a warm start."""
    environment = {
        name: value
        for name, value in spec.env.items()
        if not name.startswith(_OF_THE_JOB) and not value.startswith("arn:")
    }
    sources = sorted((path.name, path.stat().st_size) for path in spec.sources.glob("*.py")) if spec.sources else []
    key = hashlib.sha256(json.dumps([spec.argv[0], sources, sorted(environment.items())]).encode()).hexdigest()
    return {"warm": key, "warm_env": environment, "sources": str(spec.sources)}
