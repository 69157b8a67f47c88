"""Looking inside: what a network costs, what its units see, how its gradients come about."""

from .doctor import Diagnosis, Finding, doctor
from .summary import LayerSummary, Summary, summary
from .trace import Call, trace
