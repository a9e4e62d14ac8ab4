//! Schedulers that are killed and started again on their journal.

use std::time::Duration;

use samite_cluster::Plain;
use samite_cluster::client::{Client, Outcome, Status};
use samite_cluster::journal::{Journal, JournalOptions};

use crate::chaos::{Random, graph};
use crate::support::*;

#[test]
fn a_run_goes_on_and_what_was_done_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::journaled(folder.path(), 2, 1);
    let client = cluster.client();
    let mut graph = Graph::default();
    let parts: Vec<_> = (0..40).map(|part| graph.task(Work::Slow(10, part), &[])).collect();
    for (number, part) in parts.iter().enumerate() {
        graph.output(format!("part-{number}"), *part);
    }
    let sum = graph.task(Work::Add(0), &parts);
    graph.output("sum", sum);
    let keys: Vec<_> = (0..40).map(|number| key(format!("part-{number}"))).collect();
    client.retain(&keys);
    client.retain(&[key("sum")]);
    client.submit(graph.submission()).unwrap();
    assert!(client.wait(&keys[..1], Some(PATIENCE), false, &mut || true));
    let id = cluster.scheduler.id().to_owned();
    cluster.restart(folder.path());
    assert_eq!(cluster.scheduler.id(), id);
    assert_eq!(numbers(&client, &[key("sum")]), [(0..40).sum::<u64>()]);
    assert_eq!(numbers(&client, &keys), (0..40).collect::<Vec<u64>>());
    // A new client knows nothing of the old one and finds its results.
    let other = cluster.client();
    other.retain(&keys[..2]);
    assert_eq!(numbers(&other, &keys[..2]), [0, 1]);
}

#[test]
fn a_task_that_runs_goes_on_through_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::journaled(folder.path(), 1, 1);
    let client = cluster.client();
    let slow = submit(&client, "slow", Work::Slow(1500, 3));
    wait_until("its start", || {
        let processing = request(&client, "counts", Plain::None);
        processing.get("processing").and_then(Plain::as_int) == Some(1)
    });
    // Twice, so that the second journal is one that was made from the first.
    cluster.restart(folder.path());
    wait_until("the worker's return", || {
        request(&client, "nthreads", Plain::None) != Plain::Map(Vec::new())
    });
    cluster.restart(folder.path());
    assert_eq!(numbers(&client, std::slice::from_ref(&slow)), [3]);
    let story = request(&client, "story", Plain::map([("keys", Plain::text(slow.to_string()))]));
    assert!(story.items().len() <= 2, "it ran once: {story:?}");
}

#[test]
fn errors_and_releases_survive() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::journaled(folder.path(), 1, 1);
    let client = cluster.client();
    let bad = submit(&client, "bad", Work::Fail(String::from("it broke")));
    let gone = submit(&client, "gone", Work::Add(1));
    assert!(failure(&fetch(&client, std::slice::from_ref(&bad))[0]).contains("it broke"));
    assert_eq!(numbers(&client, std::slice::from_ref(&gone)), [1]);
    client.release(&[gone]);
    wait_until("the release", || {
        request(&client, "counts", Plain::None).get("memory").and_then(Plain::as_int) == Some(0)
    });
    cluster.restart(folder.path());
    let next = submit(&client, "next", Work::Add(5));
    assert_eq!(numbers(&client, &[next]), [5]);
    let other = cluster.client();
    other.retain(std::slice::from_ref(&bad));
    assert!(failure(&fetch(&other, &[bad])[0]).contains("it broke"));
    let answer = request(&client, "counts", Plain::None);
    assert_eq!(answer.get("memory").and_then(Plain::as_int), Some(1), "{answer:?}");
}

#[test]
fn requests_are_asked_again_or_fail() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::journaled(folder.path(), 1, 1);
    let client = cluster.client();
    let named = |name: &str, timeout| {
        Plain::map([("name", Plain::text(name)), ("timeout", timeout), ("id", Plain::text("me"))])
    };
    let value = Plain::map([("data", Plain::text("kept"))]);
    let set = Plain::map([("name", Plain::text("variable")), ("value", value.clone())]);
    request(&client, "variable_set", set);
    let path = Plain::List(vec![Plain::text("path")]);
    let metadata = Plain::map([("keys", path.clone()), ("value", Plain::Int(7))]);
    request(&client, "set_metadata", metadata);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| request(&client, "event_wait", named("event", Plain::None)));
        let second = cluster.client();
        request(&second, "lock_acquire", named("lock", Plain::None));
        let locking = scope.spawn(|| {
            let other = Plain::map([("name", Plain::text("lock")), ("id", Plain::text("other"))]);
            client.request("lock_acquire", other, Some(PATIENCE), &mut || true).unwrap()
        });
        wait_until("the requests", || client.waiting_requests() == 2);
        cluster.restart(folder.path());
        let fault = locking.join().unwrap().unwrap().unwrap_err();
        assert_eq!(&*fault.kind, "CommClosedError", "{fault}");
        request(&second, "event_set", named("event", Plain::None));
        assert_eq!(waiting.join().unwrap(), Plain::Bool(true));
    });
    let found = request(&client, "variable_get", named("variable", Plain::None));
    assert_eq!(found, value);
    let found = request(&client, "get_metadata", Plain::map([("keys", path)]));
    assert_eq!(found, Plain::Int(7));
}

#[test]
fn a_scheduler_that_ends_in_order_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::journaled(folder.path(), 1, 1);
    let client = cluster.client();
    let one = submit(&client, "one", Work::Add(1));
    assert_eq!(numbers(&client, std::slice::from_ref(&one)), [1]);
    cluster.scheduler.close(PATIENCE);
    drop(cluster);
    wait_until("the client's end", || matches!(client.status(&one), Status::Cancelled { .. }));
    let (_, recovered) = Journal::open(folder.path(), JournalOptions::default()).unwrap();
    assert_eq!(recovered.records.len(), 0);
}

#[test]
fn another_scheduler_at_the_address_is_not_taken_for_this_one() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut cluster = Cluster::journaled(folders[0].path(), 1, 1);
    let client = cluster.client();
    let never = submit(&client, "never", Work::Slow(60_000, 1));
    cluster.restart(folders[1].path());
    let outcome = fetch(&client, &[never]);
    assert!(failure(&outcome[0]).starts_with("cancelled"), "{}", failure(&outcome[0]));
    assert!(cluster.workers[0].wait(PATIENCE));
}

#[test]
fn the_journal_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::journaled(folder.path(), 1, 2);
    let client = cluster.client();
    for round in 0..200_u64 {
        let mut graph = Graph::default();
        let mut keys = Vec::new();
        for place in 0..200 {
            let task = graph.task(Work::Add(round), &[]);
            let name = format!("{round}-{place}");
            graph.output(&name, task);
            keys.push(key(name));
        }
        client.retain(&keys);
        client.submit(graph.submission()).unwrap();
        assert_eq!(numbers(&client, &keys), vec![round; 200]);
        client.release(&keys);
    }
    let length = || {
        let sizes = std::fs::read_dir(folder.path()).unwrap();
        sizes.map(|entry| entry.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    // It is written behind the work, as fast as the disk is; and what is not on the disk when the
    // scheduler is killed comes again from the client.
    wait_until("a journal of most of the rounds", || length() > 500_000);
    cluster.restart(folder.path());
    let last = submit(&client, "last", Work::Add(2));
    assert_eq!(numbers(&client, &[last]), [2]);
    let after = length();
    assert!(after < 250_000, "{after} bytes after a restart with one result");
}

fn run(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(seed);
    let mut cluster = Cluster::journaled(folder.path(), 3, 2);
    let client = cluster.client();
    let (mut wanted, mut expected) = (Vec::new(), Vec::new());
    for round in 0..3 {
        let (graph, values) = graph(&mut random, &format!("{seed}-{round}"));
        let keys: Vec<_> = (0..4).map(|place| key(format!("{seed}-{round}-{place}"))).collect();
        client.retain(&keys);
        client.submit(graph.submission()).unwrap();
        wanted.extend(keys);
        expected.extend(values);
        std::thread::sleep(Duration::from_millis(random.below(15)));
        if random.below(3) > 0 {
            cluster.restart(folder.path());
        }
        if random.below(4) == 0 {
            let victim = random.below(cluster.workers.len() as u64) as usize;
            cluster.workers.swap_remove(victim).kill();
            let worker = cluster.worker(&format!("late-{round}"), 2);
            cluster.workers.push(worker);
        }
    }
    let outcomes = client.fetch(&wanted, Some(PATIENCE), &mut || true).unwrap();
    let outcomes = outcomes.unwrap_or_else(|| {
        let state = request(&client, "dump_state", Plain::None);
        panic!("seed {seed}: no results: {state:?}")
    });
    for ((outcome, expected), key) in outcomes.iter().zip(expected).zip(&wanted) {
        match outcome {
            Outcome::Value(value) => assert_eq!(number(value), expected, "seed {seed}: {key}"),
            other => panic!("seed {seed}: {key}: {}", failure(other)),
        }
    }
}

#[test]
fn killed_schedulers_change_no_answer() {
    for seed in 0..20 {
        run(seed);
    }
}

type Files = Vec<(std::path::PathBuf, Vec<u8>)>;

/// The journal with all that was done so far: put back later, it is as if what follows had not been
/// written.
fn journal_of(client: &Client, folder: &std::path::Path) -> Files {
    // This is answered when it is on the disk, and so is all that came before.
    let path = Plain::List(vec![Plain::text("path")]);
    request(client, "set_metadata", Plain::map([("keys", path), ("value", Plain::Int(7))]));
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.is_file());
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn put_back(files: Files) {
    for (path, content) in files {
        std::fs::write(path, content).unwrap();
    }
}

#[test]
fn workers_forget_operations_of_graphs_that_nobody_knows_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::journaled(folder.path(), 1, 2);
    let client = cluster.client();
    let first = submit(&client, "first", Work::Add(1));
    assert_eq!(numbers(&client, &[first]), [1]);
    let before = journal_of(&client, folder.path());
    let quick = submit(&client, "quick", Work::Add(7_003_001));
    assert_eq!(numbers(&client, &[quick]), [7_003_001]);
    submit(&client, "slow", Work::Slow(1_000, 7_003_002));
    wait_until("both", || is_loaded(7_003_001) && is_loaded(7_003_002));
    let address = cluster.address().clone();
    cluster.scheduler.kill();
    client.close();
    put_back(before);
    cluster.scheduler = journaled(&address, folder.path());
    let client = cluster.client();
    wait_until("the worker's return", || {
        request(&client, "nthreads", Plain::None) != Plain::Map(Vec::new())
    });
    wait_until("what ran before", || !is_loaded(7_003_001));
    wait_until("what ran meanwhile", || !is_loaded(7_003_002));
    let last = submit(&client, "last", Work::Add(5));
    assert_eq!(numbers(&client, &[last]), [5]);
}

#[test]
fn a_client_that_the_journal_does_not_know_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::journaled(folder.path(), 1, 1);
    let first = cluster.client();
    assert_eq!(numbers(&first, &[submit(&first, "first", Work::Add(1))]), [1]);
    let before = journal_of(&first, folder.path());
    let second = cluster.client();
    second.retain(&[key("first")]);
    assert_eq!(numbers(&second, &[key("first")]), [1]);
    let own = submit(&second, "own", Work::Slow(500, 2));
    let address = cluster.address().clone();
    cluster.scheduler.kill();
    put_back(before);
    cluster.scheduler = journaled(&address, folder.path());
    // Whatever the journal had of it, it is the client that it was: it is not refused.
    assert_eq!(numbers(&second, &[key("first")]), [1]);
    match &fetch(&second, std::slice::from_ref(&own))[0] {
        Outcome::Value(value) => assert_eq!(number(value), 2),
        // The scheduler had said that it was on the disk, which was taken back here.
        Outcome::Cancelled { reason } => {
            assert!(reason.contains("lost with the scheduler"), "{reason}")
        }
        other => panic!("{}", failure(other)),
    }
    let next = submit(&second, "next", Work::Add(3));
    assert_eq!(numbers(&second, &[next]), [3]);
}
