"""`python -m demo`: the walk. An interrupt before it begins, while it is imported, is an interrupt all the same."""

import sys

try:
    from demo.walk import main

    code = main()
except KeyboardInterrupt:
    print("Interrupted: nothing was started.", file=sys.stderr)
    code = 130
sys.exit(code)
