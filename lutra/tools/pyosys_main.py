"""Yosys from the `pyosys` package as a command: `-p commands` or `-s script`. A process of its own, so that a crash
or an interrupt of the native library does not take the caller with it.
"""

from __future__ import annotations

import sys


def main(args: list[str]) -> int:
    """Run the commands in one design; the log goes to standard output. Yosys itself ends the process on an error."""
    from pyosys import libyosys

    quiet = "-q" in args
    rest = [a for a in args if a != "-q"]
    if len(rest) != 2 or rest[0] not in ("-p", "-s"):
        sys.stderr.write("usage: [-q] (-p commands | -s script)\n")
        return 2
    if not quiet:
        libyosys.log_to_stream(sys.stdout)
    libyosys.run_pass(rest[1] if rest[0] == "-p" else f"script {rest[1]}", libyosys.Design())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
