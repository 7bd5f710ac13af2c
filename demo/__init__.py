"""The walk through all rooms on one machine: the only code, with the tests, that knows them all."""
