# (C) The authors of this check 2026-present
# All rights reserved
# Licensed under the Apache License, Version 2.0 (see LICENSE)
from .__about__ import __version__
from .python import PythonCheck

__all__ = ['__version__', 'PythonCheck']
