"""Training, processing and transform jobs: what each was asked to do, how it went, and its log as it grows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from local_aws.cloud import Cloud
from local_aws.pages import logs, mlflow_links
from local_aws.pages.site import Link, NotThere, Visit, page
from local_aws.pages.statuses import Status


@dataclass(frozen=True)
class Kind:
    """A kind of job: its rows in the store, its members' names, its log group, and the part of its address."""

    store: str
    member: str
    words: str
    group: str
    segment: str


KINDS = {
    kind.segment: kind
    for kind in (
        Kind("training_job", "TrainingJob", "training job", "/aws/sagemaker/TrainingJobs", "training-jobs"),
        Kind("processing_job", "ProcessingJob", "processing job", "/aws/sagemaker/ProcessingJobs", "processing-jobs"),
        Kind("transform_job", "TransformJob", "transform job", "/aws/sagemaker/TransformJobs", "transform-jobs"),
    )
}
_SHOWN_APART = ("HyperParameters", "Environment", "FinalMetricDataList", "FailureReason", "SecondaryStatusTransitions")


@dataclass(frozen=True)
class Job:
    """A job of any kind under the same names."""

    name: str
    status: Status
    created: datetime
    started: datetime | None
    ended: datetime | None


def job(kind: Kind, body: Mapping[str, Any]) -> Job:
    """What all jobs have, from the body of one."""
    verb = kind.member.removesuffix("Job")
    return Job(
        body[f"{kind.member}Name"],
        Status.of(body[f"{kind.member}Status"]),
        body["CreationTime"],
        body.get(f"{verb}StartTime"),
        body.get(f"{verb}EndTime"),
    )


def path(visit: Visit, segment: str, name: str) -> str:
    """The path of a job's page."""
    return visit.path(job_page, segment=segment, name=name)


def path_of_arn(visit: Visit, metadata: Mapping[str, Any]) -> str | None:
    """The page of the job that a step's Metadata names by ARN; None where the step ran no job."""
    for about in metadata.values():
        segment, _, name = str(about.get("Arn", "")).rpartition(":")[2].partition("/")
        if segment == "hyper-parameter-tuning-job":
            return visit.addresses.build("tuning_job", {"name": name})
        if f"{segment}s" in KINDS:
            return path(visit, f"{segment}s", name)
    return None


def newest(cloud: Cloud, most: int = 6) -> list[tuple[Kind, Job]]:
    """The jobs of all kinds that were created last, but for the trials of tuning jobs."""
    found = [
        (kind, job(kind, body))
        for kind in KINDS.values()
        for body in cloud.store.all(kind.store)
        if "TuningJobArn" not in body
    ]
    return sorted(found, key=lambda pair: pair[1].created, reverse=True)[:most]


@page("/_local/<any('training-jobs', 'processing-jobs', 'transform-jobs'):segment>/<name>")
def job_page(visit: Visit, segment: str, name: str) -> Response:
    """One job."""
    kind = KINDS[segment]
    body = visit.cloud.store.find(kind.store, name)
    if body is None:
        rows = visit.cloud.store.all(kind.store)[:-21:-1]
        names = [row[f"{kind.member}Name"] for row in rows]
        raise NotThere(
            f"There is no {kind.words} named {name}.", [Link(each, path(visit, segment, each)) for each in names]
        )
    shown = job(kind, body)
    streams = logs.streams(visit, kind.group, f"{name}/")
    text = "\n".join(stream.text for stream in streams)
    parameters, environment = body.get("HyperParameters", {}), body.get("Environment", {})
    public = {key: value for key, value in body.items() if not key.startswith("_") and key not in _SHOWN_APART}
    return visit.show(
        "job.html",
        title=name,
        kind=kind,
        job=shown,
        reason=body.get("FailureReason", ""),
        tuning=path_of_arn(visit, {"TuningJob": {"Arn": body.get("TuningJobArn", "")}}),
        metrics=body.get("FinalMetricDataList", []),
        parameters={key: value for key, value in parameters.items() if not key.startswith("sagemaker_")},
        environment=environment,
        transitions=body.get("SecondaryStatusTransitions", []),
        streams=streams,
        links=mlflow_links.known(
            [mlflow_links.run(text), *mlflow_links.models(text), mlflow_links.server(environment, parameters)]
        ),
        description=public,
        moving=shown.status.moving,
    )
