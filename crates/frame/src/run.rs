//! Execution: DataFusion's operators on threads of their own, within a budget of bytes.
//!
//! Threads are shared by all runs of the process and never touch Python. A run ends when its
//! batches are there, when it fails, or soon after it is cancelled: operators look up between
//! batches. What spills goes to a private folder that the run removes.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::cache::cache_manager::{CacheManagerConfig, FileMetadataCache};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, collect_partitioned};
use datafusion::prelude::SessionConfig;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{AbortHandle, JoinSet};

use crate::coded::Coded;
use crate::error::{FrameError, Result};
use crate::exchange::exchanged;
use crate::frugal;
use crate::lower::{self, Lowering};
use crate::owned;
use crate::passes;
use crate::pieces::in_pieces;
use crate::plan::Plan;
use crate::row_number;
use crate::rules;
use crate::streams;
use crate::whole::whole;

/// The most rows, and bytes, of one side of a join that is kept in a single table, shared by the
/// threads; with several threads it is as much less.
const ROWS_OF_ONE_TABLE: usize = 8_000_000;
const BYTES_OF_ONE_TABLE: usize = 400 << 20;

/// The bytes of a budget for each row, and for each byte, of such a table.
const BUDGET_OF_A_ROW: usize = 512;
const BUDGET_OF_A_BYTE: usize = 8;

/// The range of the keys of one side of a join for which there is a place for each of them, however
/// few there are. A place takes four bytes.
const PLACES_FOR_KEYS: usize = 8 << 20;

/// How a plan is run.
#[derive(Clone)]
pub struct Options {
    /// Threads that work on it.
    pub threads: usize,
    /// Bytes that operators may hold before they spill.
    pub memory_limit: Option<usize>,
    /// Where the private folder of spill files is made; the system's folder by default.
    pub spill_folder: Option<PathBuf>,
    /// Whether text is given as Arrow's large strings, which pandas takes without a copy,
    /// rather than as views.
    pub large_text: bool,
    /// Columns, the levels of an index, that may be given as dictionaries of their sorted values.
    pub coded: Vec<String>,
    /// Something that lives until no thread works on the plan any more.
    pub witness: Option<Arc<dyn Any + Send + Sync>>,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            threads,
            memory_limit: None,
            spill_folder: None,
            large_text: false,
            coded: Vec::new(),
            witness: None,
        }
    }
}

/// The rows of a plan.
#[derive(Clone, Debug)]
pub struct Batches {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows, in order.
    pub batches: Vec<RecordBatch>,
}

impl Batches {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// A running computation. Dropping it cancels it.
pub struct Execution<T> {
    outcome: Receiver<Result<T>>,
    abort: AbortHandle,
    cancelled: AtomicBool,
}

impl<T> Execution<T> {
    /// The outcome, if it is there within `timeout`.
    pub fn wait(&self, timeout: Duration) -> Option<Result<T>> {
        if self.cancelled.load(Ordering::Acquire) {
            return Some(Err(FrameError::Cancelled));
        }
        match self.outcome.recv_timeout(timeout) {
            Ok(outcome) => Some(outcome),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(FrameError::Cancelled)),
        }
    }

    /// The outcome, however long it takes.
    pub fn join(self) -> Result<T> {
        self.outcome.recv().unwrap_or(Err(FrameError::Cancelled))
    }

    /// Gives it up: who waits is told at once, and its threads stop between two batches.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.abort.abort();
    }
}

impl<T> Drop for Execution<T> {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Starts computing the rows of a plan.
pub fn start(plan: &Plan, options: &Options) -> Result<Execution<Batches>> {
    let (plan, session) = (plan.clone(), Session::new(options)?);
    spawn(options.threads, async move {
        let outcome = match session.rows(&plan).await {
            Ok(rows) => Ok(rows),
            Err(failed) => session.frugal_after(failed)?.rows(&plan).await,
        };
        drop(plan);
        outcome
    })
}

/// Computes the rows of a plan.
pub fn collect(plan: &Plan, options: &Options) -> Result<Batches> {
    start(plan, options)?.join()
}

pub(crate) fn spawn<T: Send + 'static>(
    threads: usize,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<Execution<T>> {
    let runtime = runtime(threads)?;
    let (sender, outcome) = channel();
    let task = runtime.spawn(async move {
        // Nobody listens to a run that was cancelled.
        let _ = sender.send(work.await);
    });
    Ok(Execution { outcome, abort: task.abort_handle(), cancelled: AtomicBool::new(false) })
}

/// Work that needs the processor and waits for nothing.
pub(crate) type Work<T> = Box<dyn FnOnce() -> Result<T> + Send>;

/// What several pieces of work give, of which each runs on one of the engine's threads.
pub(crate) async fn side_by_side<T: Send + 'static>(work: Vec<Work<T>>) -> Result<Vec<T>> {
    let mut tasks = JoinSet::new();
    let mut found: Vec<Option<T>> = work.iter().map(|_| None).collect();
    for (place, work) in work.into_iter().enumerate() {
        tasks.spawn(async move { (place, work()) });
    }
    while let Some(done) = tasks.join_next().await {
        let failed = |gone| DataFusionError::ExecutionJoin(Box::new(gone));
        let (place, done) = done.map_err(failed)?;
        found[place] = Some(done?);
    }
    found.into_iter().map(|each| each.ok_or(FrameError::Cancelled)).collect()
}

/// Waits for short work on the threads of the engine.
pub(crate) fn block_on<T: Send + 'static>(work: impl Future<Output = T> + Send) -> Result<T> {
    let runtime = runtime(Options::default().threads)?;
    Ok(runtime.block_on(work))
}

/// The threads of this process; a forked child starts its own.
fn runtime(threads: usize) -> Result<Arc<Runtime>> {
    static RUNTIMES: Mutex<BTreeMap<(u32, usize), Arc<Runtime>>> = Mutex::new(BTreeMap::new());
    let threads = threads.max(1);
    let key = (std::process::id(), threads);
    let mut runtimes = RUNTIMES.lock();
    if let Some(runtime) = runtimes.get(&key) {
        return Ok(runtime.clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("samite-frame")
        .thread_stack_size(8 << 20)
        .enable_time()
        .build()
        .map_err(|source| FrameError::File { path: "the engine's threads".into(), source })?;
    let runtime = Arc::new(runtime);
    runtimes.insert(key, runtime.clone());
    Ok(runtime)
}

/// The footers of Parquet files that this process has read.
pub(crate) fn footer_cache() -> Result<Arc<FileMetadataCache>> {
    static BASE: Mutex<Option<Arc<RuntimeEnv>>> = Mutex::new(None);
    let mut base = BASE.lock();
    let environment = match &*base {
        Some(environment) => environment.clone(),
        None => base.insert(RuntimeEnvBuilder::new().build_arc()?).clone(),
    };
    Ok(environment.cache_manager.get_file_metadata_cache())
}

/// What all runs have in common: functions and rules, whose lists are long.
fn template() -> SessionState {
    static TEMPLATE: LazyLock<SessionState> = LazyLock::new(|| {
        SessionStateBuilder::new()
            .with_default_features()
            .with_optimizer_rules(rules::all())
            .with_query_planner(Arc::new(row_number::Planner))
            .with_physical_optimizer_rule(Arc::new(rules::FirstRows))
            .with_physical_optimizer_rule(Arc::new(rules::Filters))
            .with_physical_optimizer_rule(Arc::new(rules::Runs))
            .with_statistics_registry(rules::sizes())
            .build()
    });
    TEMPLATE.clone()
}

/// What one run has for itself.
pub(crate) struct Session {
    state: SessionState,
    options: Options,
    /// Whether operators are chosen that spill, in the place of faster ones that do not.
    frugal: bool,
    /// Removed after all that may write into it.
    _folder: tempfile::TempDir,
}

impl Session {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        Self::with(options, false)
    }

    /// What may do with the budget that did not suffice for this session. Tables of joins and the
    /// first rows of an order are kept in memory, until they are more than that: then both sides
    /// of joins, and all rows of the order, are sorted.
    pub(crate) fn frugal_after(&self, failed: FrameError) -> Result<Self> {
        match failed {
            FrameError::MemoryLimit { .. } if self.is_limited() && !self.frugal => {
                Self::with(&self.options, true)
            }
            other => Err(other),
        }
    }

    fn is_limited(&self) -> bool {
        self.options.memory_limit.is_some()
    }

    fn with(options: &Options, frugal: bool) -> Result<Self> {
        let failed = |source| FrameError::File {
            path: options.spill_folder.clone().unwrap_or_else(std::env::temp_dir),
            source,
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix("samite-frame-");
        let folder = match &options.spill_folder {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        }
        .map_err(failed)?;
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![folder.path().to_owned()]))
            .with_max_temp_directory_size(u64::MAX);
        let cache = CacheManagerConfig::default().with_file_metadata_cache(Some(footer_cache()?));
        let mut environment =
            RuntimeEnvBuilder::new().with_disk_manager_builder(disk).with_cache_manager(cache);
        if let Some(limit) = options.memory_limit {
            let named = NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN);
            let pool: Arc<dyn MemoryPool> =
                Arc::new(TrackConsumersPool::new(FairSpillPool::new(limit), named));
            environment = environment.with_memory_pool(pool);
        }
        let state = SessionStateBuilder::new_from_existing(template())
            .with_config(config(options, frugal))
            .with_runtime_env(environment.build_arc()?)
            .build();
        Ok(Self { state, options: options.clone(), frugal, _folder: folder })
    }

    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    /// The rows of a plan.
    pub(crate) async fn rows(&self, plan: &Plan) -> Result<Batches> {
        let plan = self.prepared(plan).await?;
        if let Some(coded) = self.coded(&plan) {
            let found = self.gathered(&coded.plan, self.text(true)).await?;
            return coded.coded(found).await;
        }
        self.gathered(&plan, self.text(false)).await
    }

    /// The plan after all passes, of which some compute parts of it.
    pub(crate) async fn prepared(&self, plan: &Plan) -> Result<Plan> {
        let plan = passes::optimize(plan)?;
        let plan = passes::compute_shared(self, &plan).await?;
        if !passes::has_parameters(&plan) {
            return Ok(plan);
        }
        let plan = passes::bind(self, &plan).await?;
        passes::compute_shared(self, &plan).await
    }

    /// The rows of a part of a plan, as relations have them.
    pub(crate) async fn part(&self, plan: &Plan) -> Result<Batches> {
        self.gathered(plan, Text::Views).await
    }

    /// How columns may be given as dictionaries. It is not known beforehand how large these are, so
    /// that a budget has none.
    fn coded(&self, plan: &Plan) -> Option<Coded> {
        Coded::of(plan, &self.options.coded).filter(|_| !self.is_limited())
    }

    fn text(&self, coded: bool) -> Text<'_> {
        match (self.options.large_text, coded) {
            (false, _) => Text::Views,
            (true, true) => Text::LargeBut(&self.options.coded),
            (true, false) => Text::LargeBut(&[]),
        }
    }

    async fn gathered(&self, plan: &Plan, text: Text<'_>) -> Result<Batches> {
        let physical = self.physical(plan, text).await?;
        self.run(plan, physical, text).await
    }

    pub(crate) async fn run(
        &self,
        plan: &Plan,
        physical: Arc<dyn ExecutionPlan>,
        text: Text<'_>,
    ) -> Result<Batches> {
        let schema = output_schema(plan, text);
        let partitions = collect_partitioned(physical, self.state.task_ctx()).await?;
        let batches = partitions
            .into_iter()
            .flatten()
            .filter(|batch| batch.num_rows() > 0)
            .map(|batch| {
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let columns = batch.columns().to_vec();
                Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
            })
            .collect::<Result<_>>()?;
        Ok(Batches { schema, batches })
    }

    /// The engine's plan for a plan that the passes have seen.
    pub(crate) async fn physical(
        &self,
        plan: &Plan,
        text: Text<'_>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let logical = self.logical(plan, text)?;
        let state = self.state_for(plan);
        let optimized = state.optimize(&logical)?;
        let physical = state.query_planner().create_physical_plan(&optimized, &state).await?;
        let physical = streams::in_turns(physical)?;
        Ok(match (self.is_limited(), self.frugal) {
            (false, _) => rules::ordered(whole(physical)?, true)?,
            (true, false) => {
                let limit = self.options.memory_limit.unwrap_or(usize::MAX);
                let physical = in_pieces(whole(physical)?, limit)?;
                owned::owned(rules::ordered(exchanged(physical)?, true)?)?
            }
            (true, true) => owned::owned(frugal::frugal(physical)?)?,
        })
    }

    /// The engine's logical plan with the types that go out.
    fn logical(&self, plan: &Plan, text: Text<'_>) -> Result<LogicalPlan> {
        let logical = Lowering::new(&self.state).lower(plan)?;
        let columns = plan
            .schema()
            .fields()
            .iter()
            .map(|field| {
                let value = lower::scalar::column(field.name());
                match text.output_type(field) {
                    Some(data_type) => {
                        lower::scalar::cast(value, &data_type).alias(field.name().as_str())
                    }
                    None => value,
                }
            })
            .collect();
        lower::project(logical, columns)
    }

    /// The session's state, for plans that depend on the order of rows with one partition where
    /// several could not keep it.
    fn state_for(&self, plan: &Plan) -> SessionState {
        let mut state = self.state.clone();
        if passes::needs_one_partition(plan) {
            state.config_mut().options_mut().execution.target_partitions = 1;
        }
        state
    }
}

/// How text goes out: as views, or as Arrow's large strings, but for some columns.
#[derive(Clone, Copy)]
pub(crate) enum Text<'a> {
    Views,
    LargeBut(&'a [String]),
}

impl Text<'_> {
    fn output_type(self, field: &Field) -> Option<DataType> {
        match (field.data_type(), self) {
            (_, Self::LargeBut(others)) if others.contains(field.name()) => None,
            (DataType::Utf8View, Self::LargeBut(_)) => Some(DataType::LargeUtf8),
            (DataType::BinaryView, Self::LargeBut(_)) => Some(DataType::LargeBinary),
            _ => None,
        }
    }
}

fn output_schema(plan: &Plan, text: Text<'_>) -> SchemaRef {
    let fields: Vec<Field> = plan
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let data_type = text.output_type(field);
            let data_type = data_type.unwrap_or_else(|| field.data_type().clone());
            Field::new(field.name(), data_type, true)
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// Rows of a batch where memory is short: each operator that merges keeps one of each of its inputs.
const FRUGAL_BATCH: usize = 1024;

fn config(options: &Options, frugal: bool) -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(options.threads.max(1));
    let all = config.options_mut();
    // Rows stay in the order of their partitions: no batch is dealt out to another one.
    all.optimizer.enable_round_robin_repartition = false;
    // Scans are in as many parts already.
    all.optimizer.repartition_file_scans = false;
    all.execution.enable_file_stream_work_stealing = false;
    all.execution.parquet.pushdown_filters = false;
    all.execution.spill_compression = datafusion::config::SpillCompression::Lz4Frame;
    all.execution.collect_statistics = true;
    // Operators say less exactly than plans what cannot be missing.
    all.execution.skip_physical_aggregate_schema_check = true;
    if let Some(limit) = options.memory_limit {
        // Each sort keeps memory for merging what it wrote; all of them together keep a quarter.
        let share = limit / (4 * options.threads.max(1));
        let reserved = &mut all.execution.sort_spill_reservation_bytes;
        *reserved = share.min(*reserved);
    }
    // Sending the many rows of one side to other threads costs more than putting those of the
    // other one into a single table does, as long as few threads wait for that.
    let threads = options.threads.max(1);
    let limit = options.memory_limit.unwrap_or(usize::MAX);
    let rows = ROWS_OF_ONE_TABLE.min(limit / BUDGET_OF_A_ROW);
    let bytes = BYTES_OF_ONE_TABLE.min(limit / BUDGET_OF_A_BYTE);
    all.optimizer.hash_join_single_partition_threshold_rows = rows / threads;
    all.optimizer.hash_join_single_partition_threshold = bytes / threads;
    all.optimizer.use_statistics_registry = true;
    let places = options.memory_limit.map_or(PLACES_FOR_KEYS, |limit| limit / 128);
    all.execution.perfect_hash_join_small_build_threshold = places.min(PLACES_FOR_KEYS);
    all.sql_parser.enable_ident_normalization = true;
    if frugal {
        all.execution.target_partitions = 1;
        if let Ok(rows) = ConfigNonZeroUsize::try_new(FRUGAL_BATCH) {
            all.execution.batch_size = rows;
        }
        // Joins of sorted sides know no keys before they begin.
        all.optimizer.enable_join_dynamic_filter_pushdown = false;
    }
    config
}
