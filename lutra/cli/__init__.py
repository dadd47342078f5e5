"""The command line: `lutra build`, `check`, `explain`, `simulate`, `run`, `report`, `devices`, `boards`, `doctor`,
`demo`, `zoo`, `train`, `crop`, `quantize`.

Exit codes: 0 done, 1 a fault of Lutra's own, 2 something the user can mend (one sentence says what), 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from lutra import LutraError, __version__
from lutra.cli import build, check, console, crop, demo, explain, quantize, simulate, tables, train, zoo


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lutra")
def commands() -> None:
    """From a quantised neural network to a verified FPGA accelerator."""


for command in (build.build, check.check, explain.explain, simulate.simulate, simulate.run, tables.report,
                tables.devices, tables.boards, tables.doctor, demo.demo, zoo.zoo, train.train, crop.crop,
                quantize.quantize):
    commands.add_command(command)


def call(argv: Sequence[str]) -> int:
    """Run one command line; its exit code. LUTRA_DEBUG=1 lets internal errors through with their traceback."""
    try:
        code = commands.main(args=list(argv), prog_name="lutra", standalone_mode=False)
    except click.ClickException as e:
        e.show()
        return e.exit_code
    except (KeyboardInterrupt, click.Abort):
        console.say("interrupted; nothing half-written is left, and finished steps are kept")
        return 130
    except LutraError as e:
        console.fail(str(e))
        return 2
    except Exception as e:
        if os.environ.get("LUTRA_DEBUG"):
            raise
        console.fail(f"internal error: {type(e).__name__}: {e} (please report it; LUTRA_DEBUG=1 shows the traceback)")
        return 1
    return code if isinstance(code, int) else 0


def main() -> None:
    """The `lutra` command."""
    sys.exit(call(sys.argv[1:]))
