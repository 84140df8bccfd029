"""Warnings of this package, named so that they can be filtered one by one."""


class GansamplerWarning(UserWarning):
    """Base class of the warnings below."""


class SmallClassWarning(GansamplerWarning):
    """A class has too few rows to learn its own dependence between columns."""


class CopyWarning(GansamplerWarning):
    """Some returned rows could not be replaced by rows that pass the copy check."""


class DiagnosisWarning(GansamplerWarning):
    """The synthetic rows of a class are not healthy; the message says what to change."""
