"""The agent of a build: it runs the commands of the phases in the build's shell, and says what it does in the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from local_aws.codebuild.buildspec import Phase
from local_aws.codebuild.failure import CLIENT_ERROR, COMMAND_EXECUTION_ERROR, PhaseFailed
from local_aws.codebuild.shell import Shell


class Agent:
    """Works with one shell; `scratch` is a file of its own, `say` writes a line of the log.

    Whatever it runs may raise `Stopped` and `OutOfTime`.
    """

    def __init__(self, shell: Shell, say: Callable[[str], None], scratch: Path) -> None:
        self._shell, self._say, self._scratch = shell, say, scratch

    def carry_out(self, name: str, phase: Phase, succeeding: bool) -> None:
        """Run the commands of a phase, again where its `on-failure` is a retry; raises `PhaseFailed`.

        `succeeding` is what the commands read in CODEBUILD_BUILD_SUCCEEDING.
        """
        if not succeeding:
            self._shell.run("export CODEBUILD_BUILD_SUCCEEDING=0")
        retry = phase.on_failure
        for left in range(retry.retries, -1, -1):
            try:
                self._commands(phase)
                return
            except PhaseFailed as failure:
                if left == 0 or re.search(retry.pattern, failure.message) is None:
                    raise
                self._say(f"{failure.message}: {name} is run again, at most {left} time(s) more")

    def expand(self, text: str) -> str:
        """A text with its variables and commands replaced, as the build's shell does it; raises `PhaseFailed`."""
        if "$" not in text and "`" not in text:
            return text
        quoted = text.replace('"', '\\"')
        status = self._shell.run(f'printf %s "{quoted}" > "{self._scratch}"')
        if status != 0:
            raise PhaseFailed(CLIENT_ERROR, f"the shell cannot expand {text}: exit status {status}")
        return self._scratch.read_text()

    def exported(self, names: tuple[str, ...], secret: frozenset[str]) -> list[dict[str, str]]:
        """The variables that the build hands on, as they are now; secrets stay."""
        variables = self._shell.variables
        for name in names:
            if name not in variables:
                self._say(f"The variable {name} is not set, and not exported")
            elif name in secret:
                self._say(f"The variable {name} is a secret, and not exported")
        return [{"name": name, "value": variables[name]} for name in names if name in variables and name not in secret]

    def _commands(self, phase: Phase) -> None:
        try:
            self._run(phase.commands)
        except PhaseFailed:
            self._run(phase.finally_commands)
            raise
        self._run(phase.finally_commands)

    def _run(self, commands: tuple[str, ...]) -> None:
        for command in commands:
            self._say(f"Running command {command}")
            status = self._shell.run(command)
            if status != 0:
                self._say(f"Command did not exit successfully {command} exit status {status}")
                reason = f"Error while executing command: {command}. Reason: exit status {status}"
                raise PhaseFailed(COMMAND_EXECUTION_ERROR, reason)
