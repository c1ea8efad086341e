"""The two ways a run can stop: the user's mistake (one clear line) and a failure (a log)."""


class UserError(Exception):
    """The user's own mistake: one line that names the field or file and what was expected."""


class StepError(Exception):
    """A step failed although its input was right; the message says where the log is."""
