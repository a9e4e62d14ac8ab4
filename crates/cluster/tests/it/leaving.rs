//! Workers that leave together, and values that move.

use samite_cluster::Plain;

use crate::support::*;

fn names(names: &[&str]) -> Plain {
    Plain::List(names.iter().map(Plain::text).collect())
}

#[test]
fn several_workers_leave_at_once_and_nothing_is_lost() {
    let cluster = Cluster::start(Way::Tcp, 4, 1);
    let client = cluster.client();
    let mut graph = Graph::default();
    for number in 0..40 {
        let task = graph.task(Work::Add(number), &[]);
        graph.output(format!("n-{number}"), task);
    }
    let keys: Vec<_> = (0..40).map(|number| key(format!("n-{number}"))).collect();
    client.retain(&keys);
    client.submit(graph.submission()).unwrap();
    assert!(client.wait(&keys, Some(PATIENCE), false, &mut || true));
    let leaving = Plain::map([("workers", names(&["w0", "w1", "w2"]))]);
    let answer = request(&client, "retire_workers", leaving);
    let Plain::Map(gone) = answer else { panic!("{answer:?}") };
    assert_eq!(gone.len(), 3);
    wait_until("their end", || {
        request(&client, "nthreads", Plain::None) == {
            let address = cluster.workers[3].handle().address.to_string();
            Plain::Map(vec![(Plain::text(address), Plain::Int(1))])
        }
    });
    let counted = request(&client, "counts", Plain::None);
    assert_eq!(counted.get("memory").and_then(Plain::as_int), Some(40), "{counted:?}");
    assert_eq!(numbers(&client, &keys), (0..40).collect::<Vec<u64>>());
}

#[test]
fn all_workers_may_leave_one_after_the_other() {
    let cluster = Cluster::start(Way::Tcp, 3, 1);
    let client = cluster.client();
    let one = submit(&client, "one", Work::Add(1));
    assert!(client.wait(&[one], Some(PATIENCE), false, &mut || true));
    std::thread::scope(|scope| {
        let asked: Vec<_> = ["w0", "w1", "w2"]
            .into_iter()
            .map(|name| {
                let client = client.clone();
                let workers = Plain::map([("workers", names(&[name]))]);
                scope.spawn(move || request(&client, "retire_workers", workers))
            })
            .collect();
        for answer in asked {
            let Plain::Map(gone) = answer.join().unwrap() else { panic!("no map") };
            assert_eq!(gone.len(), 1);
        }
    });
}

#[test]
fn only_the_values_that_are_named_move() {
    let mut cluster = Cluster::start(Way::Tcp, 1, 1);
    let client = cluster.client();
    let keys: Vec<_> =
        (0..8).map(|place| submit(&client, &format!("b-{place}"), Work::Blob(50_000))).collect();
    assert!(client.wait(&keys, Some(PATIENCE), false, &mut || true));
    let other = cluster.worker("other", 1);
    let address = other.handle().address.to_string();
    cluster.workers.push(other);
    let named = Plain::List(keys[..2].iter().map(|key| Plain::text(key.to_string())).collect());
    request(&client, "rebalance", Plain::map([("keys", named)]));
    let held = request(&client, "has_what", Plain::None);
    let moved = held.get(&address).map(Plain::texts).unwrap_or_default();
    assert!(
        !moved.is_empty() && moved.iter().all(|name| ["b-0", "b-1"].contains(name)),
        "{moved:?}"
    );
}
