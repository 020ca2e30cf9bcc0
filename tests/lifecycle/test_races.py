"""Commands that meet on one store share its work."""


def test_two_commands_on_one_store_share_the_work(hydrabench, store):
    from concurrent.futures import ThreadPoolExecutor

    arguments = ["run", "demo", "--seeds", "0,1", "--method", "baseline", "--samples-per-class", "2"]
    arguments += ["--set", "protocol.epochs=1", "--set", "protocol.images_per_class=2"]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: hydrabench(*arguments), range(2)))
    assert [answer.returncode for answer in answers] == [0, 0], [answer.stderr for answer in answers]
    assert len(list(store.rglob("record.json"))) == 2
    assert (
        len([line for log in store.rglob("run.log") for line in log.read_text().splitlines() if "starts" in line]) == 2
    )
