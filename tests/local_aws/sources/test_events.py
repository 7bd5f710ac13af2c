"""EventBridge: rules that match, targets that get what was promised them, and pipelines that rules start."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest


class Bus:
    """Rules of one cloud, and a queue that shows what they deliver."""

    def __init__(self, cloud: Any, sources: Any) -> None:
        self.events = cloud.client("events")
        self.sqs = cloud.client("sqs")
        self.sources = sources
        self.queue = self.sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex[:8]}")["QueueUrl"]
        self.queue_arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]

    def rule(self, pattern: dict[str, Any], **target: Any) -> str:
        name = f"rule-{uuid.uuid4().hex[:8]}"
        arn = self.events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
        self.events.put_targets(Rule=name, Targets=[{"Id": "one", "Arn": self.queue_arn, **target}])
        return str(arn)

    def starts(self, pipeline: str, repository: str, role: str, **more: Any) -> str:
        """A rule as AWS's documentation has it: a push to main starts the pipeline; the rule's ARN."""
        pattern = {
            "source": ["aws.codecommit"],
            "detail-type": ["CodeCommit Repository State Change"],
            "resources": [f"arn:aws:codecommit:us-east-1:123456789012:{repository}"],
            "detail": {
                "event": ["referenceCreated", "referenceUpdated"],
                "referenceType": ["branch"],
                "referenceName": ["main"],
            },
        }
        arn = f"arn:aws:codepipeline:us-east-1:123456789012:{pipeline}"
        return self.rule(pattern, Arn=arn, **({"RoleArn": role} if role else {}), **more)

    def received(self, number: int = 1, seconds: float = 20) -> list[str]:
        """What the queue holds, once it holds so many messages."""
        texts: list[str] = []
        deadline = time.monotonic() + seconds
        while len(texts) < number and time.monotonic() < deadline:
            answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, VisibilityTimeout=600)
            texts += [message["Body"] for message in answer.get("Messages", [])]
            time.sleep(0.02)
        assert len(texts) == number, texts
        return texts

    def put(self, source: str, **detail: Any) -> None:
        entry = {"Source": source, "DetailType": "A thing", "Detail": json.dumps(detail)}
        assert self.events.put_events(Entries=[entry])["FailedEntryCount"] == 0


@pytest.fixture
def bus(cloud: Any, sources: Any) -> Bus:
    return Bus(cloud, sources)


def test_a_push_to_codecommit_is_told_as_documented(bus: Bus, sources: Any, work: Any) -> None:
    repository = sources.codecommit_repository()
    bus.rule({"source": ["aws.codecommit"], "detail": {"repositoryName": [repository]}})
    first = work.commit(a_txt="one")
    work.push(sources.url(repository))
    second = work.commit(a_txt="two")
    work.push(sources.url(repository), "HEAD:refs/heads/main", "HEAD:refs/tags/v1")
    work.push(sources.url(repository), ":refs/tags/v1")
    told = [json.loads(text) for text in bus.received(4)]
    assert {event["detail-type"] for event in told} == {"CodeCommit Repository State Change"}
    assert told[0]["resources"] == [f"arn:aws:codecommit:us-east-1:123456789012:{repository}"]
    seen = {
        (each["event"], each["referenceType"], each["referenceFullName"], each.get("oldCommitId"), each.get("commitId"))
        for each in (event["detail"] for event in told)
    }
    assert seen == {
        ("referenceCreated", "branch", "refs/heads/main", None, first),
        ("referenceUpdated", "branch", "refs/heads/main", first, second),
        ("referenceCreated", "tag", "refs/tags/v1", None, second),
        ("referenceDeleted", "tag", "refs/tags/v1", second, None),
    }


def test_a_rule_starts_the_pipeline_and_the_push_says_so(bus: Bus, sources: Any, work: Any) -> None:
    repository = sources.codecommit_repository()
    pipeline = sources.on_codecommit(repository)
    rule = bus.starts(pipeline, repository, sources.role)
    commit = work.commit(a_txt="one")
    said = work.push(sources.url(repository))
    [execution] = sources.started_by_pushes(pipeline)
    assert f"{pipeline}: started, execution {execution[1]}" in said
    assert sources.execution(execution)["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": rule}
    assert sources.variables(execution)["CommitId"] == commit
    said = work.push(sources.url(repository), "HEAD:refs/heads/other")
    assert "No pipeline listens to the branch other" in said
    assert f"{pipeline}: branch main, when started by a rule of EventBridge" in said


def test_a_pipeline_that_polls_starts_without_a_rule(sources: Any, work: Any) -> None:
    repository = sources.codecommit_repository()
    pipeline = sources.on_codecommit(repository, polls=True)
    work.commit(a_txt="one")
    assert f"{pipeline}: started" in work.push(sources.url(repository))
    trigger = sources.execution(sources.started_by_pushes(pipeline)[0])["trigger"]
    assert trigger["triggerType"] == "PollForSourceChanges"


def test_a_rule_whose_role_may_not_start_the_pipeline_says_why_to_who_pushes(bus: Bus, sources: Any, work: Any) -> None:
    repository = sources.codecommit_repository()
    pipeline = sources.on_codecommit(repository)
    nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    distrust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "codepipeline.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    bus.starts(pipeline, repository, sources.new_role(nothing))
    bus.starts(pipeline, repository, sources.new_role(everything, distrust))
    bus.starts(pipeline, repository, "")
    work.commit(a_txt="one")
    said = work.push(sources.url(repository))
    assert (
        "is not authorized to perform: codepipeline:StartPipelineExecution on resource: arn:aws:codepipeline:" in said
    )
    assert "events.amazonaws.com is not authorized to assume role" in said
    assert "a target that is a pipeline needs a RoleArn" in said
    assert sources.started_by_pushes(pipeline) == []


def test_an_input_transformer_may_pin_the_commit_and_set_variables(bus: Bus, sources: Any, work: Any) -> None:
    repository = sources.codecommit_repository()
    pipeline = sources.on_codecommit(repository, variables=[{"name": "who", "defaultValue": "nobody"}])
    template = json.dumps(
        {
            "sourceRevisions": [
                {"actionName": "Take", "revisionType": "COMMIT_ID", "revisionValue": "<commit>"},
            ],
            "variables": [{"name": "who", "value": "<by>"}],
        }
    )
    paths = {"commit": "$.detail.commitId", "by": "$.detail.referenceName"}
    bus.starts(pipeline, repository, sources.role, InputTransformer={"InputPathsMap": paths, "InputTemplate": template})
    commit = work.commit(a_txt="one")
    work.push(sources.url(repository))
    [execution] = sources.started_by_pushes(pipeline)
    assert sources.variables(execution)["CommitId"] == commit
    assert sources.execution(execution)["variables"] == [{"name": "who", "resolvedValue": "main"}]


def test_events_of_the_accounts_own_programs_are_delivered_and_start_pipelines(
    bus: Bus, sources: Any, work: Any
) -> None:
    repository, mine = sources.codecommit_repository(), f"mine.{uuid.uuid4().hex}"
    work.commit(a_txt="one")
    work.push(sources.url(repository))
    pipeline = sources.on_codecommit(repository)
    bus.rule({"source": [mine]})
    bus.rule({"source": [mine]}, Arn=f"arn:aws:codepipeline:us-east-1:123456789012:{pipeline}", RoleArn=sources.role)
    bus.put(mine, state="done", number=3)
    event = json.loads(bus.received()[0])
    assert (event["source"], event["detail"]) == (mine, {"state": "done", "number": 3})
    assert event["time"].endswith("Z")
    deadline = time.monotonic() + 20
    while not sources.started_by_pushes(pipeline) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(sources.started_by_pushes(pipeline)) == 1


@pytest.mark.parametrize(
    ("pattern", "hits"),
    [
        ({"state": ["FAILED"]}, True),
        ({"state": ["OK", "FAILED"]}, True),
        ({"state": ["OK"]}, False),
        ({"state": [{"prefix": "FAI"}]}, True),
        ({"state": [{"anything-but": ["FAILED", "STOPPED"]}]}, False),
        ({"state": [{"anything-but": {"prefix": "OK"}}]}, True),
        ({"reason": [{"exists": False}]}, True),
        ({"state": [{"exists": False}]}, False),
        ({"number": [{"numeric": [">", 2, "<=", 3]}]}, True),
        ({"number": [{"numeric": ["<", 3]}]}, False),
        ({"deep": {"er": [{"suffix": ".py"}]}}, True),
        ({"$or": [{"state": ["OK"]}, {"number": [3]}]}, True),
    ],
)
def test_patterns_match_as_documented(bus: Bus, pattern: dict[str, Any], hits: bool) -> None:
    mine = f"mine.{uuid.uuid4().hex}"
    bus.rule({"source": [mine], "detail": pattern}, Input=json.dumps("hit"))
    bus.rule({"source": [mine]}, Input=json.dumps("end"))
    bus.put(mine, state="FAILED", number=3, deep={"er": "a.py"})
    assert sorted(bus.received(2 if hits else 1)) == (['"end"', '"hit"'] if hits else ['"end"'])


def test_inputs_are_constants_parts_or_made_by_a_template(bus: Bus) -> None:
    mine = f"mine.{uuid.uuid4().hex}"
    paths = {"state": "$.detail.state", "all": "$.detail", "id": "$.detail.execution-id", "none": "$.detail.nothing"}

    def transformed(template: str) -> dict[str, Any]:
        return {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}

    bus.rule({"source": [mine]}, Input='{"constant": 1}')
    bus.rule({"source": [mine]}, InputPath="$.detail.list[1]")
    bus.rule({"source": [mine]}, **transformed('"It is <state> (<id>)<none>: <unknown>"'))
    bus.rule({"source": [mine]}, **transformed('{"state": <state>, "text": "is <state>", "all": <all>, "no": <none>}'))
    rule = bus.rule({"source": [mine]}, **transformed('{"rule": "<aws.events.rule-name>"}'))
    bus.put(mine, **{"state": 'say "no"', "execution-id": "e-1", "list": [1, 2]})
    received = bus.received(5)
    assert '{"constant": 1}' in received
    assert "2" in received
    assert '"It is say \\"no\\" (e-1): <unknown>"' in received
    made = next(json.loads(text) for text in received if '"text"' in text)
    assert (made["state"], made["text"], made["no"]) == ('say "no"', 'is say "no"', None)
    assert made["all"]["list"] == [1, 2]
    assert json.dumps({"rule": rule.rpartition("/")[2]}) in received


def test_a_topic_gets_events_when_its_policy_lets_eventbridge_publish(cloud: Any, bus: Bus) -> None:
    mine, sns = f"mine.{uuid.uuid4().hex}", cloud.client("sns")
    topic = sns.create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=bus.queue_arn, Attributes={"RawMessageDelivery": "true"})
    paths = {"state": "$.detail.state"}
    bus.rule(
        {"source": [mine]},
        Arn=topic,
        InputTransformer={"InputPathsMap": paths, "InputTemplate": '"The build is <state>"'},
    )
    bus.put(mine, state="FAILED")
    end = f"mine.{uuid.uuid4().hex}"
    bus.rule({"source": [end]}, Input='"end"')
    bus.put(end)
    assert bus.received() == ['"end"'], "the topic's own policy lets only the account publish"
    statement = {
        "Sid": "events",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    bus.put(mine, state="STOPPED")
    assert bus.received() == ['"The build is STOPPED"']


def test_a_pipeline_that_fails_is_told_to_a_topic_in_words(cloud: Any, bus: Bus, sources: Any) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=bus.queue_arn, Attributes={"RawMessageDelivery": "true"})
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": topic}]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    paths = {"pipeline": "$.detail.pipeline", "state": "$.detail.state", "execution": "$.detail.execution-id"}
    template = '"<pipeline> has <state>: execution <execution>"'
    pattern = {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Pipeline Execution State Change"],
        "detail": {"state": ["FAILED"], "pipeline": [{"prefix": "pipeline-"}]},
        "resources": [{"wildcard": "arn:aws:codepipeline:*"}],
    }
    bus.rule(pattern, Arn=topic, InputTransformer={"InputPathsMap": paths, "InputTemplate": template})
    pipeline = sources.on_connection(sources.repository())
    execution = sources.executions(pipeline)[0]
    assert bus.received() == [f'"{pipeline} has FAILED: execution {execution[1]}"']


def test_a_disabled_rule_and_a_schedule_deliver_nothing(bus: Bus) -> None:
    mine = f"mine.{uuid.uuid4().hex}"
    rule = bus.rule({"source": [mine]}, Input='"disabled"')
    bus.events.disable_rule(Name=rule.rpartition("/")[2])
    name = f"rule-{uuid.uuid4().hex[:8]}"
    bus.events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    bus.events.put_targets(Rule=name, Targets=[{"Id": "one", "Arn": bus.queue_arn, "Input": '"scheduled"'}])
    bus.rule({"source": [mine]}, Input='"end"')
    bus.put(mine, state="x")
    assert bus.received() == ['"end"']


def test_a_target_that_cannot_be_delivered_to_holds_up_no_other(cloud: Any, bus: Bus) -> None:
    mine = f"mine.{uuid.uuid4().hex}"
    bus.rule({"source": [mine]}, Arn="arn:aws:lambda:us-east-1:123456789012:function:nothing")
    bus.rule({"source": [mine]}, Arn="arn:aws:sns:us-east-1:123456789012:no-such-topic")
    bus.rule({"source": [mine]}, InputPath="$.detail[")
    bus.rule({"source": [mine]}, Input='"end"')
    bus.put(mine, state="x")
    assert bus.received() == ['"end"']
    log = (cloud.home / "test.log").read_text()
    assert (
        "not delivered to arn:aws:lambda:us-east-1:123456789012:function:nothing: local-aws delivers no events" in log
    )


def test_what_was_delivered_before_a_restart_is_not_delivered_again(restartable: Any, sources_of: Any) -> None:
    mine, running = f"mine.{uuid.uuid4().hex}", restartable()
    before = Bus(running, sources_of(running))
    before.rule({"source": [mine]})
    before.put(mine, state="x")
    assert len(before.received()) == 1
    running.stop()
    again = restartable()
    sqs = again.client("sqs")
    queue = sqs.get_queue_url(QueueName=before.queue.rpartition("/")[2])["QueueUrl"]
    counted = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert int(counted["ApproximateNumberOfMessages"]) + int(counted["ApproximateNumberOfMessagesNotVisible"]) == 1
