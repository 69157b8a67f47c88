"""The operations, by family. Importing this package registers them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    activation,
    arithmetic,
    compare,
    convert,
    creation,
    decompositions,
    elementwise,
    index,
    joining,
    layout,
    linalg,
    order,
    pieces,
    random,
    reduce,
    scattering,
    second_names,
    shape,
    special,
    statistics,
    transcendental,
)
from .in_place import complete as _complete

if TYPE_CHECKING:
    from .functions import *  # the same names, with the types of what decorators make of them
    from .functions import __all__ as __all__
else:
    from .activation import *
    from .arithmetic import *
    from .compare import *
    from .convert import *
    from .creation import *
    from .decompositions import *
    from .elementwise import *
    from .index import *
    from .joining import *
    from .layout import *
    from .linalg import *
    from .order import *
    from .pieces import *
    from .random import *
    from .reduce import *
    from .scattering import *
    from .second_names import *
    from .shape import *
    from .special import *
    from .statistics import *
    from .transcendental import *

    __all__: list[str] = []  # the names of the operations, without the modules': minigrad.linalg is another one
    __all__ += activation.__all__
    __all__ += arithmetic.__all__
    __all__ += compare.__all__
    __all__ += convert.__all__
    __all__ += creation.__all__
    __all__ += decompositions.__all__
    __all__ += elementwise.__all__
    __all__ += index.__all__
    __all__ += joining.__all__
    __all__ += layout.__all__
    __all__ += linalg.__all__
    __all__ += order.__all__
    __all__ += pieces.__all__
    __all__ += random.__all__
    __all__ += reduce.__all__
    __all__ += scattering.__all__
    __all__ += second_names.__all__
    __all__ += shape.__all__
    __all__ += special.__all__
    __all__ += statistics.__all__
    __all__ += transcendental.__all__

_complete(globals())
