"""The functional forms of the layers and losses, under PyTorch's names and arguments."""

from .activation import *  # noqa: F403
from .adversarial import *  # noqa: F403
from .attention import *  # noqa: F403
from .conv import *  # noqa: F403
from .ctc import *  # noqa: F403
from .dropouts import *  # noqa: F403
from .further_losses import *  # noqa: F403
from .linear_maps import *  # noqa: F403
from .loss import *  # noqa: F403
from .margin_loss import *  # noqa: F403
from .normalization import *  # noqa: F403
from .pooling import *  # noqa: F403
from .shape import *  # noqa: F403
from .sparse import *  # noqa: F403
from .vision import *  # noqa: F403
