//! Files of delimited text as relations.
//!
//! Only what pandas would read in the same way without doubt is read here. At the first row of
//! which that is not certain the run ends with [`FrameError::Unsupported`], and the caller lets
//! pandas read the files, and say what is wrong with them.

mod parse;
mod values;

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::stream;
use serde::{Deserialize, Serialize};

use crate::encode;
use crate::error::{FrameError, Result};
use parse::{Doubt, Rows};

/// Bytes of a file that are read at a time.
const WINDOW: usize = 1 << 20;
/// What a line is taken to have before any was read.
const BYTES_OF_LINE: u64 = 64;

/// Rows of files of delimited text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextScan {
    format: Arc<Format>,
    #[serde(with = "encode::schema")]
    schema: SchemaRef,
    partitions: Vec<TextBlock>,
}

/// How lines are written, and the columns that are read from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// What stands between fields.
    pub separator: u8,
    /// How many fields a line has at most.
    pub width: usize,
    /// The lines at the beginning of each file that are no rows.
    pub header: Vec<u8>,
    /// Words that stand for a missing value, beside those that pandas knows.
    pub missing: Vec<String>,
    /// The columns.
    pub columns: Vec<TextColumn>,
}

/// A column of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextColumn {
    /// Its name.
    pub name: String,
    /// Which field of a line it is.
    pub position: usize,
    /// What its fields are.
    pub kind: ColumnKind,
}

/// What the fields of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnKind {
    /// Whole numbers, none of them missing.
    Whole,
    /// Numbers.
    Float,
    /// Truth values, none of them missing.
    Boolean,
    /// Text.
    Text,
    /// Days, or days with a time, by ISO 8601.
    Moment,
}

/// A part of a file: the lines that begin between two places, as a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextBlock {
    /// The file.
    pub path: PathBuf,
    /// The first place; a line that is open there belongs to the block before.
    pub begin: u64,
    /// The place behind the last; the file's end by default.
    pub end: Option<u64>,
}

impl ColumnKind {
    fn data_type(self) -> DataType {
        match self {
            Self::Whole => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Text => DataType::Utf8View,
            Self::Moment => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }
}

impl TextScan {
    /// The rows of `blocks`, each of them a partition.
    pub fn new(format: Format, blocks: Vec<TextBlock>) -> Result<Self> {
        let invalid = |detail: &str| {
            Err(FrameError::Invalid { operation: "read_csv", detail: detail.to_owned() })
        };
        if format.columns.is_empty() || blocks.is_empty() {
            return invalid("there are no columns, or no blocks");
        }
        if format.columns.iter().any(|column| column.position >= format.width) {
            return invalid("a column stands behind the last field of a line");
        }
        if matches!(format.separator, b'"' | b'\n' | b'\r' | b' ') || !format.separator.is_ascii() {
            return invalid("fields are parted by something that may be in them");
        }
        let fields: Vec<Field> = format
            .columns
            .iter()
            .map(|column| {
                let whole = matches!(column.kind, ColumnKind::Whole | ColumnKind::Boolean);
                Field::new(&column.name, column.kind.data_type(), !whole)
            })
            .collect();
        Ok(Self {
            format: Arc::new(format),
            schema: Arc::new(Schema::new(fields)),
            partitions: blocks,
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// The rows of some partitions.
    pub(crate) fn subset(&self, range: std::ops::Range<usize>) -> Self {
        let partitions = self.partitions.get(range).map(<[_]>::to_vec).unwrap_or_default();
        Self { partitions, ..self.clone() }
    }

    /// What a plan's description says of it.
    pub(crate) fn describe(&self) -> String {
        let first = self.partitions.first().map(|block| block.path.display().to_string());
        format!("{} block(s), first {}", self.partitions.len(), first.unwrap_or_default())
    }

    /// The scan with some of its columns.
    fn projected(&self, positions: &[usize]) -> EngineResult<Self> {
        let columns = positions.iter().map(|at| self.format.columns[*at].clone()).collect();
        let format = Format { columns, ..self.format.as_ref().clone() };
        Ok(Self {
            format: Arc::new(format),
            schema: Arc::new(self.schema.project(positions)?),
            partitions: self.partitions.clone(),
        })
    }

    /// The blocks, in parts of about the same size, in their order.
    fn split(&self, parts: usize) -> std::io::Result<Vec<Vec<Slice>>> {
        let mut slices = Vec::with_capacity(self.partitions.len());
        for block in &self.partitions {
            let end = match block.end {
                Some(end) => end,
                None => std::fs::metadata(&block.path)?.len(),
            };
            slices.push((block.clone(), block.begin, end.max(block.begin)));
        }
        let total: u64 = slices.iter().map(|(_, begin, end)| end - begin).sum();
        let share = total.div_ceil(parts as u64).max(1);
        let mut split: Vec<Vec<Slice>> = vec![Vec::new()];
        let mut room = share;
        for (block, begin, end) in slices {
            let mut at = begin;
            while at < end {
                if room == 0 {
                    split.push(Vec::new());
                    room = share;
                }
                let until = end.min(at.saturating_add(room));
                if let Some(last) = split.last_mut() {
                    let block = (block.path.clone(), begin, end);
                    last.push(Slice { block, begin: at, end: until });
                }
                room -= until - at;
                at = until;
            }
        }
        Ok(split)
    }
}

/// The lines of a block that begin between two places in it.
#[derive(Clone, Debug)]
struct Slice {
    block: (PathBuf, u64, u64),
    begin: u64,
    end: u64,
}

/// A scan as DataFusion sees it.
#[derive(Debug)]
pub(crate) struct TextTable {
    scan: TextScan,
}

impl TextTable {
    pub(crate) fn new(scan: TextScan) -> Self {
        Self { scan }
    }
}

#[async_trait]
impl TableProvider for TextTable {
    fn schema(&self) -> SchemaRef {
        self.scan.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        let size = |block: &TextBlock| {
            let end = block.end.or_else(|| Some(std::fs::metadata(&block.path).ok()?.len()))?;
            Some(end.saturating_sub(block.begin))
        };
        let bytes: u64 = self.scan.partitions.iter().filter_map(size).sum();
        let mut statistics = Statistics::new_unknown(&self.scan.schema);
        let rows = usize::try_from(bytes / BYTES_OF_LINE).unwrap_or(usize::MAX);
        statistics.num_rows = Precision::Inexact(rows);
        Some(statistics)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let scan = match projection {
            Some(positions) => self.scan.projected(positions)?,
            None => self.scan.clone(),
        };
        let parts = scan.split(state.config().target_partitions().max(1))?;
        Ok(Arc::new(TextExec::new(scan, parts, state.config().batch_size())))
    }
}

#[derive(Debug)]
struct TextExec {
    scan: TextScan,
    parts: Vec<Vec<Slice>>,
    batch_size: usize,
    /// By column, how its moments are written; 0 as long as there was none.
    written: Arc<[AtomicU32]>,
    properties: Arc<PlanProperties>,
}

impl TextExec {
    fn new(scan: TextScan, parts: Vec<Vec<Slice>>, batch_size: usize) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(scan.schema.clone()),
            Partitioning::UnknownPartitioning(parts.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let written = scan.format.columns.iter().map(|_| AtomicU32::new(0)).collect();
        Self { scan, parts, batch_size, written, properties: Arc::new(properties) }
    }
}

impl DisplayAs for TextExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            self.scan.format.columns.iter().map(|column| column.name.as_str()).collect();
        write!(formatter, "TextExec: {}, columns=[{}]", self.scan.describe(), names.join(", "))
    }
}

impl ExecutionPlan for TextExec {
    fn name(&self) -> &str {
        "TextExec"
    }

    fn schema(&self) -> SchemaRef {
        self.scan.schema.clone()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        _context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        let reader = Reader {
            format: self.scan.format.clone(),
            schema: self.scan.schema.clone(),
            written: self.written.clone(),
            batch_size: self.batch_size,
            open: self.parts.get(partition).cloned().unwrap_or_default().into_iter(),
            current: None,
            rows: Rows::new(&self.scan.format, self.batch_size),
        };
        let batches = stream::iter(reader);
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.scan.schema.clone(), batches)))
    }
}

/// Reads slices, one after the other.
struct Reader {
    format: Arc<Format>,
    schema: SchemaRef,
    written: Arc<[AtomicU32]>,
    batch_size: usize,
    open: std::vec::IntoIter<Slice>,
    current: Option<Window>,
    rows: Rows,
}

/// The part of a file that is being read.
struct Window {
    file: File,
    path: PathBuf,
    /// What has been read of the file and not yet taken for rows.
    text: Vec<u8>,
    taken: usize,
    /// Where the file goes on behind that, and where the slice ends.
    next: u64,
    end: u64,
    /// Where the slice ends if there are quotes in it: what is behind is not cut off then.
    end_with_quotes: u64,
    quotes: bool,
}

impl Iterator for Reader {
    type Item = EngineResult<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

impl Reader {
    fn batch(&mut self) -> EngineResult<Option<RecordBatch>> {
        while self.rows.len() < self.batch_size {
            if self.current.is_none() {
                let Some(slice) = self.open.next() else { break };
                self.current = Window::open(&slice, &self.format)?;
                continue;
            }
            let Some(window) = &mut self.current else { continue };
            let most = self.batch_size;
            let is_all = window.is_all()?;
            let text = &window.text[window.taken..];
            let taken = self
                .rows
                .add(text, is_all, most, &self.format, &self.written)
                .map_err(|doubt| window.doubted(doubt))?;
            window.taken += taken;
            if self.rows.len() >= most {
                break;
            }
            if is_all {
                self.current = None;
            } else {
                window.fill()?;
            }
        }
        if self.rows.len() == 0 {
            return Ok(None);
        }
        Ok(Some(self.rows.finish(&self.schema)?))
    }
}

impl Window {
    /// The lines of a slice; none where it has none.
    fn open(slice: &Slice, format: &Format) -> EngineResult<Option<Self>> {
        let (path, begin, end) = &slice.block;
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let (first, last) = (line_after(&file, *begin, length)?, line_after(&file, *end, length)?);
        let is_part = slice.begin != *begin || slice.end != *end;
        let (mut from, mut to) = (first, last);
        if is_part {
            let inside = |place: u64| {
                Ok::<_, std::io::Error>(line_after(&file, place, length)?.clamp(first, last))
            };
            if slice.begin != *begin {
                from = inside(slice.begin)?;
                // A line end may be inside of quotes that were opened before.
                if has_quotes(&file, first, from)? {
                    return Ok(None);
                }
            }
            if slice.end != *end {
                to = inside(slice.end)?;
            }
        }
        if *begin == 0 && slice.begin == 0 {
            let mut start = vec![0; format.header.len().max(3)];
            let there = file.read_at(&mut start, 0)?;
            start.truncate(there);
            if !start.starts_with(&format.header) || start.starts_with(b"\xef\xbb\xbf") {
                return Err(doubted(path, &Doubt("a file with another header".into())));
            }
            from = from.max(format.header.len() as u64);
        }
        if from >= to {
            return Ok(None);
        }
        let mut window = Self {
            file,
            path: path.clone(),
            text: Vec::new(),
            taken: 0,
            next: from,
            end: to,
            end_with_quotes: last,
            quotes: false,
        };
        window.fill()?;
        Ok(Some(window))
    }

    /// Whether nothing follows what has been read.
    fn is_all(&mut self) -> EngineResult<bool> {
        if self.next >= self.end && self.end < self.end_with_quotes && self.quotes {
            self.end = self.end_with_quotes;
            self.fill()?;
        }
        Ok(self.next >= self.end)
    }

    /// Reads on; a line that is longer than what is read at a time makes it more.
    fn fill(&mut self) -> EngineResult<()> {
        self.text.drain(..self.taken);
        self.taken = 0;
        let kept = self.text.len();
        let more = (self.end - self.next).min(WINDOW.max(kept) as u64);
        let size = usize::try_from(more).unwrap_or(WINDOW);
        self.text.resize(kept + size, 0);
        let mut there = kept;
        while there < self.text.len() {
            let place = self.next + (there - kept) as u64;
            match self.file.read_at(&mut self.text[there..], place)? {
                0 => {
                    // The file has become shorter.
                    (self.end, self.end_with_quotes) = (place, place);
                    self.text.truncate(there);
                }
                count => there += count,
            }
        }
        self.quotes |= self.text[kept..].contains(&b'"');
        self.next += (there - kept) as u64;
        Ok(())
    }

    fn doubted(&self, doubt: Doubt) -> DataFusionError {
        doubted(&self.path, &doubt)
    }
}

fn doubted(path: &std::path::Path, doubt: &Doubt) -> DataFusionError {
    DataFusionError::External(Box::new(FrameError::unsupported(
        "read_csv",
        format!("{} has {}", path.display(), doubt.0),
    )))
}

/// Where the first line begins that begins at `place` or later; a line end right before it does
/// not count, as blocks are cut.
fn line_after(file: &File, place: u64, length: u64) -> std::io::Result<u64> {
    if place == 0 {
        return Ok(0);
    }
    let mut buffer = vec![0; 1 << 14];
    let mut at = place;
    while at < length {
        let count = file.read_at(&mut buffer, at)?;
        if count == 0 {
            break;
        }
        if let Some(found) = buffer[..count].iter().position(|byte| *byte == b'\n') {
            return Ok(at + found as u64 + 1);
        }
        at += count as u64;
    }
    Ok(length)
}

fn has_quotes(file: &File, begin: u64, end: u64) -> std::io::Result<bool> {
    let mut buffer = vec![0; 1 << 18];
    let mut at = begin;
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
        let count = file.read_at(&mut buffer[..left], at)?;
        if count == 0 {
            break;
        }
        if buffer[..count].contains(&b'"') {
            return Ok(true);
        }
        at += count as u64;
    }
    Ok(false)
}
