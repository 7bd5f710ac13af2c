"""The images that a build in privileged mode has: what it has built or pulled, and it alone knows.

home/images/uris    docker/<build>/<tag> names an image of one build, and goes with the build
"""

from __future__ import annotations

from pathlib import Path

from local_aws.images import ImageFolder, ImageRecord
from local_aws.images_build import build

_DAEMON = "docker"


class NoSuchImage(Exception):
    """A name that no image has; the message says which there are."""


class Daemon:
    """The images that one build knows: those it has built or pulled, by their tags."""

    def __init__(self, home: Path, build: str) -> None:
        self.home = home
        self._images = ImageFolder(home)
        self._prefix = prefix(build)

    def build(self, tag: str, context: Path, arguments: dict[str, str]) -> ImageRecord:
        return build(self.home, self._prefix + tagged(tag), context, arguments)

    def find(self, tag: str) -> ImageRecord:
        """The image of a tag; raises `NoSuchImage`."""
        found = self._images.find(self._prefix + tagged(tag))
        if found is None:
            raise NoSuchImage(f"No such image: {tag} (this build has: {', '.join(self.tags()) or 'none'})")
        return found

    def keep(self, tag: str, record: ImageRecord) -> None:
        self._images.keep(self._prefix + tagged(tag), record)

    def publish(self, uri: str, record: ImageRecord) -> None:
        """Have the whole cloud know an image by its URI."""
        self._images.keep(uri, record)

    def pull(self, uri: str) -> ImageRecord:
        found = self._images.find(uri)
        if found is None:
            raise NoSuchImage(f"{uri} cannot be pulled: no image of that name was pushed to this cloud")
        self.keep(uri, found)
        return found

    def tags(self) -> list[str]:
        return [uri.removeprefix(self._prefix) for uri in self._images.uris() if uri.startswith(self._prefix)]


def prefix(build: str) -> str:
    """What the names of a build's own images begin with among those of the cloud."""
    return f"{_DAEMON}/{build.rpartition(':')[2]}/"


def tagged(name: str) -> str:
    """A name with its tag, `latest` where it has none."""
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
