"""Packages of other people add methods by an entry point."""

import os
import subprocess
import sys


def test_outside_packages_register_by_entry_point(tmp_path):
    (tmp_path / "outside.py").write_text(
        "from dataclasses import dataclass\nfrom methods.base import Method\nfrom methods.registry import register\n"
        "@register('outside', label='Outside', source='a test')\n@dataclass(frozen=True)\nclass Outside(Method):\n"
        "    '''Nothing.'''\n"
    )
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hydrabench.methods]\noutside = outside\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "benchmark", "list", "methods"]
    shown = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert "Outside" in shown.stdout
