"""The page on PostgreSQL: its code runs."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

from tests.surface.rooms import PACKAGE

PAGE = (PACKAGE / "postgres" / "README.md").read_text()


async def test_the_program_on_the_page_runs(postgres: str, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    program = tmp_path / "program.py"
    program.write_text(code)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(program)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "POSTGRES_URL": postgres},
    )
    printed, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, complaints.decode()) == (0, "")
    assert len(printed.splitlines()) == 3


async def test_the_statements_on_the_page_run(sql: Any) -> None:
    setting_up, query = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    await sql.fetch(query)
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute(setting_up.replace("SCHEMA thingspace", "SCHEMA another"))
    await transaction.rollback()
