"""The one error of this package that its user can act on; the command line prints it as one sentence."""


class BuildError(Exception):
    """What was asked, what was found, what to do next."""
