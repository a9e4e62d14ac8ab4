//! Data that clients bring, and workers and schedulers that are lost meanwhile.

use std::sync::mpsc;

use samite_cluster::client::Client;
use samite_cluster::{Carried, Encoded, Fault, Key, Plain};

use crate::support::*;

fn scatter(client: &Client, names: &[&str], copies: u32) -> mpsc::Receiver<Result<Plain, Fault>> {
    let keys: Vec<Key> = names.iter().map(key).collect();
    let value = |number: u64| {
        let frames = vec![number.to_le_bytes().to_vec().into()];
        Carried::Encoded(Encoded { kind: 0, frames })
    };
    let values = (0..keys.len() as u64).map(value).collect();
    let sizes = vec![8; keys.len()];
    let (answer, answered) = mpsc::channel();
    client.retain(&keys);
    let answer = Box::new(move |outcome| answer.send(outcome).unwrap_or_default());
    client.scatter(keys, values, sizes, Vec::new(), copies, Vec::new(), answer).unwrap();
    answered
}

#[test]
fn data_is_there_when_the_answer_is() {
    let cluster = Cluster::start(Way::Tcp, 2, 1);
    let client = cluster.client();
    scatter(&client, &["a", "b", "c"], 2).recv_timeout(PATIENCE).unwrap().unwrap();
    let held = request(&client, "who_has", Plain::None);
    for name in ["a", "b", "c"] {
        assert_eq!(held.get(name).map(|holders| holders.items().len()), Some(2), "{held:?}");
    }
    assert_eq!(numbers(&client, &[key("a"), key("c")]), [0, 2]);
}

#[test]
fn data_whose_worker_is_lost_before_it_arrives_goes_to_another_one() {
    for _ in 0..20 {
        let mut cluster = Cluster::start(Way::Tcp, 2, 1);
        let client = cluster.client();
        let names = ["a", "b", "c", "d", "e", "f"];
        let answer = scatter(&client, &names, 1);
        cluster.workers.remove(0).kill();
        let outcome = answer.recv_timeout(PATIENCE).unwrap();
        outcome.unwrap();
        // What had arrived at the lost worker is lost, and says so; nothing waits.
        for (place, name) in names.iter().enumerate() {
            let outcome = fetch(&client, &[key(name)]);
            let told = failure(&outcome[0]);
            match &outcome[0] {
                samite_cluster::client::Outcome::Value(value) => {
                    assert_eq!(number(value), place as u64);
                }
                _ => assert!(told.contains("DataLost"), "{told}"),
            }
        }
    }
}

#[test]
fn data_without_a_worker_waits_for_one() {
    let mut cluster = Cluster::start(Way::Tcp, 1, 1);
    let client = cluster.client();
    // The worker goes before it can have answered, or has it.
    let answer = scatter(&client, &["a"], 1);
    cluster.workers.remove(0).kill();
    let worker = cluster.worker("next", 1);
    cluster.workers.push(worker);
    if let Err(fault) = answer.recv_timeout(PATIENCE).unwrap() {
        // The worker was gone before the data came.
        assert_eq!(&*fault.kind, "NoWorkers", "{fault}");
        return;
    }
    let told = failure(&fetch(&client, &[key("a")])[0]);
    assert!(told == "a value" || told.contains("DataLost"), "{told}");
}

#[test]
fn data_survives_a_scheduler_with_its_worker_or_its_client() {
    for round in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = Cluster::journaled(folder.path(), 2, 1);
        let client = cluster.client();
        let answer = scatter(&client, &["a", "b", "c"], 1);
        if round % 2 == 0 {
            answer.recv_timeout(PATIENCE).unwrap().unwrap();
        }
        cluster.restart(folder.path());
        if round % 2 == 1 {
            answer.recv_timeout(PATIENCE).unwrap().unwrap();
        }
        assert_eq!(numbers(&client, &[key("a"), key("b"), key("c")]), [0, 1, 2]);
    }
}

#[test]
fn data_that_nobody_has_after_a_restart_is_lost_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::journaled(folder.path(), 1, 1);
    let client = cluster.client();
    scatter(&client, &["a"], 1).recv_timeout(PATIENCE).unwrap().unwrap();
    let address = cluster.address().clone();
    cluster.scheduler.kill();
    cluster.workers.remove(0).kill();
    cluster.scheduler = journaled(&address, folder.path());
    let told = failure(&fetch(&client, &[key("a")])[0]);
    assert!(told.contains("DataLost"), "{told}");
}
