"""The model package: the model's directory as the model.tar.gz that SageMaker unpacks into /opt/ml/model.
The same files always make the same bytes, and the digest of its contents is its address in S3."""

import gzip
import hashlib
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

from model_deploy.errors import DeploymentError

_OWN_RIGHTS = {True: 0o755, False: 0o644}


@dataclass(frozen=True)
class Package:
    """A model.tar.gz on disk. `digest` is the SHA-256 (hex) of its contents before compression, `sha256` the file's."""

    path: Path
    digest: str
    sha256: str
    size: int

    def key(self, model_name: str) -> str:
        """Its key in the artifact bucket."""
        return f"models/{model_name}/{self.digest}/model.tar.gz"


def build_package(directory: Path, archive: Path) -> Package:
    """Pack a model's directory, its contents at the archive's root, as SageMaker asks for.

    Names are sorted; times, owners and the gzip header carry nothing of this machine. The digest is taken before
    compression, since another build of zlib may press the same contents into other bytes.
    https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html

    Raises:
        DeploymentError: something in the directory is neither a file nor a directory.
    """
    with archive.open("wb") as file:
        compressed = _HashingWriter(file)
        with gzip.GzipFile(
            filename="", mode="wb", compresslevel=6, fileobj=cast(IO[bytes], compressed), mtime=0
        ) as packed:
            contents = _HashingWriter(packed)
            with tarfile.open(mode="w", format=tarfile.PAX_FORMAT, fileobj=cast(IO[bytes], contents)) as tar:
                for path in sorted(directory.rglob("*"), key=lambda path: path.relative_to(directory).parts):
                    _add(tar, path, path.relative_to(directory).as_posix())
    return Package(archive, contents.hexdigest(), compressed.hexdigest(), archive.stat().st_size)


def contents_digest(stream: IO[bytes]) -> str:
    """The digest that `build_package` would have given the package read from this stream.

    Raises:
        DeploymentError: the stream holds no whole gzip file.
    """
    digest = hashlib.sha256()
    try:
        with gzip.GzipFile(fileobj=stream) as contents:
            while block := contents.read(1 << 20):
                digest.update(block)
    except (EOFError, OSError) as error:
        raise DeploymentError(f"it is no whole gzip file ({error})") from error
    return digest.hexdigest()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        raise DeploymentError(
            f"The model holds {name}, which is neither a file nor a directory: SageMaker could not unpack it. "
            "Log the model again without it."
        )
    entry = tarfile.TarInfo(name)
    executable = path.is_dir() or bool(path.stat().st_mode & 0o100)
    entry.type, entry.mode = tarfile.DIRTYPE if path.is_dir() else tarfile.REGTYPE, _OWN_RIGHTS[executable]
    if path.is_dir():
        tar.addfile(entry)
        return
    entry.size = path.stat().st_size
    with path.open("rb") as content:
        tar.addfile(entry, content)


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


class _HashingWriter:
    """Writes on, and takes the SHA-256 of what went through. It counts its position, which tarfile and gzip ask for."""

    def __init__(self, sink: _Sink) -> None:
        self._sink = sink
        self._digest = hashlib.sha256()
        self._position = 0

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        self._digest.update(data)
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is held back here."""

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
