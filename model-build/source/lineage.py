"""Where a model comes from: the commit, trigger, pipeline execution and jobs that made it, and the digests that
say whether two trainings are the same training."""

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# A tuning job names its trials <tuning job>-<three digits>-<eight hex digits>.
_TRIAL_NAME = re.compile(r"^(?P<tuning_job>.+)-\d{3,}-[0-9a-f]{8}$")


@dataclass(frozen=True)
class Lineage:
    """Who and what started this training; an empty text where nobody said."""

    source_commit: str
    source_trigger: str
    pipeline_execution: str
    training_job: str
    tuning_job: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Lineage":
        """Read the variables that the pipeline and SageMaker give the job.

        They are environment variables and not hyperparameters, because the environment of a tuning job's trials is not
        part of the step's cache key while its static hyperparameters are: a new commit of the same code must reuse
        the step (https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html).
        """
        training_job = environment.get("TRAINING_JOB_NAME") or _job_name(environment.get("SM_TRAINING_ENV", ""))
        trial = _TRIAL_NAME.match(training_job)
        return cls(
            source_commit=environment.get("SOURCE_COMMIT", ""),
            source_trigger=environment.get("SOURCE_TRIGGER", ""),
            pipeline_execution=environment.get("PIPELINE_EXECUTION", ""),
            training_job=training_job,
            tuning_job=trial["tuning_job"] if trial else "",
        )

    def tags(self) -> dict[str, str]:
        """The known facts, as tags of a run or a model version."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class Identity:
    """Three digests, each a refinement: the recipe (code, data, seed, versions), the search, and the very training."""

    recipe: str
    search: str
    fingerprint: str

    def tags(self) -> dict[str, str]:
        return dict(vars(self))


def identify(
    code: str, data: str, seed: int, libraries: Mapping[str, str], search: str, hyperparameters: Mapping[str, int]
) -> Identity:
    """Digest what determines a model.

    Equal recipes: same code, data, seed, Python and library versions. Equal searches: also the same ranges, strategy
    and number of trials, so a repeated tuning job is the same search. Equal fingerprints: the same model.
    """
    recipe = _digest({"code": code, "data": data, "seed": seed, "libraries": dict(libraries)})
    return Identity(
        recipe=recipe,
        search=_digest({"recipe": recipe, "search": search}),
        fingerprint=_digest({"recipe": recipe, "hyperparameters": dict(hyperparameters)}),
    )


def code_digest(directory: Path) -> str:
    """SHA-256 over the names and bytes of the training code; the gate only judges, so it is left out."""
    files = sorted([*directory.glob("*.py"), *directory.glob("requirements.txt")])
    return _digest({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files})


def python_version() -> str:
    """Major and minor, which decide whether a saved model can be read."""
    return ".".join(platform.python_version_tuple()[:2])


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _job_name(training_environment: str) -> str:
    return str(json.loads(training_environment).get("job_name") or "") if training_environment else ""
