//! What a task costs besides itself: many trivial tasks and single ones, in one process and over
//! loopback, with an executor that does nothing.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark without its cluster has nothing to measure"
)]

#[path = "../tests/it/support.rs"]
#[allow(dead_code)]
mod support;

use std::time::{Duration, Instant};

use support::*;

const TASKS: u64 = 100_000;
const SINGLE: u32 = 2_000;

fn main() {
    for (way, workers, threads) in [(Way::Process, 1, 2), (Way::Tcp, 2, 1)] {
        let cluster = Cluster::start(way, workers, threads);
        let client = cluster.client();
        // The first tasks find cold tables.
        submit(&client, "warm", Work::Add(1));
        assert_eq!(numbers(&client, &[key("warm")]), [1]);

        let keys: Vec<_> = (0..TASKS).map(|place| key(format!("t-{place}"))).collect();
        let mut best = (Duration::MAX, Duration::MAX);
        for _ in 0..3 {
            let mut graph = Graph::default();
            for (place, key) in keys.iter().enumerate() {
                let task = graph.task(Work::Add(place as u64), &[]);
                graph.output(key.to_string(), task);
            }
            let submission = graph.submission();
            client.retain(&keys);
            let began = Instant::now();
            client.submit(submission).unwrap();
            assert!(client.wait(&keys[..1], None, true, &mut || true));
            let first = began.elapsed();
            let values = numbers(&client, &keys);
            let all = began.elapsed();
            assert_eq!(values.iter().sum::<u64>(), TASKS * (TASKS - 1) / 2);
            best = (best.0.min(first), best.1.min(all));
            client.release(&keys);
            wait_until("the end of the results", || {
                let counts = request(&client, "counts", samite_cluster::Plain::None);
                counts.get("memory").and_then(samite_cluster::Plain::as_int).unwrap_or(0) <= 1
            });
        }
        let each = best.1.as_secs_f64() * 1e6 / TASKS as f64;
        println!(
            "{way:?}: map and gather of {TASKS}: {each:.2} us a task, first result after {:?}",
            best.0
        );

        let began = Instant::now();
        for place in 0..SINGLE {
            let key = submit(&client, &format!("s-{place}"), Work::Add(1));
            assert_eq!(numbers(&client, std::slice::from_ref(&key)), [1]);
            client.release(&[key]);
        }
        let each = began.elapsed().as_secs_f64() * 1e6 / f64::from(SINGLE);
        println!("{way:?}: submit and result of one task: {each:.1} us");
    }
}
