"""Profiles: every mistake is one line that names file, line and what to write."""

import pytest

from datasets.registry import BadInput, named_files
from slurm.profiles import PROFILES, Profile, load_profile, own_profiles


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a profile of a person's own and loads it."""
    folder = tmp_path / "hydrabench" / "profiles"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def load(text: str, name: str = "mine") -> Profile:
        (folder / f"{name}.yaml").write_text(text)
        return load_profile(name)

    return load


@pytest.mark.parametrize("name", ["local", "debug", "slurm-example", "slurm-mps", "dev-cluster"])
def test_the_suites_own_profiles_load(name):
    assert load_profile(name).executor == {"local": "local", "debug": "debug"}.get(name, "slurm")


def test_the_example_explains_every_key():
    text = (PROFILES / "slurm-example.yaml").read_text()
    assert all(f"\n{key}:" in text for key in set(Profile.model_fields) - {"processes"})


def test_a_persons_own_profile_is_found_and_comes_before_the_suites(own):
    assert own("executor: local\nprocesses: 7\n", "local").processes == 7
    assert {"local", "debug", "slurm-example"} <= set(named_files(PROFILES, own_profiles()))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("time: 10:30", "mine.yaml:2: time: 630 has no unit; write 30m, 8h or 2d (YAML reads an unquoted 10:30"),
        ("time: 90", "90 has no unit"),
        ("time: '10:30'", "'10:30' is not a number and a unit"),
        ("memory: 16", "'16' is not a number and MB, GB or TB"),
        ("memory: 16gigs", "mine.yaml:2: memory: '16gigs' is not"),
        ("gres: gpu:4", "a run uses one"),
        ("partiton: gpu", "unknown key 'partiton'; did you mean partition?"),
        ("job_minutes: 90\ntime: 1h", "job_minutes: 90 is more than time: 1h"),
        ("runs_per_gpu: 0", "greater than or equal to 1"),
        ("processes: 3", "processes: only for executor: local"),
        ("setup: module load cuda", "setup"),
        ("environment: {OMP_NUM_THREADS: 4}", "environment.OMP_NUM_THREADS"),
        ("environment:\n  'A; rm -rf x': y", "'A; rm -rf x' is no name of an environment variable"),
        ("environment:\n  1A: y", "'1A' is no name"),
        ('environment:\n  "A\\nB\\e": y', "is no name of an environment variable"),
        ('account: "me\\n#SBATCH --uid=0"', "mine.yaml:2: account: 'me\\n#SBATCH --uid=0' must be one line"),
        ("mail: {user: me@example.org}", "mail.type"),
        (": {", "not YAML"),
    ],
)
def test_mistakes_are_named(own, line, message):
    with pytest.raises(BadInput, match=r".") as caught:
        own(f"executor: slurm\n{line}\n")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_profile_is_found_under_the_name_of_its_file(own):
    assert own("executor: local\nprocesses: 5\n", "My_Cluster").processes == 5
    for name in ("My_Cluster", "my_cluster", "my-cluster"):
        assert load_profile(name).processes == 5


def test_local_profiles_take_no_slurm_keys(own):
    with pytest.raises(BadInput, match="partition: only for executor: slurm"):
        own("executor: local\npartition: gpu\n")


def test_an_unknown_profile_gets_near_names():
    with pytest.raises(BadInput, match=r"unknown profile 'slurm-exmple'; did you mean slurm-example"):
        load_profile("slurm-exmple")


@pytest.mark.parametrize(("time", "minutes"), [("30m", 30), ("8h", 480), ("2d", 2880)])
def test_times_in_minutes(time, minutes):
    assert Profile(executor="slurm", time=time, job_minutes=1).minutes == minutes
