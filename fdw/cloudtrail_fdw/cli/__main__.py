"""``python -m cloudtrail_fdw.cli``, for where the program itself is not on PATH."""

from __future__ import annotations

from cloudtrail_fdw.cli import main

main(prog_name="cloudtrail-fdw")
