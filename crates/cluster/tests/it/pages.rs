//! What a running scheduler shows over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use samite_cluster::http::{HttpOptions, HttpServer};

use crate::support::*;

fn ask(server: &HttpServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(server: &HttpServer, path: &str) -> String {
    ask(server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
}

#[test]
fn pages_show_what_ran_and_let_workers_leave() {
    let cluster = Cluster::start(Way::Tcp, 2, 2);
    let options = HttpOptions { address: "127.0.0.1:0".to_owned(), ..HttpOptions::default() };
    let server = cluster.scheduler.show_pages(options).unwrap();
    let client = cluster.client();
    let mut graph = Graph::default();
    for number in 0..50 {
        let task = graph.task(Work::Add(number), &[]);
        graph.output(format!("n-{number}"), task);
    }
    client.submit(graph.submission()).unwrap();
    let keys: Vec<_> = (0..50).map(|number| key(format!("n-{number}"))).collect();
    assert_eq!(numbers(&client, &keys), (0..50).collect::<Vec<u64>>());

    let counts = get(&server, "/json/counts.json");
    assert!(counts.contains("\"workers\":2") && counts.contains("\"cores\":4"), "{counts}");
    assert!(counts.contains("\"clients\":1"), "{counts}");
    assert!(get(&server, "/json/identity.json").contains(cluster.scheduler.id()));
    let figures = get(&server, "/metrics");
    assert!(figures.contains("dask_scheduler_workers{state=\"idle\"} 2"), "{figures}");
    assert!(figures.contains("dask_scheduler_workers_added_total 2"), "{figures}");

    // The stream begins with the runs that are over.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let first = BufReader::new(stream)
        .lines()
        .map(|line| line.unwrap())
        .find(|line| line.starts_with("data: "))
        .unwrap();
    assert_eq!(first.matches("\"action\":\"compute\"").count(), 50, "{first}");

    let body = "{\"n\": 1}";
    let answer = ask(
        &server,
        &format!(
            "POST /api/v1/retire_workers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert_eq!(answer.matches("\"type\":\"Worker\"").count(), 1, "{answer}");
    wait_until("one worker less", || get(&server, "/json/counts.json").contains("\"workers\":1"));

    // The pages do not keep a scheduler alive.
    cluster.scheduler.close(Duration::from_secs(5));
    assert!(get(&server, "/json/counts.json").starts_with("HTTP/1.1 503"));
}
