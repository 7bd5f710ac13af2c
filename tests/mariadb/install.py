"""Finds the MariaDB that the tests start, or unpacks one from Debian's packages: no root, nothing outside the folder.

Writes mariadb.json: the programs' folders and libraries, or the reason why there is none and its tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

SYSTEM = f"/usr/sbin{os.pathsep}/usr/local/sbin{os.pathsep}/usr/libexec{os.pathsep}"
PACKAGES = ("mariadb-server-core", "mariadb-client-core", "mariadb-client")
# By their names before and after Debian 13; a machine that has them needs none.
LIBRARIES = ("libaio1", "libaio1t64", "liburing2", "libnuma1")


def programs(path: str, **environment: str) -> dict[str, object]:
    """What the tests need to start it: raises `OSError` or `CalledProcessError` where it does not run."""
    found = {name: shutil.which(name, path=path) for name in ("mariadbd", "mariadb-install-db", "mariadb-dump")}
    missing = [name for name, program in found.items() if program is None]
    if missing:
        raise FileNotFoundError(f"there is no {' and no '.join(missing)}")
    subprocess.run(
        [str(found["mariadbd"]), "--no-defaults", "--version"],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    return {"programs": found, "environment": environment}


def from_packages(folder: Path) -> dict[str, object]:
    """MariaDB from this machine's own package source, unpacked into a folder."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise FileNotFoundError("this machine has neither MariaDB nor Debian's packages of it")
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for names in (PACKAGES, *((name,) for name in LIBRARIES)):
        done = subprocess.run(
            ["apt-get", "download", *names], cwd=packages, capture_output=True, text=True, check=False
        )
        if done.returncode and names is PACKAGES:
            raise FileNotFoundError(f"apt-get could not download MariaDB: {done.stderr.strip().splitlines()[-1]}")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(folder)], check=True)
    shutil.rmtree(packages)
    path = os.pathsep.join(str(folder / "usr" / name) for name in ("sbin", "bin"))
    libraries = [str(found) for root in ("usr/lib", "lib") for found in (folder / root).glob("*-linux-gnu*")]
    return programs(path, LD_LIBRARY_PATH=os.pathsep.join(libraries))


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        try:
            found = programs(SYSTEM + os.environ["PATH"])
        except FileNotFoundError:
            found = from_packages(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        found = {"missing": str(error)}
    (folder / "mariadb.json").write_text(json.dumps(found, indent=2))
    print(f"MariaDB for the tests: {found.get('programs', found)}")


if __name__ == "__main__":
    main()
