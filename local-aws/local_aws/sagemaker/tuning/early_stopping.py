"""Early stopping of type Auto: the median rule, by which a training job unlikely to be the best is stopped.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

# The median of one or two earlier jobs says too little; AWS does not publish the number it waits for.
_ENOUGH = 3


def hopeless(values: Sequence[float], finished: Sequence[Sequence[float]], *, maximize: bool) -> bool:
    """Whether a training job with these values of the objective, one an epoch, should be stopped.

    `finished` holds the values of the earlier training jobs. The latest value is compared with the median of their
    running averages up to the same epoch; jobs that did not get that far have no say.
    """
    epoch = len(values)
    if epoch == 0:
        return False
    averages = [statistics.fmean(earlier[:epoch]) for earlier in finished if len(earlier) >= epoch]
    if len(averages) < _ENOUGH:
        return False
    median = statistics.median(averages)
    return values[-1] < median if maximize else values[-1] > median
