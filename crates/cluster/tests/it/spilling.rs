//! Values beyond the memory of their worker.

use samite_cluster::Plain;
use samite_cluster::client::Client;

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
        let inputs: Vec<_> = keys.iter().map(|key| graph.import(key)).collect();
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
