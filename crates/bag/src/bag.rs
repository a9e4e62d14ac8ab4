//! Bags of Rust values, and closures over them.

use std::any::Any;
use std::collections::HashMap;
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::Arc;

use samite_graph::{OperationId, PlanBuilder};
use samite_runtime::{
    Context, Data, Lane, OperationError, Options, Program, Threads, Value, run_here, start,
};

use crate::error::BagError;
use crate::text::TextBlock;

/// Receives the records of a partition one by one.
type Sink<'sink, T> = &'sink mut dyn FnMut(T) -> Result<(), BagError>;
/// Sends the records of a partition to a sink.
type Partition<T> = Arc<dyn Fn(Sink<'_, T>) -> Result<(), BagError> + Send + Sync>;

/// A lazy collection of records of one type, in partitions.
///
/// Closures are joined: a record goes through all of them before the next one is made. Nothing
/// runs before one of the methods that take [`Options`] is called.
///
/// ```
/// use samite_bag::Bag;
/// use samite_runtime::Options;
///
/// let numbers = Bag::from_vec((0..100u64).collect(), 4)?;
/// let squares = numbers.filter(|n| n % 2 == 1).map(|n| n * n);
/// assert_eq!(squares.fold(|| 0, |sum, n| sum + n, |a, b| a + b, Options::pool(2))?, 166_650);
/// # Ok::<(), samite_bag::BagError>(())
/// ```
pub struct Bag<T> {
    partitions: Arc<[Partition<T>]>,
}

impl<T> Clone for Bag<T> {
    fn clone(&self) -> Self {
        Self { partitions: self.partitions.clone() }
    }
}

impl<T: Clone + Send + Sync + 'static> Bag<T> {
    /// Records that are at hand, in about so many partitions.
    ///
    /// # Errors
    /// [`BagError::Parameter`] for no partitions.
    pub fn from_vec(records: Vec<T>, partitions: usize) -> Result<Self, BagError> {
        if partitions == 0 {
            return Err(BagError::Parameter {
                operation: "from_vec",
                reason: "a bag has at least one partition",
            });
        }
        let records: Arc<[T]> = records.into();
        let size = records.len().div_ceil(partitions).max(1);
        let starts = (0..records.len().max(1)).step_by(size);
        Ok(Self::of(starts.map(|start| -> Partition<T> {
            let records = records.clone();
            Arc::new(move |sink| {
                let stop = (start + size).min(records.len());
                records[start..stop].iter().cloned().try_for_each(sink)
            })
        })))
    }
}

impl Bag<String> {
    /// The lines of text files, without their ends, in blocks of about so many bytes.
    ///
    /// # Errors
    /// [`BagError::Read`] where a file's length cannot be found out. Reading fails with that or
    /// with [`BagError::NotUtf8`] when the bag is computed.
    pub fn read_lines(
        paths: impl IntoIterator<Item = impl Into<PathBuf>>,
        block: u64,
    ) -> Result<Self, BagError> {
        let mut blocks = Vec::new();
        for path in paths {
            blocks.extend(TextBlock::whole(path).cut(block)?);
        }
        Ok(Self::of(blocks.into_iter().map(|block| -> Partition<String> {
            Arc::new(move |sink| {
                block.read(|lines, _| lines.lines().try_for_each(|line| sink(line.to_owned())))
            })
        })))
    }
}

impl<T: Send + 'static> Bag<T> {
    fn of(partitions: impl Iterator<Item = Partition<T>>) -> Self {
        Self { partitions: partitions.collect() }
    }

    fn each<U: 'static>(
        &self,
        through: impl Fn(T, Sink<'_, U>) -> Result<(), BagError> + Send + Sync + 'static,
    ) -> Bag<U> {
        let through = Arc::new(through);
        let partitions = self.partitions.iter().map(|partition| -> Partition<U> {
            let (partition, through) = (partition.clone(), through.clone());
            Arc::new(move |sink| partition(&mut |record| through(record, sink)))
        });
        Bag { partitions: partitions.collect() }
    }

    /// The number of partitions.
    pub fn npartitions(&self) -> usize {
        self.partitions.len()
    }

    /// A function of each record.
    #[must_use]
    pub fn map<U: 'static>(&self, func: impl Fn(T) -> U + Send + Sync + 'static) -> Bag<U> {
        self.each(move |record, sink| sink(func(record)))
    }

    /// The records for which a function is true.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.each(move |record, sink| if keep(&record) { sink(record) } else { Ok(()) })
    }

    /// The items that a function makes of each record.
    #[must_use]
    pub fn flat_map<U: 'static, I: IntoIterator<Item = U>>(
        &self,
        func: impl Fn(T) -> I + Send + Sync + 'static,
    ) -> Bag<U> {
        self.each(move |record, sink| func(record).into_iter().try_for_each(sink))
    }

    /// The partitions of both.
    #[must_use]
    pub fn concat(&self, other: &Self) -> Self {
        Self {
            partitions: self.partitions.iter().chain(other.partitions.iter()).cloned().collect(),
        }
    }

    /// The records, in order.
    ///
    /// # Errors
    /// What a source failed with; [`BagError::Runtime`] where a closure panicked.
    pub fn compute(&self, options: Options) -> Result<Vec<T>, BagError> {
        let add = |mut records: Vec<T>, record| {
            records.push(record);
            records
        };
        let join = |mut records: Vec<T>, more: Vec<T>| {
            records.extend(more);
            records
        };
        self.fold(Vec::new, add, join, options)
    }

    /// All records as one value: `add` within a partition, `combine` over partitions in order.
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    pub fn fold<A: Send + 'static>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(A, T) -> A + Send + Sync + 'static,
        combine: impl Fn(A, A) -> A,
        options: Options,
    ) -> Result<A, BagError> {
        let partitions = self.partitions.clone();
        let empty = initial();
        let run = move |index: usize| -> Result<A, BagError> {
            let partition =
                partitions.get(index).ok_or(BagError::Internal { what: "a missing partition" })?;
            // The total is moved through the closure; it is back when the next record comes.
            let mut total = Some(initial());
            partition(&mut |record| {
                total = total.take().map(|total| add(total, record));
                Ok(())
            })?;
            total.ok_or(BagError::Internal { what: "a total that is gone" })
        };
        let totals = run_partitions(self.partitions.len(), run, options)?;
        Ok(totals.into_iter().reduce(combine).unwrap_or(empty))
    }

    /// The number of records.
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    pub fn count(&self, options: Options) -> Result<u64, BagError> {
        self.fold(|| 0, |count, _| count + 1, |left, right| left + right, options)
    }

    /// How often each record occurs.
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    pub fn frequencies(&self, options: Options) -> Result<HashMap<T, u64>, BagError>
    where
        T: Hash + Eq,
    {
        self.map(|record| (record, ())).fold_by(|| 0, |count, ()| count + 1, |a, b| a + b, options)
    }

    /// The `k` largest records by a key, the largest first.
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    pub fn topk<K: Ord + 'static>(
        &self,
        k: usize,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
        options: Options,
    ) -> Result<Vec<T>, BagError> {
        let key = Arc::new(key);
        let (by, by_last) = (key.clone(), key);
        let add = move |mut kept: Vec<T>, record: T| {
            kept.push(record);
            // Sorted now and then, so that each record costs little.
            if kept.len() > 2 * k + 1000 {
                kept.sort_by_key(|record| std::cmp::Reverse(by(record)));
                kept.truncate(k);
            }
            kept
        };
        let join = |mut kept: Vec<T>, more: Vec<T>| {
            kept.extend(more);
            kept
        };
        let mut kept = self.fold(Vec::new, add, join, options)?;
        kept.sort_by_key(|record| std::cmp::Reverse(by_last(record)));
        kept.truncate(k);
        Ok(kept)
    }
}

impl<K: Hash + Eq + Send + 'static, V: Send + 'static> Bag<(K, V)> {
    /// The fold of the values of each key.
    ///
    /// # Errors
    /// As [`compute`](Bag::compute).
    pub fn fold_by<A: Send + 'static>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(A, V) -> A + Send + Sync + 'static,
        combine: impl Fn(A, A) -> A,
        options: Options,
    ) -> Result<HashMap<K, A>, BagError> {
        // A total is taken out of its place while the closure has it.
        let add_one = move |mut totals: HashMap<K, Option<A>>, (key, value): (K, V)| {
            let place = totals.entry(key).or_insert_with(|| Some(initial()));
            *place = place.take().map(|total| add(total, value));
            totals
        };
        let join = |mut totals: HashMap<K, Option<A>>, more: HashMap<K, Option<A>>| {
            // The order does not matter: each key is by itself.
            #[allow(clippy::iter_over_hash_type)]
            for (key, value) in more {
                let place = totals.entry(key).or_insert(None);
                *place = match (place.take(), value) {
                    (Some(left), Some(right)) => Some(combine(left, right)),
                    (left, right) => left.or(right),
                };
            }
            totals
        };
        let totals = self.fold(HashMap::new, add_one, join, options)?;
        Ok(totals.into_iter().filter_map(|(key, total)| Some((key, total?))).collect())
    }
}

/// A partition's result on its way through the runtime.
struct Boxed<A>(parking_lot::Mutex<Option<A>>);

impl<A: Send + 'static> Data for Boxed<A> {
    fn nbytes(&self) -> usize {
        size_of::<A>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Partitions<F>(F);

impl<A: Send + 'static, F: Fn(usize) -> Result<A, BagError> + Send + Sync> Program
    for Partitions<F>
{
    fn run(
        &self,
        _: OperationId,
        index: u32,
        _: &Context<'_>,
        _: &mut Vec<Value>,
    ) -> Result<Value, OperationError> {
        let total = (self.0)(index as usize).map_err(OperationError::new)?;
        Ok(Arc::new(Boxed(parking_lot::Mutex::new(Some(total)))))
    }

    fn lane(&self, _: OperationId) -> Lane {
        Lane::Free
    }

    fn name(&self, _: OperationId, index: u32) -> String {
        format!("partition-{index}")
    }
}

fn run_partitions<A: Send + 'static>(
    count: usize,
    run: impl Fn(usize) -> Result<A, BagError> + Send + Sync + 'static,
    options: Options,
) -> Result<Vec<A>, BagError> {
    let mut builder = PlanBuilder::default();
    let tasks = (0..count).map(|index| builder.push(OperationId(0), index as u32, [])).collect();
    let plan = Arc::new(builder.finish(tasks)?);
    let program = Arc::new(Partitions(run));
    let values = match options.threads {
        Threads::Calling => run_here(plan, program, options)?,
        Threads::Pool(_) => start(plan, program, options)?.join()?,
    };
    let taken = |value: &Value| {
        let boxed = value.as_any().downcast_ref::<Boxed<A>>();
        boxed.and_then(|boxed| boxed.0.lock().take()).ok_or(BagError::Internal { what: "a result" })
    };
    values.iter().map(taken).collect()
}
