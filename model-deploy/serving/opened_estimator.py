"""The estimator of a logged model, opened by skops, which builds only types that it knows or was told to trust.

https://skops.readthedocs.io/en/stable/persistence.html"""

from typing import Any

import skops.io
from logged_model import LoggedModel
from refusals import StartRefused
from skops.io.exceptions import UntrustedTypesFoundException

# The list of trusted types comes with the model, so the model must not be able to trust just anything: only what these
# packages define. A model with types of another package needs that package in requirements.txt and its name here.
TRUSTED_PACKAGES = frozenset({"collections", "numpy", "pandas", "scipy", "sklearn"})


def open_estimator(model: LoggedModel) -> Any:
    """Open the model's estimator.

    Raises StartRefused when it asks for trust it does not get, cannot be opened, or is not what the signature and the
    MLmodel file say it is.
    """
    foreign = [name for name in model.trusted_types if name.split(".")[0] not in TRUSTED_PACKAGES]
    if foreign:
        raise StartRefused(
            f"The model asks to trust types that this endpoint does not: {', '.join(foreign)}. "
            f"It trusts types of {', '.join(sorted(TRUSTED_PACKAGES))} (TRUSTED_PACKAGES in opened_estimator.py)."
        )
    try:
        estimator = skops.io.load(model.model_file, trusted=list(model.trusted_types))
    except UntrustedTypesFoundException as error:
        raise StartRefused(f"The model holds types that were not listed when it was logged: {error}") from error
    except Exception as error:  # a damaged file fails in as many ways as there are types in it
        raise StartRefused(f"{model.model_file} cannot be opened: {type(error).__name__}: {error}") from error
    if not hasattr(estimator, model.predict_method):
        raise StartRefused(f"The model, a {type(estimator).__name__}, has no {model.predict_method}.")
    taken, signed = getattr(estimator, "n_features_in_", None), len(model.signature.columns)
    if taken is not None and taken != signed:
        raise StartRefused(f"The model was fitted with {taken} columns, but its signature has {signed}.")
    return estimator
