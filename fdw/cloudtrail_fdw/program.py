"""The program ``cloudtrail-fdw``, outside of ``cli`` so that a broken import has an exit status."""

from __future__ import annotations

import sys

from cloudtrail_fdw.errors import INTERRUPTED


def run() -> None:
    """Run the command line; ends the process.

    What cannot be imported ends it with 1, and ``check``, where 1 means findings, with 2.
    """
    failed = 2 if sys.argv[1:2] == ["check"] else 1
    try:
        from cloudtrail_fdw.cli import main
    except KeyboardInterrupt:
        sys.exit(2 if failed == 2 else INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - a shared object may raise anything
        text = " ".join(f"{type(error).__name__}: {error}".split())
        sys.stderr.write(f"Error: cloudtrail-fdw cannot start: {text}\n")
        sys.exit(failed)
    main(prog_name="cloudtrail-fdw")


if __name__ == "__main__":
    run()
