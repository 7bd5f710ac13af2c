"""The buildspec, version 0.2, as a value: what its file says, and a refusal of what it should not say.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from local_aws.codebuild.runtimes import check as check_runtime
from local_aws.codebuild.yaml_lines import Value, YamlRefused, document

PHASES = ("install", "pre_build", "build", "post_build")
_TOP = frozenset({"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"})
_ENV = frozenset(
    {"shell", "variables", "parameter-store", "exported-variables", "secrets-manager", "git-credential-helper"}
)
_PHASE = frozenset({"run-as", "on-failure", "runtime-versions", "commands", "finally"})
_ARTIFACT = frozenset(
    {"files", "name", "discard-paths", "base-directory", "exclude-paths", "enable-symlinks", "s3-prefix"}
)
_REPORT = frozenset({"files", "base-directory", "discard-paths", "file-format"})
_CACHE = frozenset({"paths", "key", "fallback-keys", "action"})
_FORMATS = ("CUCUMBERJSON", "JUNITXML", "NUNITXML", "NUNIT3XML", "TESTNGXML", "VISUALSTUDIOTRX")
_COVERAGE = ("CLOVERXML", "COBERTURAXML", "JACOCOXML", "SIMPLECOV")
_RETRY = re.compile(r"RETRY(?:-(?P<count>\d{1,3}))?(?:-(?P<pattern>.+))?", re.DOTALL)
_RETRIES = 3
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class OnFailure:
    """What a failed phase leads to. `action` is "" (the usual transitions), ABORT, CONTINUE or RETRY.

    A retry happens at most `retries` times, and only after an error whose message has a match of `pattern`.
    """

    action: str = ""
    retries: int = 0
    pattern: str = ".*"


@dataclass(frozen=True)
class Phase:
    commands: tuple[str, ...] = ()
    finally_commands: tuple[str, ...] = ()
    on_failure: OnFailure = OnFailure()
    runtimes: dict[str, str] = field(default_factory=dict)
    run_as: str = ""


@dataclass(frozen=True)
class ArtifactSpec:
    """Which files an artifact has, and under which names; `given` is False where the buildspec has no such section."""

    files: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    base_directory: str = ""
    discard_paths: bool = False
    keep_symlinks: bool = False
    name: str = ""


@dataclass(frozen=True)
class ReportSpec:
    """The test results that go to one report group; `group` is its ARN, or the name that is put after the project's."""

    group: str
    files: tuple[str, ...]
    base_directory: str
    file_format: str


@dataclass(frozen=True)
class CacheSpec:
    paths: tuple[str, ...] = ()
    key: str = ""
    fallback_keys: tuple[str, ...] = ()
    save: bool = True
    restore: bool = True


@dataclass(frozen=True)
class Buildspec:
    shell: str
    run_as: str
    variables: dict[str, str]
    parameters: dict[str, str]
    secrets: dict[str, str]
    exported: tuple[str, ...]
    git_credential_helper: bool
    phases: dict[str, Phase]
    artifact: ArtifactSpec | None
    secondary_artifacts: dict[str, ArtifactSpec]
    reports: tuple[ReportSpec, ...]
    cache: CacheSpec


def parse(text: str) -> Buildspec:
    """Read a buildspec; raises `YamlRefused` naming the key and the line of what is wrong or not known."""
    root = document(text)
    top = root.entries(_TOP)
    missing = Value(None, "")
    _version(top.get("version", Value(None, "version")))
    for key in ("proxy", "batch"):
        if key in top and top[key].given:
            reason = {
                "proxy": "there is no proxy server between these builds and the network",
                "batch": "batch builds are not carried out by local-aws, only single ones",
            }
            raise top[key].refused(f"not carried out: {reason[key]}")
    env = top.get("env", missing).entries(_ENV)
    if not top.get("phases", missing).given:
        raise Value(root.node, "phases").refused("a buildspec needs phases")
    phases = {name: _phase(value) for name, value in top["phases"].entries(frozenset(PHASES)).items()}
    variables, parameters, secrets = (
        _map(env.get(key, missing)) for key in ("variables", "parameter-store", "secrets-manager")
    )
    artifact, secondary = _artifacts(top.get("artifacts", missing))
    return Buildspec(
        shell=env.get("shell", missing).choice("sh", "sh", "bash", "/bin/sh", "/bin/bash"),
        run_as=top.get("run-as", missing).text(""),
        variables=variables,
        parameters=parameters,
        secrets=secrets,
        exported=_exported(env.get("exported-variables", missing), {*parameters, *secrets}),
        git_credential_helper=env.get("git-credential-helper", missing).flag(),
        phases=phases,
        artifact=artifact,
        secondary_artifacts=secondary,
        reports=tuple(_report(name, value) for name, value in top.get("reports", missing).entries().items()),
        cache=_cache(top.get("cache", missing).entries(_CACHE)),
    )


def _version(version: Value) -> None:
    written = version.text("")
    if written == "0.1":
        raise version.refused("0.1 runs each command in a shell of its own, which is not carried out: write 0.2")
    if written != "0.2":
        raise version.refused(f"{written or 'no version'} is not supported: write version: 0.2")


def _phase(phase: Value) -> Phase:
    entries = phase.entries(_PHASE)
    missing = Value(None, f"{phase.name}.commands")
    commands = entries.get("commands", missing).texts()
    runtimes = entries.get("runtime-versions", missing).entries()
    if runtimes and phase.name != "phases.install":
        raise entries["runtime-versions"].refused("only the install phase has runtime versions")
    if not commands and not runtimes:
        raise Value(phase.node, missing.name).refused("the phase has no commands")
    for name, version in runtimes.items():
        refusal = check_runtime(name, version.text())
        if refusal:
            raise version.refused(refusal)
    return Phase(
        commands=commands,
        finally_commands=entries.get("finally", missing).texts(),
        on_failure=_on_failure(entries.get("on-failure", missing)),
        runtimes={name: version.text() for name, version in runtimes.items()},
        run_as=entries.get("run-as", missing).text(""),
    )


def _on_failure(value: Value) -> OnFailure:
    written = value.text("")
    if written in ("", "ABORT", "CONTINUE"):
        return OnFailure(written)
    retry = _RETRY.fullmatch(written)
    if retry is None:
        raise value.refused(
            f"{written!r} is none of ABORT, CONTINUE, RETRY, RETRY-<count>, RETRY-<regex>, RETRY-<count>-<regex>"
        )
    count = int(retry["count"] or _RETRIES)
    pattern = retry["pattern"] or ".*"
    try:
        re.compile(pattern)
    except re.error as error:
        raise value.refused(f"{pattern!r} is no regular expression: {error}") from error
    if not 0 < count <= 100:
        raise value.refused("the number of retries must be from 1 to 100")
    return OnFailure("RETRY", count, pattern)


def _map(value: Value) -> dict[str, str]:
    found = {}
    for name, item in value.entries().items():
        if _NAME.fullmatch(name) is None:
            raise item.refused(f"{name!r} is no name of an environment variable")
        found[name] = item.text("")
    return found


def _exported(value: Value, secret: set[str]) -> tuple[str, ...]:
    names = value.texts()
    for name in names:
        if name.startswith("AWS_"):
            raise value.refused(f"{name} cannot be exported: variables of AWS_ are CodeBuild's own")
        if name in secret:
            raise value.refused(f"{name} cannot be exported: its value is a secret")
    return names


def _artifacts(value: Value) -> tuple[ArtifactSpec | None, dict[str, ArtifactSpec]]:
    if not value.given:
        return None, {}
    entries = value.entries(_ARTIFACT | {"secondary-artifacts"})
    secondary = entries.pop("secondary-artifacts", Value(None, "secondary-artifacts"))
    named = {name: _artifact(item, item.entries(_ARTIFACT)) for name, item in secondary.entries().items()}
    # Where there are secondary artifacts the primary one may be left out.
    return (None if named and "files" not in entries else _artifact(value, entries)), named


def _artifact(value: Value, entries: dict[str, Value]) -> ArtifactSpec:
    missing = Value(None, value.name)
    files = entries.get("files", missing).texts()
    if not files:
        raise value.refused("an artifact needs files")
    if "s3-prefix" in entries:
        raise entries["s3-prefix"].refused("not carried out by local-aws; set the path of the project's artifacts")
    return ArtifactSpec(
        files=files,
        exclude=entries.get("exclude-paths", missing).texts(),
        base_directory=entries.get("base-directory", missing).text(""),
        discard_paths=entries.get("discard-paths", missing).flag(),
        keep_symlinks=entries.get("enable-symlinks", missing).flag(),
        name=entries.get("name", missing).text(""),
    )


def _report(group: str, value: Value) -> ReportSpec:
    entries = value.entries(_REPORT)
    missing = Value(None, value.name)
    files = entries.get("files", missing).texts()
    if not files:
        raise value.refused("a report needs files")
    written = entries.get("file-format", missing).choice("JUNITXML", *_FORMATS, *_COVERAGE).upper()
    if written != "JUNITXML":
        raise entries["file-format"].refused(f"{written} is not read by local-aws, only JUNITXML")
    entries.get("discard-paths", missing).flag()
    return ReportSpec(group, files, entries.get("base-directory", missing).text(""), written)


def _cache(entries: dict[str, Value]) -> CacheSpec:
    missing = Value(None, "cache")
    action = entries.get("action", missing).choice("both", "save", "restore", "both")
    return CacheSpec(
        paths=entries.get("paths", missing).texts(),
        key=entries.get("key", missing).text(""),
        fallback_keys=entries.get("fallback-keys", missing).texts(),
        save=action != "restore",
        restore=action != "save",
    )


__all__ = ["Buildspec", "YamlRefused", "parse"]
