"""Every operation, in files by family. An op file imports only the files listed before it."""

# isort: off
from . import shape
from . import elementwise
from . import comparison
from . import special
from . import activation
from . import reduce
from . import index
from . import linalg
from . import decomposition
from . import measure
from . import gamma
from . import conv
from . import pool
from . import fused
from . import attention
from . import normalization
from . import embedding
from . import recurrent
from . import distance
from . import random
from . import wirtinger
from . import loss
