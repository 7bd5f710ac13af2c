"""The wine data set of this example: made, not measured, in the shape of the well-known one of Portuguese white wines.

`python wines.py` writes wine-quality.csv anew, the same bytes each time: 11 physical and chemical features, and a
quality from 3 to 9 that rises with alcohol and sulphates and falls with volatile acidity and density.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FEATURES = (
    "fixed acidity",
    "volatile acidity",
    "citric acid",
    "residual sugar",
    "chlorides",
    "free sulfur dioxide",
    "total sulfur dioxide",
    "density",
    "pH",
    "sulphates",
    "alcohol",
)
TARGET = "quality"
FILE = Path(__file__).with_name("wine-quality.csv")
_SEED = 20261121
_WINES = 800


def made() -> pd.DataFrame:
    """800 wines: acids, sugar, salt and sulphates in g/l, sulfur dioxide in mg/l, density in g/ml, alcohol in % vol."""
    draw = np.random.default_rng(_SEED)
    sugar = draw.gamma(1.3, 4.6, _WINES).clip(0.6, 40).round(1)
    alcohol = draw.normal(10.5, 1.2, _WINES).clip(8, 14.2).round(1)
    fixed = draw.normal(6.9, 0.85, _WINES).clip(3.8, 11).round(1)
    volatile = draw.gamma(8.5, 0.033, _WINES).clip(0.08, 1.1).round(2)
    free = draw.normal(35, 16, _WINES).clip(2, 120).round()
    sulphates = draw.normal(0.49, 0.11, _WINES).clip(0.22, 1.08).round(2)
    density = (0.9975 + 0.00040 * sugar - 0.00122 * (alcohol - 8) + 0.0004 * (fixed - 6.9)).round(5)
    wines = {
        "fixed acidity": fixed,
        "volatile acidity": volatile,
        "citric acid": draw.normal(0.33, 0.12, _WINES).clip(0, 1).round(2),
        "residual sugar": sugar,
        "chlorides": draw.gamma(9, 0.005, _WINES).clip(0.009, 0.3).round(3),
        "free sulfur dioxide": free,
        "total sulfur dioxide": (free + draw.normal(103, 32, _WINES).clip(10, 300)).round(),
        "density": density,
        "pH": (3.19 - 0.08 * (fixed - 6.9) + draw.normal(0, 0.12, _WINES)).round(2),
        "sulphates": sulphates,
        "alcohol": alcohol,
    }
    liked = 5.9 + 0.36 * (alcohol - 10.5) - 2.1 * (volatile - 0.28) + 0.9 * (sulphates - 0.49) + 0.004 * (free - 35)
    quality = (liked + draw.normal(0, 0.55, _WINES)).round().clip(3, 9).astype(int)
    return pd.DataFrame({**{name: wines[name] for name in FEATURES}, TARGET: quality})


if __name__ == "__main__":
    made().to_csv(FILE, index=False)
    print(f"{_WINES} wines: {FILE}")
