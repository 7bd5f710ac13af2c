"""The providers of actions: one module each, entered into the table of `protocol`."""
