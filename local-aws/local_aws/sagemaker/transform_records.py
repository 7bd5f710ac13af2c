"""How batch transform cuts an input object into requests, and puts the answers together again.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SINGLE_RECORD, LINE = "SingleRecord", "Line"


class RecordTooLarge(Exception):
    """A record that is larger than a request may be; the message says by how much."""


def payloads(data: bytes, split: str, strategy: str, limit: int) -> Iterator[bytes]:
    """The bodies of the requests for one object.

    Without a split the object goes as one body, whatever its size. Split by line, a body holds one line
    (`SingleRecord`) or as many whole lines as fit into `limit` bytes (0: as many as there are).
    Raises `RecordTooLarge`.
    """
    if split != LINE:
        if limit and len(data) > limit:
            raise RecordTooLarge(f"the object has {len(data)} bytes, a request may have {limit}")
        yield data
        return
    batch: list[bytes] = []
    size = 0
    for number, line in enumerate(data.split(b"\n"), start=1):
        record = line.rstrip(b"\r")
        if not record:
            continue
        if limit and len(record) > limit:
            raise RecordTooLarge(f"line {number} has {len(record)} bytes, a request may have {limit}")
        if batch and (strategy == SINGLE_RECORD or (limit and size + len(record) + 1 > limit)):
            yield b"\n".join(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record) + 1
    if batch:
        yield b"\n".join(batch)


def assemble(answers: Iterable[bytes], how: str) -> bytes:
    """The output object: the answers one after another, each ending its line when `how` is `Line`."""
    if how != LINE:
        return b"".join(answers)
    return b"".join(answer if answer.endswith(b"\n") else answer + b"\n" for answer in answers)
