"""Yosys from the `pyosys` package as a command: `-p commands` or `-s script`. A process of its own, so that a crash
or an interrupt of the native library does not take the caller with it.
"""

from __future__ import annotations

import sys


def main(args: list[str]) -> int:
    """Run the commands in one design; the log goes to standard output. Yosys itself ends the process on an error."""
    from pyosys import libyosys

    if len(args) != 2 or args[0] not in ("-p", "-s"):
        sys.stderr.write("usage: -p commands | -s script\n")
        return 2
    libyosys.run_pass(f"script {args[1]}" if args[0] == "-s" else args[1], libyosys.Design())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
