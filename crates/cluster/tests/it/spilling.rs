//! Values beyond the memory of their worker.

use samite_cluster::Plain;
use samite_cluster::client::Client;
use samite_cluster::worker::MemoryShares;

use crate::support::*;

/// The bytes that the only worker has on disk, as it said last.
pub(crate) fn on_disk(client: &Client) -> i64 {
    let info = request(client, "scheduler_info", Plain::None);
    let Some(Plain::Map(workers)) = info.get("workers") else { return 0 };
    let of_worker = |worker: &Plain| {
        let spilled = worker.get("metrics")?.get("spilled_bytes")?;
        spilled.get("disk").and_then(Plain::as_int)
    };
    workers.iter().filter_map(|(_, worker)| of_worker(worker)).sum()
}

#[test]
fn values_go_to_disk_and_come_back() {
    for way in Way::ALL {
        let mut cluster = Cluster::start(way, 0, 1);
        let worker = cluster.limited_worker("small", 2, 1 << 20);
        cluster.workers.push(worker);
        let client = cluster.client();
        let size = 200_000;
        let mut graph = Graph::default();
        let blobs: Vec<_> = (0..30).map(|_| graph.task(Work::Blob(size), &[])).collect();
        for (place, blob) in blobs.iter().enumerate() {
            graph.output(format!("blob-{place}"), *blob);
        }
        client.submit(graph.submission()).unwrap();
        let keys: Vec<_> = (0..30).map(|place| key(format!("blob-{place}"))).collect();
        assert!(client.wait(&keys, Some(PATIENCE), false, &mut || true));
        wait_until("values on disk", || on_disk(&client) > 30 * size as i64 / 2);
        let mut graph = Graph::default();
        let inputs: Vec<_> = keys.iter().map(|key| graph.import(&key.to_string())).collect();
        let total = graph.task(Work::Length, &inputs);
        graph.output("total", total);
        client.submit(graph.submission()).unwrap();
        assert_eq!(numbers(&client, &[key("total")]), [30 * size as u64]);
        assert_eq!(numbers(&client, &keys), vec![size as u64; 30]);
        client.release(&keys);
        client.release(&[key("total")]);
        wait_until("an empty disk", || on_disk(&client) == 0);
    }
}

#[test]
fn the_disk_is_used_up_to_a_bound_and_the_work_goes_on() {
    let mut cluster = Cluster::start(Way::ALL[0], 0, 1);
    let memory = MemoryShares { most_on_disk: Some(1_000_000), ..MemoryShares::default() };
    let worker = cluster.worker_with("bounded", 2, 1 << 20, memory);
    cluster.workers.push(worker);
    let client = cluster.client();
    let mut graph = Graph::default();
    let blobs: Vec<_> = (0..30).map(|_| graph.task(Work::Blob(200_000), &[])).collect();
    for (place, blob) in blobs.iter().enumerate() {
        graph.output(format!("blob-{place}"), *blob);
    }
    client.submit(graph.submission()).unwrap();
    let keys: Vec<_> = (0..30).map(|place| key(format!("blob-{place}"))).collect();
    assert!(client.wait(&keys, Some(PATIENCE), false, &mut || true));
    assert_eq!(numbers(&client, &keys), vec![200_000; 30]);
    wait_until("values on disk", || on_disk(&client) == 1_000_000);
}

#[test]
fn nothing_goes_to_disk_where_that_is_turned_off() {
    let mut cluster = Cluster::start(Way::ALL[0], 0, 1);
    let memory = MemoryShares { target: None, spill: None, pause: None, ..Default::default() };
    let worker = cluster.worker_with("resident", 2, 1 << 20, memory);
    cluster.workers.push(worker);
    let client = cluster.client();
    let mut graph = Graph::default();
    for place in 0..30 {
        let blob = graph.task(Work::Blob(200_000), &[]);
        graph.output(format!("blob-{place}"), blob);
    }
    client.submit(graph.submission()).unwrap();
    let keys: Vec<_> = (0..30).map(|place| key(format!("blob-{place}"))).collect();
    assert_eq!(numbers(&client, &keys), vec![200_000; 30]);
    let standing = || {
        let info = request(&client, "scheduler_info", Plain::None);
        let Some(Plain::Map(workers)) = info.get("workers") else { return None };
        let worker = &workers.first()?.1;
        let held = worker.get("metrics")?.get("managed_bytes").and_then(Plain::as_int)?;
        Some((held, worker.get("status").and_then(Plain::as_text)?.to_owned()))
    };
    wait_until("all values in memory", || standing() == Some((6_000_000, "running".to_owned())));
    assert_eq!(on_disk(&client), 0);
}
