"""A container without a container engine: an image's interpreter, files and variables, and an /opt/ml of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath

from local_aws.clients import ACCESS_KEY, SECRET_KEY
from local_aws.cloud import Cloud
from local_aws.iam import container_credentials
from local_aws.images import Image
from local_aws.principal import ADMINISTRATOR, Principal
from local_aws.processes.keeper import ProcessSpec, Running

ML = "/opt/ml"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def is_inside(path: str) -> bool:
    """Whether a path of the container is /opt/ml or lies below it, without `..` on its way."""
    pure = PurePosixPath(path)
    return pure.is_relative_to(ML) and ".." not in pure.parts


class Container:
    """One container; `folder` is its own, and `folder/ml` is what its processes see as /opt/ml.

    Its processes are given the credentials of `role`, a session of a role or the administrator's.

    Where the platform gives no private mounts, processes are told host paths instead (`inside`), and text that names
    /opt/ml must go through `rewritten` before they read it.
    """

    def __init__(self, cloud: Cloud, image: Image, folder: Path, role: Principal = ADMINISTRATOR) -> None:
        self._cloud = cloud
        self._role = role
        self.image = image
        self.folder = folder
        self.python = image.python
        for name in ("ml", "tmp", "home"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._binds = ((str(folder / "ml"), ML), *image.binds)

    def path(self, inside: str) -> Path:
        """Where a path under /opt/ml lies on this machine; raises `ValueError` for one that leads out of it."""
        if not is_inside(inside):
            raise ValueError(f"{inside} leads out of {ML}")
        return self.folder / "ml" / Path(inside).relative_to(ML)

    def inside(self, path: str) -> str:
        """What the container's processes must call an absolute path of the container."""
        return path if self._cloud.keeper.has_rooms else self.rewritten(path)

    def rewritten(self, text: str) -> str:
        """Text with the container's folders replaced by the host's, where processes cannot see them at their place."""
        if self._cloud.keeper.has_rooms:
            return text
        for source, target in self._binds:
            text = text.replace(target, source)
        return text

    def start(
        self,
        name: str,
        command: list[str],
        environment: dict[str, str],
        log: Path,
        *,
        cwd: str | None = None,
        sources: Path | None = None,
    ) -> Running:
        """Start a process of this container; `name` is unique in this cloud.

        `command` is what the image's entry point and arguments come to. `sources`, the host folder of a Python script
        in `command[1]`, allows a start from a process that has its imports done.
        """
        argv = [self.rewritten(word) for word in command]
        if argv[0] in ("python", "python3"):
            argv[0] = str(self.python)
        workdir = cwd or self.image.workdir or "/"
        log.parent.mkdir(parents=True, exist_ok=True)
        return self._cloud.keeper.start(
            ProcessSpec(
                id=name,
                argv=argv,
                env={key: self.rewritten(value) for key, value in self._environment(environment).items()},
                cwd=self.rewritten(workdir),
                log=log,
                binds=self._binds if self._cloud.keeper.has_rooms else (),
                sources=sources,
            )
        )

    def remove(self) -> None:
        """Delete the container's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _environment(self, own: dict[str, str]) -> dict[str, str]:
        settings = self._cloud.settings
        cache = settings.home / "cache"
        path = f"{self.python.parent}:{self.image.environment.get('PATH', _SYSTEM_PATH)}"
        return {
            **self.image.environment,
            "PATH": path,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "PYTHONUNBUFFERED": "1",
            # Caches of an image are there when a container starts; here they are made once and shared.
            "XDG_CACHE_HOME": str(cache),
            "MPLCONFIGDIR": str(cache / "matplotlib"),
            "AWS_ENDPOINT_URL": settings.endpoint_url,
            **self._credentials(),
            "AWS_REGION": settings.region,
            "AWS_DEFAULT_REGION": settings.region,
            **own,
        }

    def _credentials(self) -> dict[str, str]:
        if self._role.role_arn is None:
            return {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        return container_credentials.environment(self._cloud, self._role)
