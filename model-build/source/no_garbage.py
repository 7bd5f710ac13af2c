"""Imported before the libraries: looking for garbage, of which imports leave none, would take an eighth of the seconds
in which a training starts. `train.main` has it looked for again."""

import gc

gc.disable()
