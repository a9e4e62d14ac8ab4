//! Counts words of several texts in parallel, with lazy values.
//!
//! `cargo run --release -p samite --example delayed -- [file]...`

use std::collections::BTreeMap;
use std::sync::Arc;

use samite::delayed::{Scheduler, delayed, join_all, try_delayed, value};

type Counts = BTreeMap<String, usize>;

fn count(text: &str) -> Counts {
    let mut counts = Counts::new();
    for word in text.split(|letter: char| !letter.is_alphanumeric()) {
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    counts
}

fn merge(parts: &[Arc<Counts>]) -> Counts {
    let mut merged = Counts::new();
    for (word, count) in parts.iter().flat_map(|part| part.iter()) {
        *merged.entry(word.clone()).or_default() += count;
    }
    merged
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let texts = if files.is_empty() {
        let verse = "six threads make one samite, and one samite shines like six suns";
        (0..8).map(|_| delayed(move || verse.to_owned())).collect()
    } else {
        let read = |path: String| {
            let name = format!("read {path}");
            try_delayed(move || std::fs::read_to_string(&path)).named(name)
        };
        files.into_iter().map(read).collect::<Vec<_>>()
    };
    let counts = texts.iter().map(|text| text.map(|text| count(text)).named("count"));
    let merged = join_all(counts).map(|parts| merge(parts)).named("merge");

    // What is computed once can be kept and used again.
    let merged = merged.persist(&Scheduler::threads(4))?;
    let words = merged.map(|counts| counts.values().sum::<usize>());
    let most = merged.map(|counts| {
        let best = counts.iter().max_by_key(|(_, count)| **count);
        best.map(|(word, count)| (word.clone(), *count))
    });
    println!("words: {}", words.compute()?);
    if let Some((word, count)) = &*most.compute()? {
        println!("most frequent: {word} ({count} times)");
    }

    // An error keeps its type, and names the task and those that waited for it.
    let number = value("twelve").try_map(|text| text.parse::<i32>()).named("parse");
    match number.map(|number| number + 1).named("add").compute() {
        Ok(number) => println!("{number}"),
        Err(error) => println!("as expected: {error}"),
    }
    Ok(())
}
