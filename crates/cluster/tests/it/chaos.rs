//! Random graphs while workers are killed and others join.

use std::time::{Duration, Instant};

use samite_cluster::client::Outcome;

use crate::support::*;

/// xorshift64*, which is all the randomness that tests need.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

/// A random graph, and what its outputs are.
pub(crate) fn graph(random: &mut Random, name: &str) -> (Graph, Vec<u64>) {
    let mut graph = Graph::default();
    let tasks = 20 + random.below(100) as usize;
    let mut ids = Vec::new();
    let mut values: Vec<u64> = Vec::new();
    for _ in 0..tasks {
        let more = random.below(1000);
        let wanted = random.below(4).min(ids.len() as u64);
        let inputs: Vec<usize> =
            (0..wanted).map(|_| random.below(ids.len() as u64) as usize).collect();
        let value = inputs.iter().map(|input| values[*input]).fold(more, u64::wrapping_add);
        let work =
            if random.below(3) == 0 { Work::Slow(random.below(4), more) } else { Work::Add(more) };
        let needed: Vec<_> = inputs.iter().map(|input| ids[*input]).collect();
        ids.push(graph.task(work, &needed));
        values.push(value);
    }
    let mut expected = Vec::new();
    for place in 0..4 {
        let task = random.below(tasks as u64) as usize;
        graph.output(format!("{name}-{place}"), ids[task]);
        expected.push(values[task]);
    }
    (graph, expected)
}

fn run(seed: u64) {
    let mut random = Random::new(seed);
    let mut cluster = Cluster::start(Way::Tcp, 3, 2);
    let client = cluster.client();
    let mut wanted = Vec::new();
    let mut expected = Vec::new();
    for round in 0..3 {
        let (graph, values) = graph(&mut random, &format!("{seed}-{round}"));
        client.submit(graph.submission()).unwrap();
        wanted.extend((0..4).map(|place| key(format!("{seed}-{round}-{place}"))));
        expected.extend(values);
        std::thread::sleep(Duration::from_millis(random.below(15)));
        if random.below(4) > 0 {
            let victim = random.below(cluster.workers.len() as u64) as usize;
            cluster.workers.swap_remove(victim).kill();
        }
        if random.below(3) > 0 || cluster.workers.is_empty() {
            let worker = cluster.worker(&format!("late-{round}"), 2);
            cluster.workers.push(worker);
        }
    }
    let began = Instant::now();
    let outcomes =
        client.fetch(&wanted, Some(PATIENCE / 3), &mut || true).unwrap().unwrap_or_else(|| {
            let processing = request(&client, "processing", samite_cluster::Plain::None);
            let state = request(&client, "dump_state", samite_cluster::Plain::None);
            let took = began.elapsed();
            panic!("seed {seed}: no results after {took:?}: {processing:?} {state:?}")
        });
    for ((outcome, expected), key) in outcomes.iter().zip(expected).zip(&wanted) {
        match outcome {
            Outcome::Value(value) => assert_eq!(number(value), expected, "seed {seed}: {key}"),
            other => panic!("seed {seed}: {key}: {}", failure(other)),
        }
    }
}

#[test]
fn killed_workers_change_no_answer() {
    for seed in 0..50 {
        run(seed);
    }
}
