"""The team's repository: a clone of this one, with the local cloud's git remote, in which a person commits and pushes.

A walk that comes later takes up where the last one left the remote: pins are moved by commits, never by force.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

REMOTE, BRANCH = "local", "main"
# Where the person who trains says why. This repository has no such file: it grows in the clones.
NOTES = "model-build/CHANGES.md"
PUSH_SECONDS = 120
# Neither hooks nor signatures of the person's own are wanted in a rehearsal.
SETTINGS = {
    "user.name": "Rehearsal",
    "user.email": "rehearsal@localhost",
    "commit.gpgsign": "false",
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
}


class GitFailed(Exception):
    """A git command that did not succeed; the message is what it said."""


@dataclass(frozen=True)
class Pins:
    """What buildspec.yml pins: a registered model, and its version as it stands there."""

    model_name: str
    model_version: str


@dataclass(frozen=True)
class Repository:
    """A clone in `folder`; `say` is given each line that git has for the person who pushes."""

    folder: Path
    say: Callable[[str], None]

    @classmethod
    def clone(cls, origin: Path, folder: Path, remote: str, say: Callable[[str], None]) -> Repository:
        """Clone `origin` as it is committed, on top of what the remote has, if it has anything.

        Raises `GitFailed` where `origin` is no git repository, or has no commit.
        """
        repository = cls(folder, say)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _git(folder.parent, "clone", "--quiet", str(origin), folder.name)
        for name, value in SETTINGS.items():
            repository.git("config", name, value)
        repository.git("checkout", "--quiet", "-B", BRANCH)
        repository.git("remote", "add", REMOTE, remote)
        if repository._was_pushed():
            repository._take_up()
        return repository

    def _was_pushed(self) -> bool:
        try:
            return bool(self.git("ls-remote", "--heads", REMOTE, BRANCH))
        except GitFailed as error:
            if "not found" in str(error):
                return False
            raise

    def _take_up(self) -> None:
        """Go on from the remote's branch: its history, its pins and its notes, and the files of the clone."""
        self.git("fetch", "--quiet", REMOTE, BRANCH)
        pins = read_pins(self.git("show", "FETCH_HEAD:buildspec.yml"))
        self.git("reset", "--quiet", "--soft", "FETCH_HEAD")
        if self.git("ls-tree", "--name-only", "FETCH_HEAD", NOTES):
            # Without them the push would look like a change of the training, and start a build of its own.
            self.git("checkout", "--quiet", "FETCH_HEAD", "--", NOTES)
        self.pin(pins.model_version)
        self.commit("Bring the rehearsal up to date")

    @property
    def pins(self) -> Pins:
        """The pins as they are in the working tree."""
        return read_pins((self.folder / "buildspec.yml").read_text())

    def note(self, line: str) -> None:
        """Do what a person does to train: write into the notes why."""
        path = self.folder / NOTES
        noted = path.read_text() if path.exists() else "# Why it was trained\n\n"
        path.write_text(f"{noted}- {line}\n")

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def pin(self, version: str) -> bool:
        """Do what a person does to release: write the version into buildspec.yml. False if it stands there already."""
        path = self.folder / "buildspec.yml"
        before = path.read_text()
        after = re.sub(r"(?m)^(\s*MODEL_VERSION:)[^#\n]*?(\s*#.*)?$", rf'\1 "{version}"\2', before, count=1)
        path.write_text(after)
        return after != before

    def commit(self, message: str) -> bool:
        """Commit whatever has changed; False if nothing has."""
        self.git("add", "--all")
        if not self.git("status", "--porcelain"):
            return False
        self.git("commit", "--quiet", "--no-verify", "--message", message)
        return True

    def push(self) -> str:
        """`git push local main`, with what the remote says; the commit that was pushed."""
        pushed = _git(self.folder, "push", REMOTE, BRANCH, seconds=PUSH_SECONDS)
        for line in pushed.stderr.splitlines():
            if line.startswith("remote: ") and line.removeprefix("remote: ").strip():
                self.say(line.rstrip())
        return self.head

    def git(self, *arguments: str) -> str:
        """Run a git command in the clone; what it prints."""
        return _git(self.folder, *arguments).stdout.strip()


def has_own_work(folder: Path) -> bool:
    """Whether a clone holds what no remote has: changed files, or commits of any branch that were never pushed."""
    if not (folder / ".git").exists():
        return False
    unpushed = _git(folder, "log", "--oneline", "--branches", "--not", "--remotes").stdout
    return bool(unpushed.strip() or _git(folder, "status", "--porcelain").stdout.strip())


def read_pins(buildspec: str) -> Pins:
    """The pinned model and version that a buildspec hands to its commands."""
    variables = yaml.safe_load(buildspec)["env"]["variables"]
    return Pins(str(variables["MODEL_NAME"]), str(variables["MODEL_VERSION"]))


def _git(folder: Path, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    # Run by a hook, git would be told of the repository that the hook is of.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_DIR")}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**environment, "GIT_TERMINAL_PROMPT": "0"},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise GitFailed(f"git {arguments[0]} did not end within {seconds:.0f} s.") from error
    if done.returncode != 0:
        raise GitFailed(f"git {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done
