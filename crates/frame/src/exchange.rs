//! Rows dealt out by the hash of their keys within a budget of bytes.
//!
//! Each input partition has a task that deals its rows out to queues, of which each output
//! partition reads one. A task waits while there is something in all of them, so that they stay
//! short unless the outputs are read unevenly; what a queue then holds beyond the budget goes to
//! files, in the order in which it is to be read.
//!
//! Without a budget, DataFusion's own operator does this. Its tasks share files that are being
//! written, and its reader waits for the oldest of them, which may be the one that nobody writes to
//! (<https://github.com/apache/datafusion/issues/24883>). Here a file is whole before it is in a
//! queue, and a reader waits for nothing but its queue.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{internal_datafusion_err, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::physical_plan::coalesce::LimitedBatchCoalescer;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
    SpillMetrics, Time,
};
use datafusion::physical_plan::repartition::{BatchPartitioner, RepartitionExec};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PhysicalExpr, PlanProperties, SpillManager, replace_children_if_necessary,
};
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::task::coop::consume_budget;

/// The plan, whose rows are dealt out within the budget.
pub(crate) fn exchanged(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children = plan.children().into_iter().cloned().map(exchanged).collect::<Result<_>>()?;
    let plan = replace_children_if_necessary(plan, children)?;
    Ok(match plan.downcast_ref::<RepartitionExec>().and_then(ExchangeExec::of) {
        Some(exchange) => Arc::new(exchange),
        None => plan,
    })
}

/// The input of an operator that deals rows out.
pub(crate) fn dealt(plan: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    let exchange = plan.downcast_ref::<ExchangeExec>().map(|exchange| &exchange.input);
    exchange.or_else(|| Some(plan.downcast_ref::<RepartitionExec>()?.input()))
}

/// The rows of the input, in partitions by the hash of expressions.
struct ExchangeExec {
    input: Arc<dyn ExecutionPlan>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    dealing: Mutex<Option<Arc<Dealing>>>,
}

impl ExchangeExec {
    fn of(repartition: &RepartitionExec) -> Option<Self> {
        match repartition.partitioning() {
            Partitioning::Hash(keys, _) if !repartition.preserve_order() => Some(Self {
                input: repartition.input().clone(),
                keys: keys.clone(),
                properties: repartition.properties().clone(),
                metrics: ExecutionPlanMetricsSet::new(),
                dealing: Mutex::new(None),
            }),
            _ => None,
        }
    }

    fn outputs(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    /// The one dealing of all outputs, whose inputs whoever asks first opens.
    fn dealing(&self, context: &Arc<TaskContext>) -> Result<Arc<Dealing>> {
        let mut opened = self.dealing.lock();
        if let Some(dealing) = &*opened {
            return Ok(dealing.clone());
        }
        let inputs = (0..self.input.output_partitioning().partition_count())
            .map(|partition| {
                let rows = self.input.execute(partition, context.clone())?;
                let time =
                    MetricBuilder::new(&self.metrics).subset_time("repartition_time", partition);
                Ok(Input { rows, partitioner: self.partitioner(time)? })
            })
            .collect::<Result<Vec<_>>>()?;
        let spills = SpillManager::new(
            context.runtime_env(),
            SpillMetrics::new(&self.metrics, 0),
            self.input.schema(),
        )
        .with_compression_type(context.session_config().spill_compression());
        let rows_of_a_batch = context.session_config().batch_size();
        let board = Board {
            queues: Mutex::new(Queues {
                outputs: (0..self.outputs()).map(|_| Queue::default()).collect(),
                inputs: inputs.len(),
                waiting: Vec::new(),
                reservation: MemoryConsumer::new("ExchangeExec")
                    .with_can_spill(true)
                    .register(context.memory_pool()),
            }),
            gathered: (0..self.outputs())
                .map(|_| LimitedBatchCoalescer::new(self.input.schema(), rows_of_a_batch, None))
                .map(Mutex::new)
                .collect(),
            unfinished: AtomicUsize::new(inputs.len()),
            spills,
        };
        let dealing = Dealing { board: Arc::new(board), state: Mutex::new(State::Opened(inputs)) };
        Ok(opened.insert(Arc::new(dealing)).clone())
    }

    fn partitioner(&self, time: Time) -> Result<BatchPartitioner> {
        BatchPartitioner::new_hash_partitioner(self.keys.clone(), self.outputs(), time)
    }
}

impl fmt::Debug for ExchangeExec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ExchangeExec").field("input", &self.input).finish()
    }
}

impl DisplayAs for ExchangeExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ExchangeExec: partitioning={}", self.properties.partitioning)
    }
}

impl ExecutionPlan for ExchangeExec {
    fn name(&self) -> &str {
        "ExchangeExec"
    }

    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for key in &self.keys {
            if visit(key)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("ExchangeExec has one input");
        };
        let partitioning = Partitioning::Hash(self.keys.clone(), self.outputs());
        let repartition = RepartitionExec::try_new(input, partitioning)?;
        match Self::of(&repartition) {
            Some(exchange) => Ok(Arc::new(exchange)),
            None => internal_err!("rows that are dealt out by their hash"),
        }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let reader = Reader { dealing: self.dealing(&context)?, partition, file: None };
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let rows = stream::unfold(reader, |mut reader| async {
            reader.next().await.map(|batch| (batch, reader))
        });
        let rows = rows.map(move |batch| batch.record_output(&metrics));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// What the outputs share. The tasks end with the last of them.
struct Dealing {
    board: Arc<Board>,
    state: Mutex<State>,
}

enum State {
    /// Nobody has asked for rows yet.
    Opened(Vec<Input>),
    Begun {
        _tasks: Vec<SpawnedTask<()>>,
    },
}

impl Dealing {
    fn begin(&self) {
        let mut state = self.state.lock();
        if let State::Opened(inputs) = &mut *state {
            let inputs = std::mem::take(inputs).into_iter();
            let deal =
                |input: Input| SpawnedTask::spawn(input.dealt(Ending::of(self.board.clone())));
            *state = State::Begun { _tasks: inputs.map(deal).collect() };
        }
    }
}

/// An input partition, and what deals its rows out.
struct Input {
    rows: SendableRecordBatchStream,
    partitioner: BatchPartitioner,
}

impl Input {
    async fn dealt(mut self, ending: Ending) {
        let outcome = self.all(&ending.board).await;
        ending.with(outcome);
    }

    async fn all(&mut self, board: &Board) -> Result<()> {
        while let Some(batch) = self.rows.next().await {
            for piece in self.partitioner.partition_iter(batch?)? {
                let (output, piece) = piece?;
                for batch in board.gather(output, Some(piece))? {
                    board.put(output, batch)?;
                    if !board.wanted().await {
                        return Ok(());
                    }
                }
            }
            consume_budget().await;
        }
        // The last one to come to its end also sends what is not a whole batch.
        if board.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            for output in 0..board.gathered.len() {
                for batch in board.gather(output, None)? {
                    board.put(output, batch)?;
                }
            }
        }
        Ok(())
    }
}

/// Tells the outputs that an input has ended, however it does: one that does not say how, because
/// it was stopped, must not look as if all its rows had come.
struct Ending {
    board: Arc<Board>,
    is_told: bool,
}

impl Ending {
    fn of(board: Arc<Board>) -> Self {
        Self { board, is_told: false }
    }

    fn with(mut self, outcome: Result<()>) {
        self.is_told = true;
        if let Err(failed) = outcome {
            self.board.fail(failed);
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.is_told {
            self.board.fail(internal_datafusion_err!("rows were dealt out no further"));
        }
        self.board.end();
    }
}

/// The queues of all outputs.
struct Board {
    queues: Mutex<Queues>,
    /// Rows of each output that are not a whole batch yet.
    gathered: Vec<Mutex<LimitedBatchCoalescer>>,
    /// Inputs that may still gather rows.
    unfinished: AtomicUsize,
    spills: SpillManager,
}

struct Queues {
    outputs: Vec<Queue>,
    /// Inputs that have not ended.
    inputs: usize,
    /// Tasks that wait until a queue is empty.
    waiting: Vec<Waker>,
    reservation: MemoryReservation,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Bytes of its batches in memory.
    bytes: usize,
    reader: Option<Waker>,
    is_closed: bool,
}

enum Item {
    Batch(RecordBatch, usize),
    File(Arc<dyn SpillFile>),
    Failed(DataFusionError),
}

impl Queue {
    fn push(&mut self, item: Item) {
        if self.is_closed {
            return;
        }
        self.items.push_back(item);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// The batches at its end that are in memory, and their bytes.
    fn take_batches(&mut self) -> (Vec<RecordBatch>, usize) {
        let in_memory =
            self.items.iter().rev().take_while(|item| matches!(item, Item::Batch(..))).count();
        let taken = self.items.split_off(self.items.len() - in_memory);
        let mut bytes = 0;
        let batches = taken.into_iter().filter_map(|item| match item {
            Item::Batch(batch, size) => {
                bytes += size;
                Some(batch)
            }
            _ => None,
        });
        let batches = batches.collect();
        self.bytes -= bytes;
        (batches, bytes)
    }
}

impl Board {
    /// The whole batches of an output with some more rows, or with none to come.
    fn gather(&self, output: usize, rows: Option<RecordBatch>) -> Result<Vec<RecordBatch>> {
        let Some(gathered) = self.gathered.get(output) else {
            return internal_err!("rows for output {output} of {}", self.gathered.len());
        };
        let mut gathered = gathered.lock();
        match rows {
            Some(rows) => {
                gathered.push_batch(rows)?;
            }
            None => gathered.finish()?,
        }
        Ok(std::iter::from_fn(|| gathered.next_completed_batch()).collect())
    }

    /// Puts a batch into a queue. If there is no memory for it, what another queue holds goes to a
    /// file if that is more; if it does not suffice, the batch with what else is at its end.
    fn put(&self, output: usize, batch: RecordBatch) -> Result<()> {
        let size = batch.get_array_memory_size();
        let Some(batch) = self.put_in_memory(output, batch, size) else { return Ok(()) };
        let other = {
            let mut queues = self.queues.lock();
            let outputs = queues.outputs.iter_mut().enumerate();
            let largest = outputs.max_by_key(|(_, queue)| queue.bytes);
            largest
                .filter(|(other, queue)| *other != output && queue.bytes > size)
                .map(|(other, queue)| (other, queue.take_batches()))
        };
        let batch = match other {
            Some((other, (batches, bytes))) => {
                self.spill(other, &batches, bytes)?;
                drop(batches);
                match self.put_in_memory(output, batch, size) {
                    Some(batch) => batch,
                    None => return Ok(()),
                }
            }
            None => batch,
        };
        let (mut batches, bytes) = self.queues.lock().outputs[output].take_batches();
        batches.push(batch);
        self.spill(output, &batches, bytes)
    }

    /// Puts a batch into a queue if there is memory for it, or nobody to read it; else it is given
    /// back.
    fn put_in_memory(&self, output: usize, batch: RecordBatch, size: usize) -> Option<RecordBatch> {
        let mut queues = self.queues.lock();
        if queues.outputs[output].is_closed {
            return None;
        }
        if queues.reservation.try_grow(size).is_err() {
            return Some(batch);
        }
        let queue = &mut queues.outputs[output];
        queue.bytes += size;
        queue.push(Item::Batch(batch, size));
        None
    }

    /// Writes batches that were taken from a queue to a file and puts this there.
    fn spill(&self, output: usize, batches: &[RecordBatch], bytes: usize) -> Result<()> {
        let written = self.spills.spill_record_batch_and_finish(batches, "ExchangeExec");
        let mut queues = self.queues.lock();
        queues.reservation.shrink(bytes);
        if let Some(file) = written? {
            queues.outputs[output].push(Item::File(file));
        }
        Ok(())
    }

    /// Waits until some output has nothing left to read; false if none reads any more.
    async fn wanted(&self) -> bool {
        std::future::poll_fn(|context| {
            let mut queues = self.queues.lock();
            let mut open = queues.outputs.iter().filter(|queue| !queue.is_closed).peekable();
            if open.peek().is_none() {
                return Poll::Ready(false);
            }
            if open.any(|queue| queue.items.is_empty()) {
                return Poll::Ready(true);
            }
            queues.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Tells all outputs why an input has failed.
    fn fail(&self, failed: DataFusionError) {
        let failed = Arc::new(failed);
        for queue in &mut self.queues.lock().outputs {
            queue.push(Item::Failed(DataFusionError::Shared(failed.clone())));
        }
    }

    /// Notes that an input has ended.
    fn end(&self) {
        let mut queues = self.queues.lock();
        queues.inputs -= 1;
        for queue in &mut queues.outputs {
            if let Some(reader) = queue.reader.take() {
                reader.wake();
            }
        }
    }

    /// What comes next in a queue; nothing when all inputs have ended.
    async fn take(&self, output: usize) -> Option<Item> {
        std::future::poll_fn(|context| {
            let mut queues = self.queues.lock();
            let queue = &mut queues.outputs[output];
            let Some(item) = queue.items.pop_front() else {
                queue.reader = Some(context.waker().clone());
                return if queues.inputs == 0 { Poll::Ready(None) } else { Poll::Pending };
            };
            if let Item::Batch(_, size) = item {
                queue.bytes -= size;
                queues.reservation.shrink(size);
            }
            if queues.outputs[output].items.is_empty() {
                queues.waiting.drain(..).for_each(Waker::wake);
            }
            Poll::Ready(Some(item))
        })
        .await
    }

    /// Gives up what an output has not read.
    fn close(&self, output: usize) {
        let mut queues = self.queues.lock();
        let queue = &mut queues.outputs[output];
        queue.is_closed = true;
        let items = std::mem::take(&mut queue.items);
        let bytes = std::mem::take(&mut queue.bytes);
        queues.reservation.shrink(bytes);
        queues.waiting.drain(..).for_each(Waker::wake);
        drop(queues);
        drop(items);
    }
}

/// The reading end of a queue.
struct Reader {
    dealing: Arc<Dealing>,
    partition: usize,
    file: Option<SendableRecordBatchStream>,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        self.dealing.begin();
        consume_budget().await;
        loop {
            if let Some(file) = &mut self.file {
                if let Some(batch) = file.next().await {
                    return Some(batch);
                }
                self.file = None;
            }
            match self.dealing.board.take(self.partition).await? {
                Item::Batch(batch, _) => return Some(Ok(batch)),
                Item::Failed(failed) => return Some(Err(failed)),
                Item::File(file) => {
                    match self.dealing.board.spills.read_spill_as_stream(file, None) {
                        Ok(rows) => self.file = Some(rows),
                        Err(failed) => return Some(Err(failed)),
                    }
                }
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.dealing.board.close(self.partition);
    }
}

#[cfg(test)]
mod tests;
