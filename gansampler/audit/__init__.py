"""Audits of a model: does it take a shortcut, such as the scanner in place of the tumour?

`audit_model` asks pairs: the same patient as two scanners would show him, from a
translation or a transform. `find_shortcut` asks a table with labels and sites. Both return
an `Audit` with a verdict, its evidence and the features responsible.
"""

from ._counterfactual import audit_model
from ._result import Audit
from ._sites import find_shortcut

__all__ = ["Audit", "audit_model", "find_shortcut"]
