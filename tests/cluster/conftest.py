"""A real Slurm of the tests' own, on loopback; tests are skipped, and say why, where there can be none."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clusterbench import CHECKOUT, Bench

PLUG = Path(__file__).parent / "plug"
PORT = 27310
sys.path.insert(0, str(PLUG))  # as if the package of plug/ were installed

SLOW = {"slow", "low", "minute"}  # in these, test-slow dawdles until the test lets it hurry
PROFILES = {
    "test": {"tflops": 0.00005, "job_minutes": 5, "array_parallelism": 2},
    "slow": {},
    "low": {"partition": "low"},
    "minute": {"time": "1m", "job_minutes": 1},
    "gpu": {"gres": "gpu:1", "runs_per_gpu": 2},
    "too-much": {"gres": "gpu:1", "constraint": "h100"},
}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """A running dev cluster; the folder that holds it. DEV_CLUSTER_INSTALL lets it install packages."""
    if os.getuid() != 0 or not shutil.which("dpkg-query"):
        pytest.skip("a Slurm of one's own needs root on Debian or Ubuntu")
    home = Path(tempfile.mkdtemp(prefix="hb", dir="/tmp"))  # short, for unix sockets
    os.environ |= {"DEV_CLUSTER_HOME": str(home), "DEV_CLUSTER_PORT": str(PORT)}
    install = ["--install"] if os.environ.get("DEV_CLUSTER_INSTALL") else []
    started = subprocess.run([CHECKOUT / "slurm" / "dev-cluster", "up", *install], capture_output=True, text=True)
    try:
        if "missing packages" in started.stderr or "apt-get failed" in started.stderr:
            pytest.skip(started.stderr.strip().splitlines()[-1])
        assert started.returncode == 0, started.stderr
        os.environ["SLURM_CONF"] = str(home / "etc" / "slurm.conf")
        os.environ["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT), str(PLUG)])
        _write_profiles(home)
        yield home
    finally:
        subprocess.run([CHECKOUT / "slurm" / "dev-cluster", "down", "--purge"], check=True, capture_output=True)


def _write_profiles(home: Path) -> None:
    folder = home / "config" / "hydrabench" / "profiles"
    folder.mkdir(parents=True)
    for name, changes in PROFILES.items():
        content = {"executor": "slurm", "partition": "main", "memory": "1GB"} | changes
        if name in SLOW:
            content["environment"] = {"HYDRATEST_SLOW": str(home / "slow")}
        (folder / f"{name}.yaml").write_text(json.dumps(content))  # JSON is YAML
    os.environ["XDG_CONFIG_HOME"] = str(home / "config")


@pytest.fixture
def bench(cluster: Path, tmp_path: Path) -> Callable[..., Bench]:
    """The command line on a store of the test's own, for methods, sizes, seeds and further selectors."""
    slow = cluster / "slow"
    slow.touch()

    def make(methods: str, sizes: str = "2", seeds: str = "0", epochs: int = 1) -> Bench:
        settings = [f"protocol.epochs={epochs}", "protocol.images_per_class=3"]
        words = ["demo", "--method", methods, "--samples-per-class", sizes, "--seeds", seeds]
        return Bench(tmp_path / "store", slow, *words, *(word for text in settings for word in ("--set", text)))

    return make
