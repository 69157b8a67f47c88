"""Looking inside: what a network costs, what its units see, how its gradients come about."""

from .doctor import Diagnosis, Finding, doctor
from .explore import explore
from .graph import Graph, GraphNode, Kept, graph
from .steps import HandedOn, Step, Steps, steps
from .summary import LayerSummary, Summary, summary
from .trace import Call, trace
from .why import Path, Why, backward, why
