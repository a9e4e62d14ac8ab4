//! The pages, asked as a client asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::*;
use crate::security::{Credentials, Pem, Security, Token};

const DEADLINE: Duration = Duration::from_secs(20);

/// A scheduler as the pages see one, whose state is set by the test.
#[derive(Default)]
struct Recorded {
    ended: AtomicBool,
    asked_since: AtomicU64,
    retired: Mutex<Vec<Retire>>,
}

fn state() -> Snapshot {
    let worker = |name: &str, idle, saturated, status: &str| Worker {
        name: name.to_owned(),
        address: format!("tcp://10.0.0.1:{}", 1000 + name.len()),
        host: "10.0.0.1".to_owned(),
        status: status.to_owned(),
        nthreads: 4,
        idle,
        saturated,
        memory_limit: 1 << 30,
        memory: Memory { process: 700, managed: 500, spilled: 20 },
        cpu: 12.5,
        network: Rates { read: 2.0, written: 3.0 },
        transfers: Transfers { incoming_bytes_total: 7, ..Transfers::default() },
        ..Worker::default()
    };
    let states = States { memory: 3, processing: 2, erred: 1, no_worker: 4, ..States::default() };
    Snapshot {
        id: "Scheduler-1".to_owned(),
        address: "tcp://10.0.0.9:8786".to_owned(),
        now: 1000.5,
        started: 900.0,
        desired_workers: 7,
        clients: 2,
        tasks: states,
        totals: Totals { workers_added: 5, workers_removed: 2, ..Totals::default() },
        workers: vec![
            worker("a", true, false, "running"),
            worker("bb", false, true, "running"),
            worker("ccc", false, false, "paused"),
        ],
        prefixes: vec![Prefix {
            name: "odd\"name\\\n".to_owned(),
            states,
            entered: States { memory: 9, ..States::default() },
            output_bytes: 123,
            compute_seconds: 1.5,
            ..Prefix::default()
        }],
        events: vec![TaskEvent { index: 4, key: "<b>x</b>".to_owned(), ..TaskEvent::default() }],
        next_event: 5,
        ..Snapshot::default()
    }
}

impl Source for Recorded {
    fn snapshot(&self, events_since: u64) -> Answer<'_, Option<Snapshot>> {
        if events_since != u64::MAX {
            self.asked_since.store(events_since, Ordering::Relaxed);
        }
        let ended = self.ended.load(Ordering::Relaxed);
        Box::pin(async move { (!ended).then(state) })
    }

    fn retire(&self, request: Retire) -> Answer<'_, Result<Vec<Worker>, String>> {
        self.retired.lock().push(request);
        Box::pin(async { Ok(state().workers.split_off(2)) })
    }
}

async fn serve(change: impl FnOnce(&mut HttpOptions)) -> (HttpServer, Arc<Recorded>) {
    let mut options = HttpOptions { address: "127.0.0.1:0".to_owned(), ..HttpOptions::default() };
    change(&mut options);
    let source = Arc::new(Recorded::default());
    (HttpServer::bind(options, Arc::clone(&source) as _).await.unwrap(), source)
}

/// Sends a request; status, head and body of the answer.
async fn send(server: &HttpServer, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

async fn get(server: &HttpServer, path: &str) -> (u16, String, String) {
    send(server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

async fn get_json(server: &HttpServer, path: &str) -> Value {
    let (status, head, body) = get(server, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    assert!(head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(&body).unwrap()
}

async fn retire(server: &HttpServer, body: &str, more: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "POST /api/v1/retire_workers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n{body}"
    );
    let (status, _, body) = send(server, &request).await;
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn the_state_is_shown_with_the_names_that_dask_has() {
    let (server, _) = serve(|_| {}).await;
    assert_eq!(get(&server, "/health").await.2, "ok");
    let counts = get_json(&server, "/json/counts.json").await;
    for (name, count) in [
        ("workers", 3),
        ("cores", 12),
        ("tasks", 10),
        ("erred", 1),
        ("unrunnable", 4),
        ("idle", 1),
        ("saturated", 1),
        ("hosts", 1),
        ("bytes", 123),
        ("desired_workers", 7),
    ] {
        assert_eq!(counts[name], count, "{name}");
    }
    let identity = get_json(&server, "/json/identity.json").await;
    assert_eq!(identity["services"]["dashboard"], server.address().port());
    assert_eq!(identity["total_threads"], 12);
    assert_eq!(identity["workers"]["tcp://10.0.0.1:1002"]["metrics"]["memory"], 700);
    assert_eq!(get(&server, "/api/v1").await.2, "API V1");
    let workers = get_json(&server, "/api/v1/get_workers").await;
    assert_eq!(workers["num_workers"], 3);
    assert_eq!(workers["workers"][0], json!({"name": "a", "address": "tcp://10.0.0.1:1001"}));
    assert_eq!(get_json(&server, "/api/v1/adaptive_target").await, json!({"workers": 7}));
    assert_eq!(get_json(&server, "/api/v1/check_idle").await, json!({"idle_since": null}));
    // Every page that is listed is there.
    for path in get_json(&server, "/sitemap.json").await["paths"].as_array().unwrap() {
        let path = path.as_str().unwrap();
        if path != "/events" && path != "/api/v1/retire_workers" {
            assert_eq!(get(&server, path).await.0, 200, "{path}");
        }
    }
    assert_eq!(get(&server, "/nothing").await.0, 404);
}

#[tokio::test]
async fn figures_are_what_prometheus_reads() {
    let (server, _) = serve(|_| {}).await;
    let (status, head, body) = get(&server, "/metrics").await;
    assert_eq!(status, 200);
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    for line in [
        "dask_scheduler_clients 2",
        "dask_scheduler_desired_workers 7",
        "dask_scheduler_workers{state=\"idle\"} 1",
        "dask_scheduler_workers{state=\"saturated\"} 1",
        "dask_scheduler_workers{state=\"paused\"} 1",
        "dask_scheduler_workers{state=\"retiring\"} 0",
        "dask_scheduler_tasks{state=\"no-worker\"} 4",
        "dask_scheduler_workers_added_total 5",
        "dask_scheduler_tasks_compute_seconds_total{task_prefix_name=\"odd\\\"name\\\\\\n\"} 1.5",
        "dask_scheduler_tasks_output_bytes{task_prefix_name=\"odd\\\"name\\\\\\n\"} 123",
        "dask_scheduler_prefix_state_totals_total{task_prefix_name=\"odd\\\"name\\\\\\n\",state=\"memory\"} 9",
        "dask_worker_cpu_percent{worker=\"tcp://10.0.0.1:1001\",worker_name=\"a\"} 12.5",
        "dask_worker_memory_bytes{worker=\"tcp://10.0.0.1:1001\",worker_name=\"a\",type=\"unmanaged\"} 200",
        "dask_worker_transfer_incoming_bytes_total{worker=\"tcp://10.0.0.1:1002\",worker_name=\"bb\"} 7",
        "dask_worker_host_network_bytes_per_second{worker=\"tcp://10.0.0.1:1003\",worker_name=\"ccc\",direction=\"write\"} 3",
    ] {
        assert!(body.lines().any(|found| found == line), "{line} is not in\n{body}");
    }
    // Each figure is described once, before its values.
    let mut described = None;
    for line in body.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(rest) => described = rest.split(' ').next(),
            None if line.starts_with('#') => {}
            None => assert!(line.starts_with(described.unwrap()), "{line}"),
        }
    }
    let (server, _) = serve(|options| options.namespace = "samite".to_owned()).await;
    let (_, _, body) = get(&server, "/metrics").await;
    assert!(body.contains("\nsamite_scheduler_tasks{") && !body.contains("dask_"));
}

#[tokio::test]
async fn changing_takes_the_token_and_a_request_that_makes_sense() {
    let secret = "a token of this test";
    let (server, source) = serve(|o| o.token = Some(Token::new(secret).unwrap())).await;
    for shown in
        ["", "Authorization: Bearer another\r\n", "Authorization: a token of this test\r\n"]
    {
        assert_eq!(retire(&server, "{}", shown).await.0, 401);
    }
    assert!(source.retired.lock().is_empty());
    let shown = format!("Authorization: Bearer {secret}\r\n");
    let (status, gone) = retire(&server, r#"{"n": 2}"#, &shown).await;
    assert_eq!((status, &gone["tcp://10.0.0.1:1003"]["name"]), (200, &json!("ccc")));

    // Without a token, no web page may do it.
    let (server, source) = serve(|_| {}).await;
    assert_eq!(retire(&server, "{}", "Origin: http://evil.example\r\n").await.0, 403);
    assert!(source.retired.lock().is_empty());
    for wrong in ["{bad", "[]", r#"{"n": -1}"#, r#"{"workers": 5}"#, r#"{"n": 1, "workers": []}"#] {
        let (status, answer) = retire(&server, wrong, "").await;
        assert_eq!(status, 400, "{wrong}");
        assert!(answer["Error"].as_str().unwrap().contains("retire_workers"), "{answer}");
    }
    for right in ["{}", r#"{"n": 3}"#, r#"{"workers": ["tcp://x:1"]}"#] {
        assert_eq!(retire(&server, right, "").await.0, 200);
    }
    let named = Retire::Workers(vec!["tcp://x:1".to_owned()]);
    assert_eq!(*source.retired.lock(), [Retire::Idle, Retire::Count(3), named]);
    assert_eq!(get(&server, "/api/v1/retire_workers").await.0, 405);
}

#[tokio::test]
async fn the_live_page_is_fed_with_what_is_new() {
    let (server, source) = serve(|options| options.listeners = 1).await;
    let (status, head, page) = get(&server, "/status").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "the page needs other servers"
    );
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (reading, mut writing) = stream.into_split();
    writing.write_all(b"GET /events?interval=100 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut lines = BufReader::new(reading).lines();
    let mut states = 0;
    while states < 3 {
        let line = tokio::time::timeout(DEADLINE, lines.next_line()).await.unwrap().unwrap();
        let Some(data) = line.as_deref().unwrap().strip_prefix("data: ") else { continue };
        let state: Value = serde_json::from_str(data).unwrap();
        assert_eq!(state["events"][0]["key"], "<b>x</b>");
        assert_eq!(state["tasks"]["no-worker"], 4);
        states += 1;
    }
    assert_eq!(source.asked_since.load(Ordering::Relaxed), 5);
    // A second page is one too many; the place is free when the first is closed.
    assert_eq!(get(&server, "/events").await.0, 503);
    drop((lines, writing));
    let again = async {
        loop {
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            stream.write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut start = [0; 12];
            stream.read_exact(&mut start).await.unwrap();
            if start.ends_with(b"200") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, again).await.unwrap();
}

#[tokio::test]
async fn a_scheduler_that_has_ended_says_so() {
    let (server, source) = serve(|_| {}).await;
    source.ended.store(true, Ordering::Relaxed);
    for path in ["/metrics", "/json/counts.json", "/api/v1/get_workers"] {
        let (status, _, body) = get(&server, path).await;
        assert_eq!(status, 503, "{path}");
        assert!(body.contains("the scheduler has ended"));
    }
}

#[tokio::test]
async fn slow_and_greedy_clients_keep_nobody_waiting() {
    let (server, _) = serve(|options| {
        options.head_time = Duration::from_millis(200);
        options.connections = 4;
    })
    .await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        slow.push(stream);
    }
    // All places are taken by clients that do not go on, until their time is over.
    let answer = tokio::time::timeout(DEADLINE, get(&server, "/health")).await.unwrap();
    assert_eq!(answer.0, 200);
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(1 << 20));
    _ = stream.write_all(long.as_bytes()).await;
    let mut heard = Vec::new();
    _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut heard)).await.unwrap();
    assert!(!heard.starts_with(b"HTTP/1.1 200"));
    assert_eq!(get(&server, "/health").await.0, 200);
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused() {
    let source = || Arc::new(Recorded::default()) as Arc<dyn Source>;
    let options = HttpOptions { namespace: "a b".to_owned(), ..HttpOptions::default() };
    let error = HttpServer::bind(options, source()).await.unwrap_err();
    assert!(error.to_string().contains("a b"), "{error}");
    let options = HttpOptions { prefix: "cluster".to_owned(), ..HttpOptions::default() };
    assert!(HttpServer::bind(options, source()).await.is_err());
    let (server, _) = serve(|options| options.prefix = "/cluster/".to_owned()).await;
    assert_eq!(get(&server, "/cluster/health").await.0, 200);
    let (_, head, _) = get(&server, "/cluster/").await;
    assert!(head.contains("location: status"), "{head}");
    let (_, head, _) = get(&server, "/cluster").await;
    assert!(head.contains("location: cluster/status"), "{head}");
    let address = server.address().to_string();
    let options = HttpOptions { address: address.clone(), ..HttpOptions::default() };
    let error = HttpServer::bind(options, source()).await.unwrap_err();
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn pages_are_served_with_certificates() {
    let made = Credentials::generate().unwrap();
    let (certificate, key) = (Pem::Text(made.certificate.clone()), Pem::Text(made.key.clone()));
    let config = Security::web_server(&certificate, Some(&key)).unwrap();
    let (server, _) = serve(|options| options.tls = Some(config)).await;
    let security = made.security().unwrap();
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let address = format!("tls://{}", server.address()).parse().unwrap();
    let mut session = security.call(&address, "127.0.0.1", socket).await.unwrap();
    session
        .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    // The server may end the connection without the farewell of TLS.
    _ = tokio::time::timeout(DEADLINE, session.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
}
