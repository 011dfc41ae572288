"""Take the pictures of README.md: pages of real loads of this repository's history, in a browser.

    make pictures

Needs Chromium on the PATH (Debian: apt-get install chromium).
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from wherescape import WhereScape
from wherescape.cli.demo import KINDS, LOAD_SCRIPT, METADATA_SCRIPT
from wherescape.repository import FACT_TABLES
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer
from wherescape.testing import json_answer
from wherescape.validators.fact_dimension_join import check_fact_dimension_join

PROJECT = Path(__file__).resolve().parent.parent
PICTURES = PROJECT / "docs" / "pictures"
WIDTH = 1_200
LOADS = 6
HEADLESS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
STAR = """
    CREATE TABLE star.fact_commit AS
    SELECT 1 + length(author_name) AS dim_author_key,
           CASE WHEN title LIKE 'Merge%' OR title LIKE '%;%' THEN 0 ELSE 1 END AS dim_issue_key,
           CASE WHEN extract(hour FROM committed_date) < 6 THEN NULL ELSE 1 END AS dim_shift_key
      FROM load.load_gitlab_commit;
"""
KEYS = ("dim_author_key", "dim_issue_key", "dim_shift_key")


def main() -> None:
    chromium = shutil.which("chromium") or sys.exit("There is no chromium on the PATH: apt-get install chromium.")
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as name, RedServer() as red, GitLabServer(PROJECT) as gitlab:
        folder = Path(name)
        load(red, gitlab, folder)
        run(red, "status", "--html", str(folder / "status.html"))
        largest = max((red.workdir / "runs").glob("load_gitlab_commit_*.html"), key=lambda page: page.stat().st_size)
        shutil.copy(largest, folder / "report.html")
        shutil.copy(check(red), folder / "check.html")
        for page, height in (("status", 640), ("report", 1_120), ("check", 560)):
            take(chromium, folder / f"{page}.html", height)


def load(red: RedServer, gitlab: GitLabServer, folder: Path) -> None:
    """Load as the demonstration does, in full each time but the last, of which one fails."""
    scripts = {"metadata": METADATA_SCRIPT, "load": LOAD_SCRIPT}
    for what, text in scripts.items():
        (folder / f"{what}.py").write_text(text, encoding="utf-8")
    source = {"url": gitlab.url, "apikey": gitlab.token}
    drawn = {"WHERESCAPE_REPORT_PAGE": "on"}
    for kind in KINDS:
        red.register_load_table(f"load_gitlab_{kind}")
        red.run_host_script(folder / "metadata.py", f"load_gitlab_{kind}", source_config=source)
        red.create_table(f"load_gitlab_{kind}")
    for number in range(LOADS):
        for kind in KINDS:
            if number < LOADS - 1:
                red.write_parameter(f"HWM_load_gitlab_{kind}", "")
            if kind == "tag" and number == LOADS - 1:
                gitlab.fail_next(json_answer({"message": "403 Forbidden"}, 403), times=9)
            red.run_host_script(
                folder / "load.py", f"load_gitlab_{kind}", source_config=source, environment=drawn, timeout=60
            )
            gitlab.mend()
    red.write_parameter("HWM_load_gitlab_commit", "")
    red.run_host_script(folder / "load.py", "load_gitlab_commit", source_config=source, environment=drawn)


def check(red: RedServer) -> Path:
    """Check a fact table that is made of the commits, and return the page."""
    red.query_warehouse(STAR)
    red.register_warehouse_table(FACT_TABLES, "fact_commit", [(key, "integer", "2") for key in KEYS])
    wherescape = WhereScape(red.environment("load_gitlab_commit"))
    try:
        return check_fact_dimension_join(wherescape=wherescape).page
    finally:
        wherescape.close()


def run(red: RedServer, *arguments: str) -> None:
    command = [sys.executable, "-c", "from wherescape.cli import main; main()", *arguments]
    subprocess.run(command, env=red.environment("load_gitlab_commit"), check=True)


def take(chromium: str, page: Path, height: int) -> None:
    picture = PICTURES / f"{page.stem}.png"
    with TemporaryDirectory() as profile:
        size = [f"--user-data-dir={profile}", f"--window-size={WIDTH},{height}", f"--screenshot={picture}"]
        subprocess.run([chromium, *HEADLESS, *size, page.as_uri()], check=True, capture_output=True)
    print(f"{picture.relative_to(PROJECT)}: {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
