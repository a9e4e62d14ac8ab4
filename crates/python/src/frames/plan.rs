//! Plans of relational operators, and their execution.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use samite::frame::{
    self, AggregateFunction, Aggregation, Batches, ColumnKind, Execution, Format, JoinColumn,
    JoinKind, Keep, Memory, Options, ParquetScan, Piece, Plan, Rolling, SortKey, TextBlock,
    TextColumn, TextScan, WindowColumn, WindowFunction,
};

use super::exchange::{FrameBatches, FrameSchema, import};
use super::raised;
use super::scalar::FrameScalar;
use crate::allocator::KeptMemory;
use crate::gil::{self, Visitor};

/// How long the waiting thread may overlook a signal.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// A relation that is to be computed.
#[pyclass(frozen, module = "samite._engine")]
pub struct FramePlan {
    plan: Plan,
}

impl From<Plan> for FramePlan {
    fn from(plan: Plan) -> Self {
        Self { plan }
    }
}

type PyPiece = (usize, Option<(usize, usize)>);

/// An operator of a run: its depth, its text, rows, bytes and seconds.
type PyFigures = (usize, String, usize, usize, f64);

#[pymethods]
impl FramePlan {
    /// Rows of Parquet files.
    #[staticmethod]
    #[pyo3(signature = (paths, columns=None, partitions=None, by_row_group=false))]
    fn parquet(
        paths: Vec<PathBuf>,
        columns: Option<Vec<String>>,
        partitions: Option<Vec<Vec<PyPiece>>>,
        by_row_group: bool,
    ) -> PyResult<Self> {
        let partitions = partitions.map(|partitions| {
            let pieces = |pieces: Vec<PyPiece>| {
                let piece = |(file, row_groups)| Piece { file, row_groups };
                pieces.into_iter().map(piece).collect()
            };
            partitions.into_iter().map(pieces).collect()
        });
        let scan = gil::released(|| ParquetScan::open(&paths, columns.as_deref(), partitions))
            .map_err(raised)?;
        let scan = if by_row_group { scan.by_row_group() } else { scan };
        Ok(Plan::parquet(scan).into())
    }

    /// Rows and uncompressed bytes of each row group of each Parquet file.
    #[staticmethod]
    fn row_groups_of(paths: Vec<PathBuf>) -> PyResult<Vec<Vec<(u64, u64)>>> {
        gil::released(|| frame::row_groups(&paths)).map_err(raised)
    }

    /// Rows of files of delimited text: (name, position, kind) for each column, and
    /// (path, begin, end) for each partition.
    #[staticmethod]
    fn text(
        separator: u8,
        width: usize,
        header: Vec<u8>,
        missing: Vec<String>,
        columns: Vec<(String, usize, String)>,
        blocks: Vec<(PathBuf, u64, Option<u64>)>,
    ) -> PyResult<Self> {
        let columns = columns
            .into_iter()
            .map(|(name, position, kind)| {
                let kind = match kind.as_str() {
                    "int64" => ColumnKind::Whole,
                    "float64" => ColumnKind::Float,
                    "bool" => ColumnKind::Boolean,
                    "str" => ColumnKind::Text,
                    "datetime64[us]" => ColumnKind::Moment,
                    other => return Err(not_native("a column of text", other)),
                };
                Ok(TextColumn { name, position, kind })
            })
            .collect::<PyResult<_>>()?;
        let blocks =
            blocks.into_iter().map(|(path, begin, end)| TextBlock { path, begin, end }).collect();
        let format = Format { separator, width, header, missing, columns };
        Ok(Plan::text(TextScan::new(format, blocks).map_err(raised)?).into())
    }

    /// Rows in memory: a partition for each object with `__arrow_c_stream__`.
    #[staticmethod]
    fn memory(partitions: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut schema = None;
        let mut all = Vec::with_capacity(partitions.len());
        for partition in &partitions {
            let (own, batches) = import(partition)?;
            schema.get_or_insert(own);
            all.push(batches);
        }
        let schema = schema.ok_or_else(|| PyValueError::new_err("there are no partitions"))?;
        let memory = gil::released(|| Memory::new(&schema, all)).map_err(raised)?;
        Ok(Plan::memory(memory).into())
    }

    /// The rows of several relations, one after the other.
    #[staticmethod]
    fn concat(plans: Vec<PyRef<'_, FramePlan>>) -> PyResult<Self> {
        let plans = plans.iter().map(|plan| plan.plan.clone()).collect();
        Ok(Plan::concat(plans).map_err(raised)?.into())
    }

    /// The relation that a query in SQL describes.
    #[staticmethod]
    fn sql(query: String, tables: Vec<(String, PyRef<'_, FramePlan>)>) -> PyResult<Self> {
        let tables: Vec<(String, Plan)> =
            tables.into_iter().map(|(name, plan)| (name, plan.plan.clone())).collect();
        Ok(gil::released(|| frame::sql(&query, tables)).map_err(raised)?.into())
    }

    /// The plan that `to_bytes` wrote.
    #[staticmethod]
    fn from_bytes(bytes: &[u8]) -> PyResult<Self> {
        Ok(Plan::from_bytes(bytes).map_err(raised)?.into())
    }

    /// The plan as bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = gil::released(|| self.plan.to_bytes()).map_err(raised)?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let class = py.get_type::<FramePlan>();
        Ok((class.getattr("from_bytes")?, (self.to_bytes(py)?,)))
    }

    /// New columns from each row.
    fn project(&self, columns: Vec<(String, PyRef<'_, FrameScalar>)>) -> PyResult<Self> {
        let columns =
            columns.into_iter().map(|(name, scalar)| (name, scalar.scalar.clone())).collect();
        Ok(self.plan.clone().project(columns).map_err(raised)?.into())
    }

    /// The rows for which a condition holds.
    fn filter(&self, condition: &FrameScalar) -> PyResult<Self> {
        Ok(self.plan.clone().filter(condition.scalar.clone()).map_err(raised)?.into())
    }

    /// A row for each group: (name, function, column) for each aggregation.
    fn aggregate(
        &self,
        keys: Vec<String>,
        aggregations: Vec<(String, String, Option<String>)>,
        drop_missing: bool,
    ) -> PyResult<Self> {
        let aggregations = aggregations
            .into_iter()
            .map(|(name, function, column)| {
                Ok(Aggregation { name, function: aggregate_function(&function)?, column })
            })
            .collect::<PyResult<_>>()?;
        let plan = self.plan.clone().aggregate(keys, aggregations, drop_missing);
        Ok(plan.map_err(raised)?.into())
    }

    /// Pairs of rows. `output` has (name, "left", column), (name, "right", column) and
    /// (name, "key", position).
    fn join(
        &self,
        right: &FramePlan,
        kind: &str,
        on: Vec<(String, String)>,
        output: Vec<(String, String, Bound<'_, PyAny>)>,
    ) -> PyResult<Self> {
        let kind = match kind {
            "inner" => JoinKind::Inner,
            "left" => JoinKind::Left,
            "right" => JoinKind::Right,
            "outer" => JoinKind::Outer,
            "leftsemi" => JoinKind::Semi,
            "leftanti" => JoinKind::Anti,
            other => return Err(not_native("a join", other)),
        };
        let output = output
            .into_iter()
            .map(|(name, side, source)| {
                let column = match side.as_str() {
                    "left" => JoinColumn::Left(source.extract()?),
                    "right" => JoinColumn::Right(source.extract()?),
                    _ => JoinColumn::Key(source.extract()?),
                };
                Ok((name, column))
            })
            .collect::<PyResult<_>>()?;
        let plan = self.plan.clone().join(right.plan.clone(), kind, on, output);
        Ok(plan.map_err(raised)?.into())
    }

    /// The rows in an order: (column, descending, missing first) for each key.
    #[pyo3(signature = (keys, limit=None, stable=true))]
    fn sort(
        &self,
        keys: Vec<(String, bool, bool)>,
        limit: Option<usize>,
        stable: bool,
    ) -> PyResult<Self> {
        let keys = keys
            .into_iter()
            .map(|(column, descending, missing_first)| SortKey {
                column,
                descending,
                missing_first,
            })
            .collect();
        Ok(self.plan.clone().sort(keys, limit, stable).map_err(raised)?.into())
    }

    /// `count` rows after the first `offset`.
    fn limit(&self, offset: usize, count: usize) -> Self {
        self.plan.clone().limit(offset, count).into()
    }

    /// One row of those with equal values: the "first", the "last" or "any".
    fn distinct(&self, subset: Vec<String>, keep: &str) -> PyResult<Self> {
        let keep = match keep {
            "first" => Keep::First,
            "last" => Keep::Last,
            "any" => Keep::Any,
            other => return Err(not_native("drop_duplicates", other)),
        };
        Ok(self.plan.clone().distinct(subset, keep).map_err(raised)?.into())
    }

    /// The rows with a column that grows from row to row.
    fn row_number(&self, name: String) -> PyResult<Self> {
        Ok(self.plan.clone().row_number(name).map_err(raised)?.into())
    }

    /// The rows with columns that go on from row to row within groups: (name, function, column), where
    /// a number may follow the function. Places count in parts of so many rows.
    #[pyo3(signature = (keys, columns, drop_missing, parts=None))]
    fn window(
        &self,
        keys: Vec<String>,
        columns: Vec<(String, String, Option<String>)>,
        drop_missing: bool,
        parts: Option<Vec<u64>>,
    ) -> PyResult<Self> {
        let columns = columns
            .into_iter()
            .map(|(name, function, column)| {
                let function = window_function(&function, parts.as_ref())?;
                Ok(WindowColumn { name, function, column })
            })
            .collect::<PyResult<_>>()?;
        Ok(self.plan.clone().window(keys, columns, drop_missing).map_err(raised)?.into())
    }

    /// The rows with columns of a table that has one row for each key: pairs of keys, and names of
    /// new columns with those that they have in the table.
    fn lookup(
        &self,
        table: &FramePlan,
        keys: Vec<(String, String)>,
        columns: Vec<(String, String)>,
    ) -> PyResult<Self> {
        Ok(self.plan.clone().lookup(table.plan.clone(), keys, columns).map_err(raised)?.into())
    }

    /// The rows, with values in the place of parameters: (name, plan of one row and one column).
    fn bind(&self, values: Vec<(String, PyRef<'_, FramePlan>)>) -> PyResult<Self> {
        let values = values.into_iter().map(|(name, plan)| (name, plan.plan.clone())).collect();
        Ok(self.plan.clone().bind(values).map_err(raised)?.into())
    }

    /// The names of the parameters that are not bound.
    fn parameters(&self) -> Vec<String> {
        self.plan.parameters()
    }

    /// The columns.
    #[getter]
    fn schema(&self) -> FrameSchema {
        FrameSchema { schema: self.plan.schema().clone() }
    }

    /// How many partitions there are that can be computed one by one.
    #[getter]
    fn partitions(&self) -> usize {
        self.plan.partitions()
    }

    /// The rows of one partition.
    fn partition(&self, position: usize) -> PyResult<Self> {
        Ok(self.plan.partition(position).map_err(raised)?.into())
    }

    /// Rows of each row group of each file; None for what is no scan of files.
    fn row_groups(&self) -> Option<Vec<Vec<u64>>> {
        match self.plan.operator() {
            frame::Operator::Parquet(scan) => Some(scan.row_groups()),
            _ => None,
        }
    }

    /// Computes the rows. Text comes as Arrow's large strings, or as views. The columns `coded`, the
    /// levels of an index, may come as dictionaries of their sorted values.
    #[pyo3(signature = (
        threads, memory_limit=None, spill_folder=None, large_text=true, coded=Vec::new()
    ))]
    fn execute(
        &self,
        py: Python<'_>,
        threads: usize,
        memory_limit: Option<usize>,
        spill_folder: Option<PathBuf>,
        large_text: bool,
        coded: Vec<String>,
    ) -> PyResult<FrameBatches> {
        let options = Options { coded, ..options(threads, memory_limit, spill_folder, large_text) };
        let execution = frame::start(&self.plan, &options).map_err(raised)?;
        let _kept = KeptMemory::keep();
        Ok(FrameBatches { batches: wait(py, &execution)? })
    }

    /// The plan as a text: as it was made, after the passes, and the engine's operators.
    #[pyo3(signature = (threads=1))]
    fn explain(&self, py: Python<'_>, threads: usize) -> PyResult<(String, String, String)> {
        let options = options(threads, None, None, true);
        let execution = frame::explain(&self.plan, &options).map_err(raised)?;
        let explained = wait(py, &execution)?;
        Ok((explained.plan, explained.optimized, explained.physical))
    }

    /// Computes the rows, and tells for each operator (depth, text, rows, bytes, seconds).
    #[pyo3(signature = (threads, memory_limit=None, spill_folder=None))]
    fn analyze(
        &self,
        py: Python<'_>,
        threads: usize,
        memory_limit: Option<usize>,
        spill_folder: Option<PathBuf>,
    ) -> PyResult<(FrameBatches, Vec<PyFigures>)> {
        let options = options(threads, memory_limit, spill_folder, true);
        let execution = frame::analyze(&self.plan, &options).map_err(raised)?;
        let (batches, figures): (Batches, _) = wait(py, &execution)?;
        let figures = figures
            .into_iter()
            .map(|each| (each.depth, each.operator, each.rows, each.bytes, each.seconds))
            .collect();
        Ok((FrameBatches { batches }, figures))
    }

    fn __repr__(&self) -> String {
        frame::tree(&self.plan)
    }
}

fn options(
    threads: usize,
    memory_limit: Option<usize>,
    spill_folder: Option<PathBuf>,
    large_text: bool,
) -> Options {
    // Threads may be the last to hold memory of Python.
    let witness = Arc::new(Visitor::enter());
    let coded = Vec::new();
    Options { threads, memory_limit, spill_folder, large_text, coded, witness: Some(witness) }
}

/// Waits for an outcome, and answers Ctrl-C.
fn wait<T: Send>(py: Python<'_>, execution: &Execution<T>) -> PyResult<T> {
    loop {
        if let Some(outcome) = gil::released(|| execution.wait(SIGNAL_INTERVAL)) {
            return outcome.map_err(raised);
        }
        if let Err(interrupted) = py.check_signals() {
            execution.cancel();
            return Err(interrupted);
        }
    }
}

fn aggregate_function(name: &str) -> PyResult<AggregateFunction> {
    use AggregateFunction::*;
    Ok(match name {
        "size" => Size,
        "count" => Count,
        "sum" => Sum,
        "mean" => Mean,
        "min" => Minimum,
        "max" => Maximum,
        "var" => Variance(1),
        "var0" => Variance(0),
        "std" => Deviation(1),
        "std0" => Deviation(0),
        "nunique" => Distinct,
        "median" => Median,
        "first" => First,
        "last" => Last,
        "any" => Any,
        "all" => All,
        other => match other.strip_prefix("sum").and_then(|least| least.parse().ok()) {
            Some(least) => SumAtLeast(least),
            None => return Err(not_native("an aggregation", other)),
        },
    })
}

fn window_function(name: &str, parts: Option<&Vec<u64>>) -> PyResult<WindowFunction> {
    use WindowFunction::*;
    Ok(match name {
        "cumsum" => Sum,
        "cumprod" => Product,
        "cummin" => Minimum,
        "cummax" => Maximum,
        "cumcount" => Count,
        "ffill" => Fill,
        "places" => Places(parts.cloned().unwrap_or_default()),
        other => match other.strip_prefix("shift").and_then(|rows| rows.parse().ok()) {
            Some(rows) => Shift(rows),
            None => rolling(other).ok_or_else(|| not_native("a window", other))?,
        },
    })
}

/// A function of the last rows: its name, how many rows, and how many values there have to be.
fn rolling(name: &str) -> Option<WindowFunction> {
    let mut words = name.strip_prefix("rolling ")?.split(' ');
    let how = match words.next()? {
        "sum" => Rolling::Sum,
        "mean" => Rolling::Mean,
        "min" => Rolling::Minimum,
        "max" => Rolling::Maximum,
        "var" => Rolling::Variance,
        "std" => Rolling::Deviation,
        _ => return None,
    };
    let (rows, least) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(WindowFunction::Rolling { how, rows, least })
}

fn not_native(operation: &str, what: &str) -> PyErr {
    raised(frame::FrameError::unsupported(operation, format!("{what:?} is not known")))
}
