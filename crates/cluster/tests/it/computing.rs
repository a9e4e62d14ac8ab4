//! Graphs, their results and their failures.

use std::time::Duration;

use samite_cluster::client::Outcome;
use samite_scheduling::TaskOptions;

use crate::support::*;

#[test]
fn a_map_and_its_sum() {
    for way in Way::ALL {
        let cluster = Cluster::start(way, 2, 2);
        let client = cluster.client();
        let mut graph = Graph::default();
        let tasks: Vec<_> = (0..1000).map(|number| graph.task(Work::Add(number), &[])).collect();
        for (place, task) in tasks.iter().enumerate() {
            graph.output(format!("n-{place}"), *task);
        }
        let sum = graph.task(Work::Add(0), &tasks);
        graph.output("sum", sum);
        client.submit(graph.submission()).unwrap();
        let keys: Vec<_> = (0..1000).map(|place| key(format!("n-{place}"))).collect();
        assert_eq!(numbers(&client, &keys), (0..1000).collect::<Vec<u64>>());
        assert_eq!(numbers(&client, &[key("sum")]), [499_500]);
    }
}

#[test]
fn results_are_arguments_of_later_graphs() {
    for way in Way::ALL {
        let cluster = Cluster::start(way, 2, 1);
        let client = cluster.client();
        submit(&client, "x", Work::Slow(30, 5));
        let mut graph = Graph::default();
        let x = graph.import("x");
        let y = graph.task(Work::Add(10), &[x, x]);
        graph.output("y", y);
        client.submit(graph.submission()).unwrap();
        assert_eq!(numbers(&client, &[key("y")]), [20]);
        // What the later graph needs stays, though nobody holds it here any more.
        client.release(&[key("x")]);
        let mut graph = Graph::default();
        let y = graph.import("y");
        let z = graph.task(Work::Add(1), &[y]);
        graph.output("z", z);
        client.submit(graph.submission()).unwrap();
        assert_eq!(numbers(&client, &[key("z")]), [21]);
    }
}

#[test]
fn a_failure_takes_its_dependents_and_nothing_else() {
    for way in Way::ALL {
        let cluster = Cluster::start(way, 2, 2);
        let client = cluster.client();
        let mut graph = Graph::default();
        let good = graph.task(Work::Add(1), &[]);
        let bad = graph.task(Work::Fail(String::from("no luck")), &[]);
        let after = graph.task(Work::Add(1), &[bad]);
        let other = graph.task(Work::Add(1), &[good]);
        graph.output("bad", bad);
        graph.output("after", after);
        graph.output("other", other);
        client.submit(graph.submission()).unwrap();
        let outcomes = fetch(&client, &[key("bad"), key("after")]);
        assert_eq!(failure(&outcomes[0]), "bad: no luck");
        assert_eq!(failure(&outcomes[1]), "bad: no luck");
        assert_eq!(numbers(&client, &[key("other")]), [2]);
    }
}

#[test]
fn retries_of_the_submission_and_by_hand() {
    let cluster = Cluster::start(Way::Process, 1, 1);
    let client = cluster.client();
    let mut graph = Graph::with_options(TaskOptions { retries: 3, ..TaskOptions::default() });
    let task = graph.task(Work::FailUntil(3, 7), &[]);
    graph.output("patient", task);
    client.submit(graph.submission()).unwrap();
    assert_eq!(numbers(&client, &[key("patient")]), [7]);

    let key = submit(&client, "by hand", Work::FailUntil(1, 8));
    assert_eq!(failure(&fetch(&client, std::slice::from_ref(&key))[0]), "by hand: try 0");
    client.retry(vec![key.clone()]).unwrap();
    assert_eq!(numbers(&client, &[key]), [8]);
}

#[test]
fn a_cancelled_task_stops_and_says_so() {
    for way in Way::ALL {
        let cluster = Cluster::start(way, 1, 1);
        let client = cluster.client();
        let slow = submit(&client, "slow", Work::Slow(60_000, 1));
        std::thread::sleep(Duration::from_millis(50));
        client.cancel(vec![slow.clone()], "not needed", false).unwrap();
        assert!(failure(&fetch(&client, &[slow])[0]).starts_with("cancelled"));
        // The only thread is free again.
        let next = submit(&client, "next", Work::Add(3));
        assert_eq!(numbers(&client, &[next]), [3]);
    }
}

#[test]
fn what_another_client_wants_is_cancelled_for_one_unless_forced() {
    for way in Way::ALL {
        let cluster = Cluster::start(way, 1, 1);
        let (client, other) = (cluster.client(), cluster.client());
        let x = submit(&client, "x", Work::Slow(100, 1));
        other.retain(std::slice::from_ref(&x));
        // The scheduler hears of it before it hears of the end of the interest.
        request(&other, "nthreads", samite_cluster::Plain::Map(Vec::new()));
        client.cancel(vec![x.clone()], "not needed", false).unwrap();
        assert!(failure(&fetch(&client, std::slice::from_ref(&x))[0]).starts_with("cancelled"));
        assert_eq!(numbers(&other, &[x]), [1]);

        let y = submit(&client, "y", Work::Slow(60_000, 1));
        other.retain(std::slice::from_ref(&y));
        request(&other, "nthreads", samite_cluster::Plain::Map(Vec::new()));
        client.cancel(vec![y.clone()], "not needed", true).unwrap();
        assert!(failure(&fetch(&other, &[y])[0]).starts_with("cancelled"));
    }
}

#[test]
fn values_come_through_the_scheduler_where_that_is_asked_for() {
    for way in Way::ALL {
        let cluster = Cluster::start(way, 2, 1);
        let client = cluster.client();
        let keys = [submit(&client, "a", Work::Add(3)), submit(&client, "b", Work::Blob(3 << 20))];
        let found = client.fetch_through_scheduler(&keys, Some(PATIENCE), &mut || true);
        let found = found.unwrap().expect("results in time");
        assert!(found.iter().all(|one| matches!(one, Outcome::Value(_))));
    }
}

#[test]
fn what_nobody_wants_is_dropped() {
    let cluster = Cluster::start(Way::Process, 2, 1);
    let client = cluster.client();
    let other = cluster.client();
    let x = submit(&client, "x", Work::Blob(1 << 20));
    fetch(&client, std::slice::from_ref(&x));
    other.retain(std::slice::from_ref(&x));
    assert!(other.wait(std::slice::from_ref(&x), Some(PATIENCE), false, &mut || true));
    client.release(std::slice::from_ref(&x));
    std::thread::sleep(Duration::from_millis(50));
    let held = |client| {
        let answer = request(client, "who_has", samite_cluster::Plain::Map(Vec::new()));
        let samite_cluster::Plain::Map(pairs) = answer else { panic!("{answer:?}") };
        pairs.len()
    };
    assert_eq!(held(&client), 1, "another client wants it");
    other.release(&[x]);
    wait_until("the value's end", || held(&client) == 0);
}

#[test]
fn large_values_travel_between_workers_and_to_clients() {
    let cluster = Cluster::start(Way::Tcp, 2, 1);
    let client = cluster.client();
    let size = 8 << 20;
    let mut graph = Graph::default();
    let blobs: Vec<_> = (0..6).map(|_| graph.task(Work::Blob(size), &[])).collect();
    let total = graph.task(Work::Length, &blobs);
    for (place, blob) in blobs.iter().enumerate() {
        graph.output(format!("blob-{place}"), *blob);
    }
    graph.output("total", total);
    client.submit(graph.submission()).unwrap();
    assert_eq!(numbers(&client, &[key("total")]), [6 * size as u64]);
    let keys: Vec<_> = (0..6).map(|place| key(format!("blob-{place}"))).collect();
    assert_eq!(numbers(&client, &keys), vec![size as u64; 6]);
}

#[test]
fn a_key_is_not_computed_twice() {
    let cluster = Cluster::start(Way::Process, 1, 1);
    let client = cluster.client();
    let first = submit(&client, "same", Work::Add(1));
    assert_eq!(numbers(&client, std::slice::from_ref(&first)), [1]);
    // Another task by the same name is not run.
    let second = submit(&client, "same", Work::Add(2));
    assert_eq!(numbers(&client, &[second]), [1]);
}

#[test]
fn a_result_can_have_several_names() {
    let cluster = Cluster::start(Way::Process, 1, 1);
    let client = cluster.client();
    let mut graph = Graph::default();
    let task = graph.task(Work::Slow(20, 5), &[]);
    let bad = graph.task(Work::Fail(String::from("no luck")), &[]);
    for name in ["one", "two", "three"] {
        graph.output(name, task);
        graph.output(format!("bad {name}"), bad);
    }
    client.submit(graph.submission()).unwrap();
    assert_eq!(numbers(&client, &["one", "two", "three"].map(key)), [5, 5, 5]);
    for outcome in fetch(&client, &["bad one", "bad two"].map(key)) {
        assert!(failure(&outcome).contains("no luck"));
    }
    client.release(&[key("one"), key("three")]);
    // The value stays for the name that is left.
    let mut graph = Graph::default();
    let two = graph.import("two");
    let more = graph.task(Work::Add(1), &[two]);
    graph.output("more", more);
    client.submit(graph.submission()).unwrap();
    assert_eq!(numbers(&client, &[key("more")]), [6]);
}
