"""The operations, by family. Importing this package registers them all."""

from .activation import *
from .compare import *
from .convert import *
from .creation import *
from .elementwise import *
from .index import *
from .linalg import *
from .random import *
from .reduce import *
from .shape import *
