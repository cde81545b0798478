# SPDX-License-Identifier: MIT
"""Burns one CPU until it is ended."""

import os

os.write(1, b"spinning\n")
while True:
    pass
