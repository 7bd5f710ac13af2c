"""What Hyperband rations: how many values of the objective metric, one an epoch, a training job may emit.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_HyperbandStrategyConfig.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_aws.errors import validation_error

_EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
_MOST = 20_000


@dataclass(frozen=True)
class Resource:
    """A training job is not stopped before it emitted `least` values, and is stopped once it emits more than `most`."""

    least: int
    most: int

    @staticmethod
    def parse(config: dict[str, Any], template: dict[str, Any]) -> Resource:
        """From HyperbandStrategyConfig, or the most from a static hyperparameter that names epochs.

        Raises `AwsError` (ValidationException) where the most is not known, too large, or below the least.
        """
        given = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
        most = given.get("MaxResource") or _epochs(template.get("StaticHyperParameters", {}))
        if most is None:
            raise validation_error(
                "The Hyperband strategy needs MaxResource in HyperbandStrategyConfig, "
                f"or one of the static hyperparameters {', '.join(_EPOCHS)} as a whole number"
            )
        least = given.get("MinResource", 1)
        if least > most:
            raise validation_error(f"MinResource ({least}) must be less than or equal to MaxResource ({most})")
        if most > _MOST:
            raise validation_error(f"MaxResource ({most}) must be less than or equal to {_MOST}")
        return Resource(least, most)


def _epochs(static: dict[str, str]) -> int | None:
    numbers = (static[key].strip('"') for key in _EPOCHS if key in static)
    return next((int(number) for number in numbers if number.isdecimal() and int(number) > 0), None)
