//! Values in parts: each reader gets its own.

use std::time::Duration;

use samite_cluster::worker::MemoryShares;
use samite_graph::TaskId;
use samite_scheduling::TaskOptions;

use crate::spilling::on_disk;
use crate::support::*;

/// A shuffle: so many tasks with so many parts of so many bytes, and a reader of each part.
fn shuffle(makers: usize, parts: u32, bytes: usize, slow: u64) -> (Graph, Vec<u64>) {
    let mut graph = Graph::with_options(TaskOptions::default());
    let made: Vec<TaskId> =
        (0..makers).map(|_| graph.task(Work::Parts(parts, bytes), &[])).collect();
    let mut expected = Vec::new();
    for part in 0..parts {
        let lengths = graph.reader(Work::Length, &made, part);
        let task = graph.reader(Work::Slow(slow, 0), &[lengths], part);
        graph.output(format!("read-{part}"), task);
        let length = if part == 1 { 0 } else { bytes as u64 + u64::from(part) };
        expected.push(makers as u64 * length);
    }
    (graph, expected)
}

fn keys(parts: u32) -> Vec<samite_cluster::Key> {
    (0..parts).map(|part| key(format!("read-{part}"))).collect()
}

#[test]
fn readers_get_their_parts() {
    for way in Way::ALL {
        let cluster = Cluster::start(way, 3, 2);
        let client = cluster.client();
        let (graph, expected) = shuffle(10, 12, 5000, 0);
        client.submit(graph.submission()).unwrap();
        assert_eq!(numbers(&client, &keys(12)), expected);
    }
}

#[test]
fn a_value_in_parts_can_be_had_whole() {
    for way in Way::ALL {
        let cluster = Cluster::start(way, 2, 1);
        let client = cluster.client();
        let whole = submit(&client, "whole", Work::Parts(4, 100));
        assert_eq!(numbers(&client, std::slice::from_ref(&whole)), [300 + 2 + 3]);
        // Read by a task of another graph, whole and in part.
        let mut graph = Graph::with_options(TaskOptions::default());
        let import = graph.import("whole");
        let all = graph.task(Work::Length, &[import]);
        graph.output("all", all);
        let third = graph.reader(Work::Length, &[import], 3);
        graph.output("third", third);
        client.submit(graph.submission()).unwrap();
        assert_eq!(numbers(&client, &[key("all"), key("third")]), [305, 103]);
    }
}

#[test]
fn parts_are_read_from_disk() {
    for way in Way::ALL {
        let mut cluster = Cluster::start(way, 0, 1);
        for number in 0..2 {
            let worker = cluster.limited_worker(&format!("small-{number}"), 1, 1 << 20);
            cluster.workers.push(worker);
        }
        let client = cluster.client();
        // Three megabytes for each worker, in pieces of 10 KB.
        let mut graph = Graph::with_options(TaskOptions::default());
        let made: Vec<TaskId> = (0..20).map(|_| graph.task(Work::Parts(30, 10_000), &[])).collect();
        for (place, task) in made.iter().enumerate() {
            graph.output(format!("made-{place}"), *task);
        }
        client.submit(graph.submission()).unwrap();
        let sources: Vec<_> = (0..20).map(|place| key(format!("made-{place}"))).collect();
        assert!(client.wait(&sources, Some(PATIENCE), false, &mut || true));
        wait_until("parts on disk", || on_disk(&client) > 1_000_000);
        let mut graph = Graph::with_options(TaskOptions::default());
        let inputs: Vec<_> = sources.iter().map(|key| graph.import(&key.to_string())).collect();
        let mut expected = Vec::new();
        for part in 0..30 {
            let task = graph.reader(Work::Length, &inputs, part);
            graph.output(format!("read-{part}"), task);
            expected.push(if part == 1 { 0 } else { 20 * (10_000 + u64::from(part)) });
        }
        client.submit(graph.submission()).unwrap();
        assert_eq!(numbers(&client, &keys(30)), expected);
        let whole = 29 * 10_000 + (0..30).sum::<u64>() - 1;
        assert_eq!(numbers(&client, &sources), vec![whole; 20]);
        client.release(&sources);
        client.release(&keys(30));
        wait_until("an empty disk", || on_disk(&client) == 0);
    }
}

#[test]
fn parts_stay_in_memory_where_that_is_said() {
    let mut cluster = Cluster::start(Way::Tcp, 0, 1);
    let memory = MemoryShares { spill_parts: false, ..MemoryShares::default() };
    cluster.workers.push(cluster.worker_with("small", 1, 1 << 20, memory));
    let client = cluster.client();
    let mut graph = Graph::with_options(TaskOptions::default());
    for place in 0..2 {
        let task = graph.task(Work::Parts(30, 10_000), &[]);
        graph.output(format!("made-{place}"), task);
    }
    // A value without parts goes to disk in their place.
    let whole = graph.task(Work::Blob(300_000), &[]);
    graph.output("whole", whole);
    client.submit(graph.submission()).unwrap();
    let sources: Vec<_> = (0..2).map(|place| key(format!("made-{place}"))).collect();
    assert!(client.wait(&sources, Some(PATIENCE), false, &mut || true));
    assert!(client.wait(&[key("whole")], Some(PATIENCE), false, &mut || true));
    wait_until("the value on disk", || on_disk(&client) > 0);
    assert!(on_disk(&client) < 310_000);
}

#[test]
fn lost_holders_of_parts_cost_only_their_tasks() {
    for round in 0..8 {
        let mut cluster = Cluster::start(Way::Tcp, 3, 2);
        let client = cluster.client();
        let (graph, expected) = shuffle(12, 20, 20_000, 2);
        client.submit(graph.submission()).unwrap();
        std::thread::sleep(Duration::from_millis(3 * round));
        cluster.workers.swap_remove(round as usize % 3).kill();
        let worker = cluster.worker("late", 2);
        cluster.workers.push(worker);
        assert_eq!(numbers(&client, &keys(20)), expected, "round {round}");
    }
}
