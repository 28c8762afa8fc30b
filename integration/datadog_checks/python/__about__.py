# (C) The authors of this check 2026-present
# All rights reserved
# Licensed under the Apache License, Version 2.0 (see LICENSE)
__version__ = '0.1.0'
