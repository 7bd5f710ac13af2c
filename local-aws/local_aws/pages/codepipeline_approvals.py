"""The answer of a person to a manual approval: approved or rejected, with a comment."""

from __future__ import annotations

from werkzeug.wrappers import Response

from local_aws.errors import AwsError
from local_aws.pages import codepipelines
from local_aws.pages.site import Visit, page

_VERDICTS = ("Approved", "Rejected")


@page("/_local/pipelines/<name>/approval", method="POST")
def answer_approval(visit: Visit, name: str) -> Response:
    """Give the answer: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html"""
    codepipelines.declaration(visit, name)
    form = visit.request.form
    verdict = form.get("verdict", "")
    if verdict not in _VERDICTS:
        raise AwsError("ValidationException", f"An approval is answered by {' or '.join(_VERDICTS)}, not {verdict!r}.")
    request = {
        "pipelineName": name,
        "stageName": form.get("stage", ""),
        "actionName": form.get("action", ""),
        "token": form.get("token", ""),
        "result": {"status": verdict, "summary": form.get("comment", "").strip()},
    }
    visit.cloud.call("codepipeline", "PutApprovalResult", request)
    return visit.go(visit.path(codepipelines.pipeline, name=name))
