//! What clients ask the scheduler for by name.

use std::time::{Duration, Instant};

use samite_cluster::Plain;
use samite_cluster::client::Client;

use crate::support::*;

fn named(name: &str, more: &[(&str, Plain)]) -> Plain {
    let pairs = more.iter().cloned();
    Plain::map(std::iter::once(("name", Plain::text(name))).chain(pairs))
}

fn lock(client: &Client, what: &str, id: &str, timeout: f64) -> Plain {
    let more = [("id", Plain::text(id)), ("timeout", Plain::Float(timeout))];
    request(client, &format!("lock_{what}"), named("l", &more))
}

#[test]
fn a_lock_has_one_holder_and_passes_on() {
    let cluster = Cluster::start(Way::Tcp, 0, 1);
    let (one, two) = (cluster.client(), cluster.client());
    assert_eq!(lock(&one, "acquire", "a", 5.0), Plain::Bool(true));
    let began = Instant::now();
    assert_eq!(lock(&two, "acquire", "b", 0.1), Plain::Bool(false));
    assert!(began.elapsed() >= Duration::from_millis(90));
    assert_eq!(lock(&two, "release", "b", 0.0), Plain::Bool(false));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lock(&two, "acquire", "b", 30.0));
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(lock(&one, "release", "a", 0.0), Plain::Bool(true));
        assert_eq!(waiting.join().unwrap(), Plain::Bool(true));
    });
    // What a client holds is free when it is gone.
    two.close();
    drop(two);
    assert_eq!(lock(&one, "acquire", "c", 30.0), Plain::Bool(true));
}

#[test]
fn a_multilock_takes_all_of_its_names() {
    let cluster = Cluster::start(Way::Process, 0, 1);
    let client = cluster.client();
    let acquire = |id: &str, names: &[&str], timeout: f64| {
        let names = Plain::List(names.iter().map(Plain::text).collect());
        let arguments = Plain::map([
            ("id", Plain::text(id)),
            ("names", names),
            ("timeout", Plain::Float(timeout)),
        ]);
        request(&client, "multilock_acquire", arguments)
    };
    assert_eq!(acquire("1", &["x", "y"], 1.0), Plain::Bool(true));
    assert_eq!(acquire("2", &["y", "z"], 0.0), Plain::Bool(false));
    assert_eq!(acquire("3", &["z"], 0.0), Plain::Bool(true));
    request(&client, "multilock_release", Plain::map([("id", Plain::text("1"))]));
    assert_eq!(acquire("4", &["x", "y"], 0.0), Plain::Bool(true));
}

#[test]
fn a_semaphore_counts_its_leases() {
    let cluster = Cluster::start(Way::Process, 0, 1);
    let client = cluster.client();
    let ask = |what: &str, more: &[(&str, Plain)]| {
        request(&client, &format!("semaphore_{what}"), named("s", more))
    };
    ask("create", &[("max_leases", Plain::Int(2))]);
    let take = |id: &str| ask("acquire", &[("id", Plain::text(id)), ("timeout", Plain::Int(0))]);
    assert_eq!([take("a"), take("b"), take("c")].map(|got| got.is_true()), [true, true, false]);
    assert_eq!(ask("value", &[]), Plain::Int(2));
    assert_eq!(ask("release", &[("id", Plain::text("a"))]), Plain::Bool(true));
    assert!(take("c").is_true());
    let more = named("s", &[("max_leases", Plain::Int(3))]);
    let refused = client.request("semaphore_create", more, Some(PATIENCE), &mut || true).unwrap();
    let fault = refused.unwrap().unwrap_err();
    assert_eq!(&*fault.kind, "ValueError");
    assert!(fault.message.contains("Inconsistent max leases"), "{fault}");
}

#[test]
fn queues_hold_values_and_keep_results() {
    let cluster = Cluster::start(Way::Tcp, 1, 1);
    let client = cluster.client();
    let ask = |what: &str, more: &[(&str, Plain)]| {
        request(&client, &format!("queue_{what}"), named("q", more))
    };
    ask("create", &[("maxsize", Plain::Int(2))]);
    let x = submit(&client, "x", Work::Add(42));
    assert_eq!(numbers(&client, std::slice::from_ref(&x)), [42]);
    let kept = Plain::map([("key", Plain::text("x")), ("data", Plain::Bytes(vec![1].into()))]);
    let put =
        |value: &Plain| ask("put", &[("value", value.clone()), ("timeout", Plain::Float(0.0))]);
    assert!(put(&kept).is_true());
    client.release(std::slice::from_ref(&x));
    assert!(put(&Plain::Int(2)).is_true());
    assert!(!put(&Plain::Int(3)).is_true(), "it is full");
    assert_eq!(ask("qsize", &[]), Plain::Int(2));
    let got = ask("get", &[("n", Plain::Int(1)), ("timeout", Plain::Float(1.0))]);
    assert_eq!(got, Plain::List(vec![kept]));
    client.retain(std::slice::from_ref(&x));
    assert_eq!(numbers(&client, &[x]), [42], "the queue kept it");
    let all = ask("get", &[("n", Plain::Int(-1))]);
    assert_eq!(all, Plain::List(vec![Plain::Int(2)]));
    let late = ask("get", &[("n", Plain::Int(1)), ("timeout", Plain::Float(0.05))]);
    assert_eq!(late, Plain::Bool(false));
}

#[test]
fn variables_and_events_wake_those_who_wait() {
    let cluster = Cluster::start(Way::Process, 0, 1);
    let (one, two) = (cluster.client(), cluster.client());
    std::thread::scope(|scope| {
        let value = scope.spawn(|| request(&one, "variable_get", named("v", &[])));
        let set = scope
            .spawn(|| request(&one, "event_wait", named("e", &[("timeout", Plain::Float(30.0))])));
        std::thread::sleep(Duration::from_millis(30));
        request(&two, "variable_set", named("v", &[("value", Plain::Int(9))]));
        request(&two, "event_set", named("e", &[]));
        assert_eq!(value.join().unwrap(), Plain::Int(9));
        assert_eq!(set.join().unwrap(), Plain::Bool(true));
    });
    assert!(request(&one, "event_is_set", named("e", &[])).is_true());
    request(&one, "event_clear", named("e", &[]));
    assert!(!request(&one, "event_is_set", named("e", &[])).is_true());
}

#[test]
fn data_sets_keep_their_results() {
    let cluster = Cluster::start(Way::Process, 1, 1);
    let (one, two) = (cluster.client(), cluster.client());
    let x = submit(&one, "x", Work::Add(6));
    let keys = Plain::List(vec![Plain::text("x")]);
    let data = Plain::Bytes(vec![1, 2].into());
    let more = [("keys", keys), ("data", data.clone())];
    assert!(request(&one, "publish", named("d", &more)).is_true());
    assert!(!request(&one, "publish", named("d", &more)).is_true());
    one.release(std::slice::from_ref(&x));
    std::thread::sleep(Duration::from_millis(30));
    let found = request(&two, "get_dataset", named("d", &[]));
    assert_eq!(found.get("data"), Some(&data));
    two.retain(std::slice::from_ref(&x));
    assert_eq!(numbers(&two, &[x]), [6]);
    let listed = request(&two, "list_datasets", Plain::None);
    assert_eq!(listed, Plain::List(vec![Plain::text("d")]));
    assert!(request(&two, "unpublish", named("d", &[])).is_true());
    assert_eq!(request(&two, "get_dataset", named("d", &[])), Plain::None);
}

#[test]
fn metadata_is_a_tree() {
    let cluster = Cluster::start(Way::Process, 0, 1);
    let client = cluster.client();
    let path = |names: &[&str]| Plain::List(names.iter().map(Plain::text).collect());
    let set = |names: &[&str], value: Plain| {
        request(&client, "set_metadata", Plain::map([("keys", path(names)), ("value", value)]))
    };
    let get =
        |names: &[&str]| request(&client, "get_metadata", Plain::map([("keys", path(names))]));
    set(&["a", "b"], Plain::Int(1));
    set(&["a", "c"], Plain::Int(2));
    assert_eq!(get(&["a"]), Plain::map([("b", Plain::Int(1)), ("c", Plain::Int(2))]));
    assert_eq!(get(&["a", "c"]), Plain::Int(2));
    assert_eq!(get(&["a", "d"]), Plain::None);
}

#[test]
fn functions_run_on_workers() {
    let cluster = Cluster::start(Way::Tcp, 2, 1);
    let client = cluster.client();
    let run = |function: &[u8]| {
        request(&client, "run", Plain::map([("function", Plain::Bytes(function.into()))]))
    };
    let Plain::Map(answers) = run(b"name") else { panic!("no map") };
    let mut names: Vec<String> = answers
        .iter()
        .map(|(_, answer)| {
            assert_eq!(answer.items()[0], Plain::text("ok"));
            String::from_utf8(answer.items()[1].as_bytes().unwrap().to_vec()).unwrap()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["w0", "w1"]);
    let Plain::Map(answers) = run(b"fail") else { panic!("no map") };
    assert_eq!(answers[0].1.items()[0], Plain::text("error"));
}

#[test]
fn a_retired_worker_leaves_its_results_to_others() {
    let cluster = Cluster::start(Way::Tcp, 2, 1);
    let client = cluster.client();
    let keys: Vec<_> =
        (0..20).map(|place| submit(&client, &format!("b-{place}"), Work::Blob(5000))).collect();
    assert!(client.wait(&keys, Some(PATIENCE), false, &mut || true));
    let arguments = Plain::map([("workers", Plain::List(vec![Plain::text("w0")]))]);
    let Plain::Map(gone) = request(&client, "retire_workers", arguments) else { panic!("no map") };
    assert_eq!(gone.len(), 1);
    assert!(cluster.workers[0].wait(Duration::from_secs(10)));
    assert_eq!(numbers(&client, &keys), vec![5000; 20]);
    let state = request(&client, "dump_state", Plain::None);
    assert_eq!(state.get("recomputed").and_then(Plain::as_int), Some(0), "{state:?}");
}

#[test]
fn results_are_copied_where_asked() {
    let cluster = Cluster::start(Way::Tcp, 3, 1);
    let client = cluster.client();
    let x = submit(&client, "x", Work::Blob(5000));
    assert!(client.wait(&[x], Some(PATIENCE), false, &mut || true));
    let keys = Plain::List(vec![Plain::text("x")]);
    let copied = request(&client, "replicate", Plain::map([("keys", keys.clone())]));
    assert_eq!(copied, Plain::Bool(true));
    let holders = request(&client, "who_has", Plain::map([("keys", keys)]));
    assert_eq!(holders.get("x").unwrap().items().len(), 3);
}

#[test]
fn events_reach_those_who_subscribed() {
    let cluster = Cluster::start(Way::Tcp, 0, 1);
    let (one, two) = (cluster.client(), cluster.client());
    let (sender, heard) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let listener = move |event: &Plain| {
        sender.lock().unwrap().send(event.items()[1].clone()).unwrap();
    };
    one.subscribe("t", std::sync::Arc::new(listener)).unwrap();
    // The scheduler knows of it once it has answered something later.
    request(&one, "nthreads", Plain::None);
    let message = Plain::Bytes(vec![5].into());
    let event = Plain::map([("topic", Plain::text("t")), ("message", message.clone())]);
    request(&two, "log_event", event);
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), message);
    let kept = request(&two, "get_events", Plain::map([("topic", Plain::text("t"))]));
    assert_eq!(kept.items().len(), 1);
}

#[test]
fn an_unknown_request_is_refused_by_name() {
    let cluster = Cluster::start(Way::Process, 0, 1);
    let client = cluster.client();
    let answer = client.request("fly", Plain::None, Some(PATIENCE), &mut || true).unwrap();
    assert!(answer.unwrap().unwrap_err().message.contains("\"fly\""));
}
