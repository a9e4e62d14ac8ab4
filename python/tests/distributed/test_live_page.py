"""The live page of a scheduler in a real browser, where Chromium is installed."""

from __future__ import annotations

import threading

import browser
import pytest

from samite.distributed import Client, LocalCluster

pytestmark = [
    pytest.mark.skipif(browser.PROGRAM is None, reason="needs chromium"),
    # A browser takes long to start where the processors are much in demand.
    pytest.mark.timeout(400),
]

THREADS = 2

# The figure under a name at the top of the page.
COUNT = """(name => {
  for (const one of document.querySelectorAll('#counts > div')) {
    if (one.querySelector('dt').textContent === name) {
      return Number(one.querySelector('dd').textContent.replaceAll(',', ''));
    }
  }
  return null;
})"""

PAINTED = """(() => {
  const canvas = document.getElementById('stream');
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set();
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > 0) seen.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
  }
  return seen.size;
})()"""

# The document may not be there yet.
CONNECTED = "!['connecting', undefined].includes(document.getElementById('link')?.textContent)"

_go_on = threading.Event()


def waits_for_the_test(number):
    assert _go_on.wait(120)
    return number


def makes_memory(size):
    return bytes(size)


def fails_with_markup():
    def fails(number):
        raise ValueError("<img src=x onerror=alert(1)>")

    # Tasks are shown by the names of their functions.
    fails.__name__ = "<img src=x onerror=alert(2)>"
    return fails


@pytest.fixture
def cluster():
    with LocalCluster(
        n_workers=1, threads_per_worker=THREADS, processes=False, dashboard_address="127.0.0.1:0"
    ) as made:
        yield made


@pytest.fixture
def client(cluster):
    with Client(cluster) as made:
        yield made


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    made = browser.Browser(tmp_path_factory.mktemp("browser") / "profile")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def page(cluster, chromium):
    chromium.faults.clear()
    chromium.open(cluster.dashboard_link)
    chromium.until(CONNECTED)
    yield chromium
    # The page is left before its scheduler ends, which would be a fault of the next page's.
    chromium.open("about:blank")
    chromium.until("location.href === 'about:blank'")


def count(name: str) -> str:
    return f"{COUNT}({name!r})"


def test_the_page_shows_tasks_workers_and_memory_move(cluster, client, page):
    page.until(f"{count('workers')} === 1 && {count('threads')} === {THREADS}")
    assert page.run("document.querySelectorAll('#rows tr').length") == 1

    _go_on.clear()
    futures = client.map(waits_for_the_test, range(10))
    page.until(f"{count('processing')} >= {THREADS}")
    assert "waits_for_the_test" in page.until("document.getElementById('bars').innerText")
    assert page.run(count("in memory")) == 0
    _go_on.set()
    assert client.gather(futures) == list(range(10))
    page.until(f"{count('in memory')} === 10 && {count('processing')} === 0")
    page.until("document.getElementById('bars').innerText.includes('10 / 10')")
    assert page.until(PAINTED) > 1

    held = client.submit(makes_memory, 300 << 20)
    held.result()
    managed = "document.querySelector('#memory .bar .memory')"
    page.until(f"{managed} !== null && {managed}.getBoundingClientRect().width > 0")
    del futures, held
    page.until(f"{count('in memory')} === 0")

    cluster.scale(3)
    page.until(f"{count('workers')} === 3 && document.querySelectorAll('#rows tr').length === 3")
    cluster.scale(1)
    page.until(f"{count('workers')} === 1 && document.querySelectorAll('#rows tr').length === 1")
    assert page.faults == []


def test_names_and_errors_are_text_and_never_markup(client, page):
    failed = client.submit(fails_with_markup(), 1, key="<img src=x onerror=alert(3)>-1")
    with pytest.raises(ValueError):
        failed.result()
    page.until(f"{count('erred')} === 1")
    page.until("document.getElementById('bars').innerText.includes('<img src=x')")
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.faults == []


def test_each_part_is_a_page_of_its_own(cluster, client, page):
    for part in ("task-stream", "progress", "workers", "cluster-memory"):
        page.open(cluster.dashboard_link.replace("/status", f"/individual-{part}"))
        page.until(CONNECTED)
        shown = """[...document.querySelectorAll('section')]
          .filter(one => one.getBoundingClientRect().height > 0).map(one => one.id)"""
        assert page.until(f"({shown}).length === 1 && ({shown})") == [part]
    assert page.faults == []


def test_the_page_says_that_its_scheduler_is_gone(chromium):
    with LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        chromium.open(cluster.dashboard_link)
        chromium.until(f"{count('workers')} === 1")
    chromium.until("document.getElementById('link').className === 'lost'")
