"""Runs a command and writes how long it took and how much memory it had at its peak.

    python -I -S measure.py RESULT COMMAND...

A process of its own, because the peak that the kernel reports for a child includes that of the process which
started it: this one is small (about 10 MB), one that holds data sets is not. RESULT is written as JSON:
seconds of wall time, peak resident bytes, and the exit code, which is also the exit code here.
"""

import os
import sys
import time

started = time.monotonic()
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.monotonic() - started
code = os.waitstatus_to_exitcode(status)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write('{"seconds": %.6f, "peak_bytes": %d, "code": %d}' % (seconds, usage.ru_maxrss * 1024, code))
sys.exit(code if code >= 0 else 128 - code)
