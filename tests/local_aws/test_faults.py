"""What must not take the cloud down, and what must not outlive it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


def processes_with(mark: str) -> list[psutil.Process]:
    """Every process on this machine that carries a word in its command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            told = " ".join(process.cmdline()) + " ".join(process.environ().values())
        except (psutil.Error, OSError):
            continue
        if mark in told and process.pid != os.getpid():
            found.append(process)
    return found


def wait_until(true: Callable[[], Any], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


HIDING = """
import os, subprocess, sys, time
subprocess.Popen(["sh", "-c", "setsid sleep 300 & setsid setsid sleep 300"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(300)
    os._exit(0)
print("hidden", flush=True)
time.sleep(300)
"""


@dataclass(frozen=True)
class Killed:
    """A cloud that was killed while a job of it ran, what there was then, and the cloud that came back."""

    family: list[psutil.Process]
    bucket: str
    address: str
    role_id: str
    secret: str
    running: str
    completed: str
    again: Any


@pytest.fixture(scope="module")
def killed(make_modules_cloud: Any, scripts_of: Any) -> Killed:
    cloud = make_modules_cloud()
    scripts = scripts_of(cloud)
    scripts.s3.put_object(Bucket=scripts.bucket, Key="a b/ü+c.txt", Body=b"kept", Metadata={"x": "1"})
    scripts.s3.put_object(Bucket=scripts.bucket, Key="gone", Body=b"x")
    scripts.s3.delete_object(Bucket=scripts.bucket, Key="gone")
    role = cloud.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}")["Role"]
    secret = cloud.client("secretsmanager").create_secret(Name="kept", SecretString="s")["ARN"]
    completed = scripts.train("print('kept')")["TrainingJobName"]
    running = scripts.training_request(HIDING)
    scripts.sagemaker.create_training_job(**running)
    log = cloud.home / "logs" / "training_job" / running["TrainingJobName"] / "algo-1.log"
    assert wait_until(lambda: log.exists() and "hidden" in log.read_text())
    family = descendants(cloud.process.pid)
    os.kill(cloud.process.pid, signal.SIGKILL)
    cloud.process.wait()
    again = make_modules_cloud(cloud.home)
    return Killed(
        family=family,
        bucket=scripts.bucket,
        address=cloud.endpoint_url,
        role_id=role["RoleId"],
        secret=secret,
        running=running["TrainingJobName"],
        completed=completed,
        again=again,
    )


@linux
def test_a_killed_server_leaves_no_process_behind_however_they_hide(killed: Killed) -> None:
    assert len(killed.family) >= 4
    assert wait_until(lambda: not any(lives(one) for one in killed.family), 15)


def test_jobs_that_ran_when_the_server_was_killed_have_failed_when_it_is_back(killed: Killed) -> None:
    described = killed.again.client("sagemaker").describe_training_job(TrainingJobName=killed.running)
    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"] == "InternalServerError: local-aws ended while the job ran"


def test_the_state_survives_a_kill(killed: Killed) -> None:
    again = killed.again
    assert again.endpoint_url == killed.address
    held = again.client("s3").get_object(Bucket=killed.bucket, Key="a b/ü+c.txt")
    assert (held["Body"].read(), held["Metadata"]) == (b"kept", {"x": "1"})
    keys = [item["Key"] for item in again.client("s3").list_objects_v2(Bucket=killed.bucket)["Contents"]]
    assert "gone" not in keys
    assert again.client("iam").get_role(RoleName="kept")["Role"]["RoleId"] == killed.role_id
    assert again.client("secretsmanager").get_secret_value(SecretId=killed.secret)["SecretString"] == "s"
    described = again.client("sagemaker").describe_training_job(TrainingJobName=killed.completed)
    assert described["TrainingJobStatus"] == "Completed"
    assert wait_until(lambda: "kept" in scripts_log(again, killed.completed), 10)


@linux
def test_what_a_job_leaves_running_is_ended_with_the_job(scripts: Any) -> None:
    mark = f"left-{scripts.bucket}"
    script = f"""
import subprocess
subprocess.Popen(["sh", "-c", "exec -a {mark} sleep 300 || sleep 300 {mark}"], start_new_session=True)
subprocess.Popen(["python3", "-c", "import time; time.sleep(300)", "{mark}"], start_new_session=True)
"""
    assert scripts.train(script)["TrainingJobStatus"] == "Completed"
    assert wait_until(lambda: not processes_with(mark), 10)


@linux
@pytest.mark.parametrize("hide", ["fork", "exec without an environment"])
def test_nothing_that_leaves_the_session_outlives_its_job(scripts: Any, hide: str) -> None:
    mark = f"hidden-{scripts.bucket}"
    if hide == "fork":
        child = "os.setsid(); open('/opt/ml/model/pids', 'a').write(f'{os.getpid()} '); time.sleep(300)"
    else:
        child = f"os.setsid(); os.execve('/bin/sh', ['sh', '-c', 'sleep 300; : {mark}'], {{}})"
    script = f"""
import os, time
for _ in range(5):
    if os.fork() == 0:
        {child}
time.sleep(1)
"""
    described = scripts.train(script)
    assert described["TrainingJobStatus"] == "Completed"
    if hide == "fork":
        pids = scripts.archive(described["ModelArtifacts"]["S3ModelArtifacts"])["pids"].split()
        assert len(pids) == 5
        assert wait_until(lambda: not any(psutil.pid_exists(int(pid)) for pid in pids), 10)
    else:
        assert wait_until(lambda: not processes_with(mark), 10)


def test_many_short_jobs_end_none_but_themselves(scripts: Any) -> None:
    uri = scripts.sources(train_py="import time; time.sleep(0.05)")
    requests = [scripts.training_request("", {"sagemaker_submit_directory": uri}) for _ in range(30)]
    for request in requests:
        scripts.sagemaker.create_training_job(**request)
    ended = [scripts.trained(request["TrainingJobName"]) for request in requests]
    assert [job.get("FailureReason") for job in ended if job["TrainingJobStatus"] != "Completed"] == []


def test_a_stop_reaches_a_job_whose_imports_never_end(scripts: Any) -> None:
    hang = "import time\nprint('importing', flush=True)\ntime.sleep(300)"
    uri = scripts.sources(train_py="from beside import x", beside_py=hang)
    request = scripts.training_request("", {"sagemaker_submit_directory": uri})
    scripts.sagemaker.create_training_job(**request)
    other = scripts.training_request(
        "", {"sagemaker_submit_directory": uri}, StoppingCondition={"MaxRuntimeInSeconds": 2}
    )
    scripts.sagemaker.create_training_job(**other)
    time.sleep(1)
    scripts.sagemaker.stop_training_job(TrainingJobName=request["TrainingJobName"])
    started = time.monotonic()
    assert scripts.trained(request["TrainingJobName"])["TrainingJobStatus"] == "Stopped"
    assert scripts.trained(other["TrainingJobName"])["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert time.monotonic() - started < 20


def test_a_library_whose_import_never_ends_holds_up_no_other_job(scripts: Any, tmp_path: Path) -> None:
    (tmp_path / "endless").mkdir()
    (tmp_path / "endless" / "slow.py").write_text("import time\ntime.sleep(300)")
    library = {"PYTHONPATH": str(tmp_path / "endless")}
    stuck = [scripts.training_request("import slow", {"long": "x" * 2000}, Environment=library) for _ in range(4)]
    for request in stuck:
        scripts.sagemaker.create_training_job(**request)
    started = time.monotonic()
    assert scripts.train("print(1)")["TrainingJobStatus"] == "Completed"
    assert time.monotonic() - started < 20
    for request in stuck:
        scripts.sagemaker.stop_training_job(TrainingJobName=request["TrainingJobName"])
    for request in stuck:
        assert scripts.trained(request["TrainingJobName"], 60)["TrainingJobStatus"] == "Stopped"


def test_a_tree_too_deep_to_measure_does_not_fail_the_job(scripts: Any) -> None:
    script = """
import os, time
os.makedirs("/opt/ml/checkpoints/deep")
os.chdir("/opt/ml/checkpoints/deep")
for _ in range(1500):
    os.mkdir("d" * 100)
    os.chdir("d" * 100)
time.sleep(2)
"""
    described = scripts.train(script)
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    folder = scripts.cloud.home / "jobs" / "training_job" / described["TrainingJobName"]
    assert wait_until(lambda: not folder.exists(), 20)


def test_a_keeper_that_is_killed_is_replaced_and_leaves_nothing(killed: Killed, scripts_of: Any) -> None:
    cloud = killed.again
    scripts = scripts_of(cloud)
    request = scripts.training_request("import time; print('on', flush=True); time.sleep(300)")
    scripts.sagemaker.create_training_job(**request)
    log = cloud.home / "logs" / "training_job" / request["TrainingJobName"] / "algo-1.log"
    assert wait_until(lambda: log.exists() and "on" in log.read_text())
    keeper = psutil.Process(cloud.process.pid).children()[0]
    family = keeper.children(recursive=True)
    keeper.kill()
    assert scripts.trained(request["TrainingJobName"])["TrainingJobStatus"] == "Failed"
    assert wait_until(lambda: not any(lives(one) for one in family), 15)
    assert scripts.train("print(1)")["TrainingJobStatus"] == "Completed"


def test_the_reason_is_that_of_the_host_that_failed_first(scripts: Any) -> None:
    script = (
        "import os, sys, time\nif os.environ['SM_CURRENT_HOST'] == 'algo-2': sys.exit('second broke')\ntime.sleep(60)"
    )
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    described = scripts.train(script, ResourceConfig=cluster)
    assert "second broke" in described["FailureReason"]
    assert "SIGKILL" not in described["FailureReason"]


def scripts_log(cloud: Any, job: str) -> str:
    logs, group = cloud.client("logs"), "/aws/sagemaker/TrainingJobs"
    try:
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=job)["logStreams"]
    except ClientError:
        return ""
    return "".join(
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    )


def test_a_job_that_fills_its_disk_fails_alone(scripts: Any) -> None:
    script = """
import os, time
os.truncate(os.open("/opt/ml/model/big", os.O_CREAT | os.O_WRONLY), 2 * 1024**3)
time.sleep(60)
"""
    described = scripts.train(script)
    assert described["TrainingJobStatus"] == "Failed"
    assert "disk of the job is full" in described["FailureReason"]
    assert scripts.train("print(1)")["TrainingJobStatus"] == "Completed"


def test_a_job_that_floods_its_log_does_not_take_the_server_down(scripts: Any) -> None:
    script = """
import sys, time
line = "accuracy=0.5 " + "x" * 1000
for _ in range(30):
    for _ in range(1000):
        sys.stdout.write(line + "\\n")
    sys.stdout.flush()
    time.sleep(0.05)
print("the end")
"""
    request = scripts.training_request(script)
    scripts.sagemaker.create_training_job(**request)
    slowest = 0.0
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        started = time.monotonic()
        described = scripts.sagemaker.describe_training_job(TrainingJobName=request["TrainingJobName"])
        slowest = max(slowest, time.monotonic() - started)
        if described["TrainingJobStatus"] != "InProgress":
            break
        time.sleep(0.05)
    assert described["TrainingJobStatus"] == "Completed"
    assert slowest < 10
    log = scripts.log("/aws/sagemaker/TrainingJobs", request["TrainingJobName"])
    assert "bytes of log were not forwarded" in log
    assert log.endswith("the end")


def test_a_server_that_is_told_to_stop_does_so_at_once_while_a_job_uploads(make_cloud: Any, scripts_of: Any) -> None:
    cloud = make_cloud()
    scripts = scripts_of(cloud)
    script = "import os; open('/opt/ml/model/big', 'wb').write(os.urandom(150_000_000))"
    request = scripts.training_request(script)
    scripts.sagemaker.create_training_job(**request)
    name = request["TrainingJobName"]
    assert wait_until(
        lambda: scripts.sagemaker.describe_training_job(TrainingJobName=name)["SecondaryStatus"] == "Uploading", 60
    )
    started = time.monotonic()
    cloud.process.terminate()
    cloud.process.wait(30)
    assert time.monotonic() - started < 15


def test_two_servers_run_side_by_side_and_know_nothing_of_each_other(make_cloud: Any, scripts: Any) -> None:
    other = make_cloud()
    name = scripts.train("print(1)")["TrainingJobName"]
    with pytest.raises(ClientError):
        other.client("sagemaker").describe_training_job(TrainingJobName=name)
    other.process.kill()
    other.process.wait()
    assert scripts.train("print(2)")["TrainingJobStatus"] == "Completed"


def test_without_private_mounts_jobs_are_told_host_paths(cloud_without_rooms: Any, scripts_of: Any) -> None:
    scripts = scripts_of(cloud_without_rooms)
    scripts.s3.put_object(Bucket=scripts.bucket, Key="d/a.csv", Body=b"1")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{scripts.bucket}/d/"}}
    script = """
import os, pathlib
data = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "a.csv").read_text()
pathlib.Path(os.environ["SM_MODEL_DIR"], "m").write_text(data + str(os.environ["SM_MODEL_DIR"].startswith("/opt/ml")))
"""
    described = scripts.train(script, InputDataConfig=[{"ChannelName": "train", "DataSource": source}])
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    assert scripts.archive(described["ModelArtifacts"]["S3ModelArtifacts"]) == {"m": "1False"}
