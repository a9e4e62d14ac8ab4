use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringViewArray};
use arrow::datatypes::Int64Type;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_plan::empty::EmptyExec;
use futures::TryStreamExt;
use proptest::prelude::*;

use super::*;
use crate::streams::Begun;

/// A batch of keys and texts that say where they are from.
fn batch(keys: &[i64], place: &str) -> RecordBatch {
    let texts = keys.iter().map(|key| Some(format!("row of the key {key} in {place}")));
    let columns: [(&str, ArrayRef); 2] = [
        ("k", Arc::new(Int64Array::from(keys.to_vec()))),
        ("s", Arc::new(texts.collect::<StringViewArray>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn inputs(keys: &[Vec<Vec<i64>>]) -> Vec<Vec<RecordBatch>> {
    let place = |input: usize, number: usize| format!("batch {number} of {input}");
    let of = |(input, batches): (usize, &Vec<Vec<i64>>)| {
        let batches = batches.iter().enumerate();
        batches.map(|(number, keys)| batch(keys, &place(input, number))).collect()
    };
    keys.iter().enumerate().map(of).collect()
}

fn source(streams: Vec<SendableRecordBatchStream>) -> Arc<dyn ExecutionPlan> {
    let shape = EmptyExec::new(batch(&[], "").schema()).with_partitions(streams.len());
    let shape: Arc<dyn ExecutionPlan> = Arc::new(shape);
    Begun::of(&shape, streams.into_iter().enumerate())
}

fn exchange(streams: Vec<SendableRecordBatchStream>, outputs: usize) -> Arc<dyn ExecutionPlan> {
    let input = source(streams);
    let keys = vec![col("k", &input.schema()).unwrap()];
    let repartition = RepartitionExec::try_new(input, Partitioning::Hash(keys, outputs)).unwrap();
    let plan = exchanged(Arc::new(repartition)).unwrap();
    assert_eq!(plan.name(), "ExchangeExec");
    plan
}

fn stream_of(rows: Vec<Result<RecordBatch>>) -> SendableRecordBatchStream {
    Box::pin(RecordBatchStreamAdapter::new(batch(&[], "").schema(), stream::iter(rows)))
}

fn context(limit: usize) -> Arc<TaskContext> {
    let named = NonZeroUsize::new(2).unwrap();
    let pool = TrackConsumersPool::new(FairSpillPool::new(limit), named);
    let environment = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc();
    Arc::new(TaskContext::default().with_runtime(environment.unwrap()))
}

fn pool(context: &TaskContext) -> Arc<dyn MemoryPool> {
    context.memory_pool().clone()
}

/// Runs on threads of its own, and not for ever.
fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let deadline = Duration::from_secs(60);
    threads.block_on(async { tokio::time::timeout(deadline, work).await.expect("no end") })
}

type Rows = BTreeMap<(i64, String), usize>;

fn count(batches: &[RecordBatch]) -> Rows {
    let mut rows = Rows::new();
    for batch in batches {
        let keys = batch.column(0).as_primitive::<Int64Type>();
        let texts = batch.column(1).as_string_view();
        for (key, text) in keys.values().iter().zip(texts) {
            *rows.entry((*key, text.unwrap().to_owned())).or_default() += 1;
        }
    }
    rows
}

/// How the outputs are read.
#[derive(Clone, Copy, Debug)]
enum Reading {
    AtOnce,
    OneAfterAnother,
    /// All but the first are given up after their first batch.
    FirstOnly,
}

async fn read(
    streams: Vec<SendableRecordBatchStream>,
    reading: Reading,
) -> Result<Vec<Vec<RecordBatch>>> {
    match reading {
        Reading::AtOnce => {
            let tasks: Vec<_> = streams
                .into_iter()
                .map(|rows| SpawnedTask::spawn(rows.try_collect::<Vec<_>>()))
                .collect();
            let mut found = Vec::new();
            for task in tasks {
                found.push(task.join_unwind().await.unwrap()?);
            }
            Ok(found)
        }
        Reading::OneAfterAnother => {
            let mut found = Vec::new();
            for rows in streams {
                found.push(rows.try_collect().await?);
            }
            Ok(found)
        }
        Reading::FirstOnly => {
            let mut streams = streams.into_iter();
            let first = streams.next().unwrap();
            for mut rows in streams {
                rows.next().await.transpose()?;
            }
            Ok(vec![first.try_collect().await?])
        }
    }
}

fn keys() -> impl Strategy<Value = Vec<Vec<Vec<i64>>>> {
    let batches = prop::collection::vec(prop::collection::vec(0_i64..40, 0..600), 0..12);
    prop::collection::vec(batches, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_row_comes_once_and_all_of_a_key_together(
        keys in keys(),
        outputs in 1_usize..5,
        limit in prop::sample::select(vec![1_usize, 20_000, 200_000, 100_000_000]),
        reading in prop::sample::select(
            vec![Reading::AtOnce, Reading::OneAfterAnother, Reading::FirstOnly],
        ),
    ) {
        let given = inputs(&keys);
        let expected = count(&given.concat());
        let streams = given.into_iter().map(|rows| stream_of(rows.into_iter().map(Ok).collect()));
        let plan = exchange(streams.collect(), outputs);
        let context = context(limit);
        let opened: Vec<_> =
            (0..outputs).map(|output| plan.execute(output, context.clone()).unwrap()).collect();
        let found = run(read(opened, reading)).unwrap();
        let found: Vec<Rows> = found.iter().map(|batches| count(batches)).collect();
        let mut places = BTreeMap::new();
        for (output, rows) in found.iter().enumerate() {
            for ((key, text), times) in rows {
                prop_assert_eq!(*places.entry(*key).or_insert(output), output);
                prop_assert_eq!(expected.get(&(*key, text.clone())), Some(times));
            }
        }
        if !matches!(reading, Reading::FirstOnly) {
            prop_assert_eq!(found.iter().map(Rows::len).sum::<usize>(), expected.len());
        }
        prop_assert_eq!(pool(&context).reserved(), 0);
        // Nothing of the run stays: its pool, and its folder of files, go with it.
        let pool = Arc::downgrade(&pool(&context));
        drop((plan, context));
        prop_assert!(pool.upgrade().is_none());
    }
}

#[test]
fn what_does_not_fit_is_written_and_read_in_order() {
    let keys: Vec<Vec<i64>> = (0..200).map(|number| vec![number; 300]).collect();
    let given = inputs(&[keys]).remove(0);
    let plan = exchange(vec![stream_of(given.into_iter().map(Ok).collect())], 2);
    let context = context(100_000);
    let opened = (0..2).map(|output| plan.execute(output, context.clone()).unwrap()).collect();
    let found = run(read(opened, Reading::OneAfterAnother)).unwrap();
    for batches in &found {
        let keys: Vec<i64> = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
            .collect();
        assert!(keys.is_sorted());
    }
    assert_eq!(found.iter().flatten().map(RecordBatch::num_rows).sum::<usize>(), 60_000);
    let metrics = plan.metrics().unwrap();
    assert!(metrics.spill_count().unwrap() > 0);
}

#[test]
fn the_queues_stay_short_where_all_outputs_are_read() {
    let keys: Vec<i64> = (0..4_000).collect();
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let rows = stream::iter(0..1_000).map(move |number| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(batch(&keys, &format!("batch {number}")))
    });
    let rows = Box::pin(RecordBatchStreamAdapter::new(batch(&[], "").schema(), rows));
    let plan = exchange(vec![rows], 2);
    let context = context(1 << 30);
    let mut opened: Vec<_> =
        (0..2).map(|output| plan.execute(output, context.clone()).unwrap()).collect();
    run(async move {
        assert!(opened[0].next().await.unwrap().is_ok());
        tokio::time::sleep(Duration::from_millis(200)).await;
        let ahead = taken.load(Ordering::Relaxed);
        assert!(ahead < 30, "{ahead} batches were taken for one that was read");
    });
}

#[test]
fn an_input_that_fails_or_panics_ends_every_output() {
    let good = || Ok(batch(&[1, 2, 3, 4, 5, 6], "good"));
    let bad = || internal_err!("the disk is on fire");
    for outputs in 1..4 {
        for output in 0..outputs {
            let streams = vec![stream_of(vec![good(), bad()]), stream_of(vec![good()])];
            let plan = exchange(streams, outputs);
            let rows = plan.execute(output, context(1 << 20)).unwrap();
            let failed = run(rows.try_collect::<Vec<_>>()).unwrap_err();
            assert!(failed.to_string().contains("the disk is on fire"), "{failed}");

            let panics = stream::iter([0]).map(|_| panic!("the operator is on fire"));
            let panics = RecordBatchStreamAdapter::new(batch(&[], "").schema(), panics);
            let plan = exchange(vec![stream_of(vec![good()]), Box::pin(panics)], outputs);
            let rows = plan.execute(output, context(1 << 20)).unwrap();
            let failed = run(rows.try_collect::<Vec<_>>()).unwrap_err();
            assert!(failed.to_string().contains("no further"), "{failed}");
        }
    }
}
