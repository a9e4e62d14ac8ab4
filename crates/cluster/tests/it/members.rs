//! Workers and clients that come and go.

use std::time::{Duration, Instant};

use crate::support::*;

#[test]
fn tasks_wait_for_a_worker() {
    let mut cluster = Cluster::start(Way::Tcp, 0, 1);
    let client = cluster.client();
    let early = submit(&client, "early", Work::Add(4));
    let there = client.wait(
        std::slice::from_ref(&early),
        Some(Duration::from_millis(60)),
        false,
        &mut || true,
    );
    assert!(!there);
    let worker = cluster.worker("late", 1);
    cluster.workers.push(worker);
    assert_eq!(numbers(&client, &[early]), [4]);
}

#[test]
fn a_killed_worker_loses_nothing_that_can_be_computed_again() {
    let mut cluster = Cluster::start(Way::Tcp, 2, 1);
    let client = cluster.client();
    let mut graph = Graph::default();
    let parts: Vec<_> = (0..40).map(|part| graph.task(Work::Slow(5, part), &[])).collect();
    let sum = graph.task(Work::Add(0), &parts);
    graph.output("sum", sum);
    client.submit(graph.submission()).unwrap();
    std::thread::sleep(Duration::from_millis(60));
    cluster.workers.remove(0).kill();
    assert_eq!(numbers(&client, &[key("sum")]), [(0..40).sum::<u64>()]);
}

#[test]
fn a_result_that_was_lost_is_computed_again() {
    let mut cluster = Cluster::start(Way::Tcp, 1, 1);
    let client = cluster.client();
    let blob = submit(&client, "blob", Work::Blob(100_000));
    assert!(client.wait(std::slice::from_ref(&blob), Some(PATIENCE), false, &mut || true));
    let worker = cluster.worker("other", 1);
    cluster.workers.push(worker);
    cluster.workers.remove(0).kill();
    assert_eq!(numbers(&client, &[blob]), [100_000]);
}

#[test]
fn a_client_that_leaves_wants_nothing() {
    let cluster = Cluster::start(Way::Tcp, 1, 1);
    let client = cluster.client();
    let watching = cluster.client();
    submit(&client, "slow", Work::Slow(60_000, 1));
    client.close();
    drop(client);
    wait_until("the end of its task", || {
        let answer = request(&watching, "counts", samite_cluster::Plain::None);
        answer.get("processing").and_then(samite_cluster::Plain::as_int) == Some(0)
    });
    let next = submit(&watching, "next", Work::Add(1));
    assert_eq!(numbers(&watching, &[next]), [1]);
}

#[test]
fn a_scheduler_that_ends_leaves_nobody_waiting() {
    for way in Way::ALL {
        let cluster = Cluster::start(way, 1, 1);
        let client = cluster.client();
        let slow = submit(&client, "slow", Work::Slow(60_000, 1));
        let began = Instant::now();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| fetch(&client, std::slice::from_ref(&slow)));
            std::thread::sleep(Duration::from_millis(30));
            cluster.scheduler.close(Duration::from_secs(1));
            let outcome = &waiting.join().unwrap()[0];
            assert!(failure(outcome).starts_with("cancelled"), "{}", failure(outcome));
        });
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert!(cluster.workers[0].wait(Duration::from_secs(5)));
    }
}

#[test]
fn an_interrupted_wait_ends() {
    let cluster = Cluster::start(Way::Process, 0, 1);
    let client = cluster.client();
    let never = submit(&client, "never", Work::Add(1));
    let mut asked = 0;
    let there = client.wait(&[never], None, false, &mut || {
        asked += 1;
        asked < 3
    });
    assert!(!there && asked == 3);
}
