"""The receiving side as shipped: a real OpenSSH with the configuration and an account of `deploy/receive`."""

from __future__ import annotations

import grp
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pull_world import PullWorld, _listens, free_port, keygen, until

RECEIVE = Path(__file__).resolve().parents[2] / "deploy" / "receive"
NAME, OTHER = "harmonia_one", "harmonia_two"
pytestmark = pytest.mark.slow


@dataclass
class Receiving:
    folder: Path
    port: int

    def ssh(self, program: str, *arguments: str, key: str = NAME, user: str = NAME, text: str = "") -> subprocess.CompletedProcess[str]:
        options = [f"-oUserKnownHostsFile={self.folder}/known", "-oStrictHostKeyChecking=yes", "-oBatchMode=yes", "-oIdentitiesOnly=yes"]
        port = [f"-oPort={self.port}", f"-oUser={user}", "-i", str(self.folder / key)]
        command = [program, *options, *port, *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=20, check=False)

    def sftp(self, commands: str, *, key: str = NAME, user: str = NAME) -> subprocess.CompletedProcess[str]:
        return self.ssh("sftp", "-b", "-", "127.0.0.1", key=key, user=user, text=commands)


@pytest.fixture(scope="module")
def server() -> Iterator[Receiving]:
    """The shipped server on another port and below another folder, with the capabilities that its unit leaves it."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("sshd", "useradd", "setpriv"))):
        pytest.skip("needs root, OpenSSH's server and setpriv")
    folder = Path(tempfile.mkdtemp(prefix="receive-", dir="/srv"))  # every folder above a chroot must be root's alone
    folder.chmod(0o755)
    one = Receiving(folder, free_port())
    host_key = keygen(folder / "host")
    (folder / "known").write_text(f"[127.0.0.1]:{one.port} {host_key}\n")
    configuration = (RECEIVE / "sshd_config").read_text().replace("Port 2222", f"Port {one.port}\nListenAddress 127.0.0.1")
    configuration = configuration.replace("/etc/harmonia/receive/host_key", f"{folder}/host")
    configuration = configuration.replace("/etc/harmonia/receive/keys", f"{folder}/keys").replace("/srv/harmonia/receive", f"{folder}/in")
    (folder / "sshd_config").write_text(configuration)
    known = {group.gr_name for group in grp.getgrall()}
    places = {"": "in", "_KEYS": "keys", "_HOST_KEY": "host.pub"}
    environment = os.environ | {f"HARMONIA_RECEIVE{what}": f"{folder}/{place}" for what, place in places.items()}
    unit = (RECEIVE / "harmonia-receive.service").read_text()
    left = re.search("^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)
    assert left
    bounds = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in left[1].split())])
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    try:
        for name in (NAME, OTHER):
            keygen(folder / name)
            adding = [RECEIVE / "add-institution", name, folder / f"{name}.pub"]
            subprocess.run(adding, env=environment, check=True, capture_output=True)
        sshd = [str(shutil.which("sshd")), "-D", "-e", "-f", str(folder / "sshd_config")]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(["setpriv", f"--bounding-set={bounds}", "--no-new-privs", *sshd], stderr=log)
        try:
            until(lambda: _listens(one.port))
            yield one
        finally:
            process.terminate()
            process.wait()
    finally:
        for name in (NAME, OTHER):
            subprocess.run(["userdel", name], capture_output=True, check=False)
        for group in {"harmonia", "harmonia-senders"} - known:
            subprocess.run(["groupdel", group], capture_output=True, check=False)
        shutil.rmtree(folder)


def test_an_upload_is_pulled_and_landed(server: Receiving, tmp_path: Path) -> None:
    world = PullWorld(tmp_path)
    world.offer()
    done = server.sftp(f"put -r {world.there / '2013-Q2'}\n")
    assert done.returncode == 0, done.stderr
    exports = server.folder / "in" / NAME / "exports"
    assert oct((exports / "2013-Q2" / "rastet.csv").stat().st_mode & 0o777) == "0o640"
    world.declare("police", kind="share", path=str(exports))
    assert world.results() == [("police", "2013-Q2", "pulled", "2013-Q2")]
    world.land()
    assert set(world.landed_files()) == {("police", "2013-Q2")}


def test_an_institution_sees_its_own_folder_alone(server: Receiving) -> None:
    assert server.sftp("ls /\n").stdout.split()[-1] == "/exports"
    for commands in (
        "ls /../" + OTHER,
        "get /etc/passwd /dev/null",
        "cd ..\nput /etc/hostname /x",
        "symlink /etc/passwd a\nget a /dev/null",
    ):
        assert server.sftp(commands + "\n").returncode != 0
    (server.folder / "in" / OTHER / "exports" / "theirs").write_text("x")
    assert "theirs" not in server.sftp("ls -R /\n").stdout


@pytest.mark.parametrize(("key", "user"), [(OTHER, NAME), (NAME, OTHER), (NAME, "root"), (NAME, "nobody")])
def test_a_key_opens_its_own_account_alone(server: Receiving, key: str, user: str) -> None:
    done = server.sftp("ls\n", key=key, user=user)
    assert done.returncode != 0
    assert "Permission denied (publickey)" in done.stderr


def test_there_is_no_shell_command_or_forwarding(server: Receiving) -> None:
    assert "uid=" not in server.ssh("ssh", "-T", "127.0.0.1", "id").stdout
    refused = server.ssh("ssh", "-T", "-oExitOnForwardFailure=yes", "-W", "127.0.0.1:22", "127.0.0.1")
    assert "prohibited" in refused.stderr
    remote = server.ssh("ssh", "-N", "-oExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22", "127.0.0.1")
    assert remote.returncode != 0


def test_no_name_of_a_file_is_logged(server: Receiving, tmp_path: Path) -> None:
    (tmp_path / "Agim Gashi.csv").write_text("x")
    assert server.sftp(f'put "{tmp_path / "Agim Gashi.csv"}"\n').returncode == 0
    assert "Agim" not in (server.folder / "log").read_text()
