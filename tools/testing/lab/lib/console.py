# SPDX-License-Identifier: GPL-2.0
"""Keeps the console of a VM and picks out what a kernel reports about itself.

    console.py LOG REPORTS < console

Every line goes to LOG. A line that starts a report (oops, WARN, lockdep, KASAN,
...) and the lines that belong to it go to REPORTS and, live, to standard error:

    [   12.3] ------------[ cut here ]------------
    [   12.3] WARNING: CPU: 0 PID: 1 at ...      <- starts a report
    [   12.3] Call Trace:
    [   12.3] ---[ end trace 0000000000000000 ]---   <- ends it
"""

import re
import signal
import sys

# Lines after the first one that are shown when nothing marks the end.
CONTEXT = 40

STAMP = r"^(?:<\d>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? "
START = re.compile(
    STAMP
    + r"(?:"
    + "|".join(
        (
            r"WARNING: ",
            r"BUG: ",
            r"kernel BUG at ",
            r"Oops",
            r"Kernel panic",
            r"general protection fault",
            r"Unable to handle",
            r"UBSAN: ",
            r"ODEBUG: ",
            r"refcount_t: ",
            r"rust_kernel: panicked",
            r"list_(?:add|del) corruption",
            r"INFO: possible ",
            r"INFO: trying to register non-static key",
            r"INFO: task .* blocked for more than",
            r"DEBUG_LOCKS_WARN_ON",
            r"=+ *WARNING: ",
            r"kmemleak: \d+ new suspected",
        )
    )
    + r")"
)
END = re.compile(r"---\[ end trace|^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ={40,}$")


def main() -> int:
    """Copies standard input until it ends."""
    # Ctrl-C ends the VM; what it still says is kept.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_path, reports_path = sys.argv[1:3]
    left = 0
    with open(log_path, "wb", buffering=0) as log, open(reports_path, "w", encoding="utf-8") as reports:
        for raw in iter(sys.stdin.buffer.readline, b""):
            raw = raw.rstrip(b"\r\n")
            log.write(raw + b"\n")
            line = raw.decode("utf-8", "replace")
            if left == 0 and START.search(line):
                left = CONTEXT
                print("lab: kernel report:", file=sys.stderr)
            if left:
                left -= 1
                if END.search(line):
                    left = 0
                print(line, file=reports, flush=True)
                print("  |", line, file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
