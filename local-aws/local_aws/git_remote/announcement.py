"""What a push is answered with: the pipelines it started and where to watch them, or why it started none."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from local_aws.git_remote import repository

if TYPE_CHECKING:
    from local_aws.cloud import Cloud
    from local_aws.git_remote.push import Push

# Two pushes at once: what they start is started one after the other, in the order in which they arrived.
_ARRIVING = threading.Lock()


def of(cloud: Cloud, push: Push) -> Sequence[str]:
    """Do what follows from a push, and tell it in lines for the one who pushed."""
    with _ARRIVING:
        repository.settle_head(cloud, push.repository)
        return []
