//! Running plans: a task for each piece of the source, and one that puts them together.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use bumpalo::Bump;
use memchr::{memchr, memchr_iter};
use parking_lot::Mutex;
use samite_graph::{Graph, OperationId, Optimize, Plan as TaskPlan, Source as Tasks, TaskList};
use samite_runtime::{
    Context, Data, Lane, OperationError, Options, Program, Threads, Value as Stored, run_here,
    start,
};

use super::accumulate::{Accumulator, Finished, Reduction};
use super::evaluate::Form;
use super::json::Parser;
use super::owned::Owned;
use super::plan::{Operation, Plan, Source, Stage};
use super::scan::row;
use super::strings::{each_part, is_space};
use super::tally::Tally;
use super::value::{Deviation, Value};
use super::words::Words;
use crate::error::BagError;
use crate::text::TextBlock;

/// Bytes of text in a task, at least and at most.
const SMALLEST_PIECE: u64 = 4 << 20;
const LARGEST_PIECE: u64 = 64 << 20;
/// Pieces that a source is cut into, if they are large enough.
const PIECES: u64 = 16;
/// The same where pieces have nothing of their own that is put together.
const MANY_PIECES: u64 = 128;
/// Bytes of lines whose values are dropped together.
const LINES_TOGETHER: usize = 1 << 14;
/// Other records whose values are dropped together.
const RECORDS_TOGETHER: usize = 1 << 10;

/// What a plan came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The records.
    Records(Vec<Owned>),
    /// The value of a reduction.
    Value(Owned),
}

/// Plans that are ready to run.
pub struct Prepared {
    /// What runs; it has one output for each of the plans.
    pub plan: Arc<TaskPlan>,
    /// The operations that it points at.
    pub program: RecordsProgram,
}

/// The operations of plans of records.
pub struct RecordsProgram {
    jobs: Vec<Job>,
}

/// What one task reads.
enum Piece {
    Text(TextBlock),
    Integers(i64, i64),
}

impl Piece {
    fn path(&self) -> PathBuf {
        match self {
            Self::Text(block) => block.path().into(),
            Self::Integers(..) => PathBuf::from("integers"),
        }
    }

    fn start(&self) -> u64 {
        match self {
            Self::Text(block) => block.offset,
            Self::Integers(..) => 0,
        }
    }
}

struct Job {
    pieces: Vec<Piece>,
    universal: bool,
    stages: Vec<Stage>,
    /// Tables of the words so far, which tasks take out and put back; only where words are counted.
    words: Option<Mutex<Vec<(Words, Tally)>>>,
}

impl Job {
    fn new(plan: &Plan) -> Result<Self, BagError> {
        let stages = plan.stages();
        let (blocks, universal) = match &plan.source {
            Source::Text { blocks, universal } => (blocks, *universal),
            Source::Integers(parts) => {
                let pieces = parts.iter().map(|(from, to)| Piece::Integers(*from, *to)).collect();
                return Ok(Self { pieces, universal: false, stages, words: None });
            }
        };
        let words = Words::of(&stages[0]).map(|_| Mutex::new(Vec::new()));
        let mut total = 0;
        for block in blocks {
            total += block.nbytes()?;
        }
        let count = if words.is_some() { MANY_PIECES } else { PIECES };
        let size = (total / count).clamp(SMALLEST_PIECE, LARGEST_PIECE);
        let mut pieces = Vec::new();
        for block in blocks {
            pieces.extend(block.cut(size)?.into_iter().map(Piece::Text));
        }
        Ok(Self { pieces, universal, stages, words })
    }
}

/// A value of the runtime: a part's or a plan's result.
///
/// The task that puts the parts together takes them out, since they may be large.
struct Part {
    accumulator: Mutex<Option<Accumulator>>,
    nbytes: usize,
}

impl Part {
    fn new(accumulator: Accumulator) -> Self {
        let nbytes = accumulator.nbytes();
        Self { accumulator: Mutex::new(Some(accumulator)), nbytes }
    }
}

struct Whole(Arc<Output>);

impl Data for Part {
    fn nbytes(&self) -> usize {
        self.nbytes
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Data for Whole {
    fn nbytes(&self) -> usize {
        match &*self.0 {
            Output::Records(records) => records.iter().map(Owned::nbytes).sum(),
            Output::Value(value) => value.nbytes(),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Plans the tasks of several plans of records.
///
/// # Errors
/// [`BagError::Read`] where a file's length cannot be found out, [`BagError::Graph`].
pub fn prepare(plans: &[Plan]) -> Result<Prepared, BagError> {
    let jobs: Vec<Job> = plans.iter().map(Job::new).collect::<Result<_, _>>()?;
    let mut graph = Graph::new();
    let mut outputs = Vec::with_capacity(jobs.len());
    for (number, job) in jobs.iter().enumerate() {
        let pieces = u32::try_from(job.pieces.len())
            .map_err(|_| BagError::Parameter { operation: "prepare", reason: "too many blocks" })?;
        let read = OperationId(2 * number as u32);
        let parts = graph.add(format!("records-{number}"), Tasks::new(read, pieces))?;
        let mut whole = TaskList::with_capacity(1, job.pieces.len());
        whole.push(OperationId(2 * number as u32 + 1), parts.iter());
        outputs.push(graph.add(format!("whole-{number}"), whole)?);
    }
    let plan = samite_graph::optimize(&graph, &outputs, &Optimize::default())?;
    Ok(Prepared { plan: Arc::new(plan), program: RecordsProgram { jobs } })
}

impl Program for RecordsProgram {
    fn run(
        &self,
        operation: OperationId,
        index: u32,
        context: &Context<'_>,
        inputs: &mut Vec<Stored>,
    ) -> Result<Stored, OperationError> {
        let job = &self.jobs[operation.index() / 2];
        if operation.index().is_multiple_of(2) {
            let part = match &job.words {
                Some(tables) => job.count_words(tables, index, context),
                None => job.read(index as usize, context).map(Part::new),
            };
            return Ok(Arc::new(part.map_err(OperationError::new)?));
        }
        let parts = std::mem::take(inputs).into_iter().map(part_of).collect::<Result<_, _>>();
        let whole = parts.and_then(|parts| job.put_together(parts));
        Ok(Arc::new(Whole(Arc::new(whole.map_err(OperationError::new)?))))
    }

    fn lane(&self, _: OperationId) -> Lane {
        Lane::Free
    }

    fn name(&self, operation: OperationId, index: u32) -> String {
        let job = &self.jobs[operation.index() / 2];
        match (operation.index() % 2, job.pieces.get(index as usize)) {
            (0, Some(Piece::Text(piece))) => format!("records of {}", piece.path().display()),
            _ => format!("records-{}", operation.index() / 2),
        }
    }
}

impl RecordsProgram {
    /// The result in a value of one of the plan's outputs.
    ///
    /// # Errors
    /// [`BagError::Internal`] where it is another one.
    pub fn output(value: &Stored) -> Result<Arc<Output>, BagError> {
        let whole = value.as_any().downcast_ref::<Whole>();
        whole.map(|whole| whole.0.clone()).ok_or(BagError::Internal { what: "a result of records" })
    }
}

/// The accumulator of a part, which is asked for once.
fn part_of(value: Stored) -> Result<Accumulator, BagError> {
    let part = value.as_any().downcast_ref::<Part>();
    let taken = part.and_then(|part| part.accumulator.lock().take());
    taken.ok_or(BagError::Internal { what: "a part of records" })
}

/// Where something was found that is left to others.
fn deviation(path: PathBuf, offset: u64) -> impl Fn(Deviation) -> BagError {
    move |reason| BagError::NotNative { path: path.clone(), offset, reason }
}

impl Job {
    /// The words of one piece of the source into a table that has those of earlier ones.
    fn count_words(
        &self,
        tables: &Mutex<Vec<(Words, Tally)>>,
        index: u32,
        context: &Context<'_>,
    ) -> Result<Part, BagError> {
        let missing = BagError::Internal { what: "a missing piece" };
        let Some(Piece::Text(block)) = self.pieces.get(index as usize) else { return Err(missing) };
        let left = |at: u64, reason| deviation(block.path().into(), at)(reason);
        let known = {
            let mut tables = tables.lock();
            let fits = |(_, tally): &(Words, Tally)| tally.last_piece() < Some(index);
            let place = tables.iter().position(fits);
            place.map(|place| tables.swap_remove(place))
        };
        let (mut words, mut tally) = match known {
            Some(known) => known,
            None => (Words::of(&self.stages[0]).ok_or(missing)?, Tally::default()),
        };
        let before = tally.nbytes();
        tally.begin_piece(index);
        // Where this fails, the table is not put back, and no result is made without it.
        block.read(|lines, at| {
            checked(context)?;
            if self.universal && memchr(b'\r', lines.as_bytes()).is_some() {
                return Err(left(at, "carriage returns"));
            }
            let counted = words.count(lines, &mut tally);
            counted.map_err(|(from, reason)| left(at + from as u64, reason))
        })?;
        let nbytes = tally.nbytes().saturating_sub(before);
        tables.lock().push((words, tally));
        Ok(Part { accumulator: Mutex::new(Some(Accumulator::Records(Vec::new()))), nbytes })
    }

    /// One piece of the source through the first stage.
    fn read(&self, index: usize, context: &Context<'_>) -> Result<Accumulator, BagError> {
        let piece = self.pieces.get(index).ok_or(BagError::Internal { what: "a missing piece" })?;
        let stage = &self.stages[0];
        let left = |at: u64| deviation(piece.path(), at);
        let mut total = Accumulator::new(stage.reduction.as_ref()).map_err(left(piece.start()))?;
        let mut arena = Bump::new();
        let mut parser = Parser::default();
        let only_counted = stage.steps.is_empty() && stage.reduction == Some(Reduction::Count);
        let block = match piece {
            Piece::Text(block) => block,
            Piece::Integers(from, to) => {
                let mut from = *from;
                while from < *to {
                    checked(context)?;
                    let stop = from.saturating_add(RECORDS_TOGETHER as i64).min(*to);
                    for value in from..stop {
                        through(stage, 0, Value::Int(value), &arena, &mut parser, &mut total)
                            .map_err(left(0))?;
                    }
                    arena.reset();
                    from = stop;
                }
                return Ok(total);
            }
        };
        block.read(|lines, at| {
            checked(context)?;
            if self.universal && memchr(b'\r', lines.as_bytes()).is_some() {
                return Err(left(at)("carriage returns"));
            }
            if only_counted && let Accumulator::Count(count) = &mut total {
                let ends = memchr_iter(b'\n', lines.as_bytes()).count();
                *count += (ends + usize::from(!lines.ends_with('\n'))) as u64;
                return Ok(());
            }
            let mut from = 0;
            while from < lines.len() {
                from = self.some_lines(lines, from, &arena, &mut parser, &mut total, &|from| {
                    left(at + from as u64)
                })?;
                arena.reset();
            }
            Ok(())
        })?;
        Ok(total)
    }

    /// Lines from a place on, until their values are to be dropped; where it stopped.
    fn some_lines<F: Fn(Deviation) -> BagError>(
        &self,
        lines: &str,
        from: usize,
        arena: &Bump,
        parser: &mut Parser,
        total: &mut Accumulator,
        left: &dyn Fn(usize) -> F,
    ) -> Result<usize, BagError> {
        let stage = &self.stages[0];
        let mut start = from;
        for end in memchr_iter(b'\n', &lines.as_bytes()[from..])
            .map(|end| from + end + 1)
            .chain(std::iter::once(lines.len()))
        {
            if end > start {
                let line = Value::Text(&lines[start..end]);
                through(stage, 0, line, arena, parser, total)
                    .map_err(|reason| left(start)(reason))?;
            }
            start = end;
            if start - from >= LINES_TOGETHER {
                break;
            }
        }
        Ok(start)
    }

    /// The whole from its parts: what is left of the first stage, and the stages behind it.
    fn put_together(&self, parts: Vec<Accumulator>) -> Result<Output, BagError> {
        let first = self.pieces.first();
        let path = first.map(Piece::path).unwrap_or_default();
        self.merged(parts).map_err(deviation(path, 0))
    }

    fn merged(&self, parts: Vec<Accumulator>) -> Result<Output, Deviation> {
        let reduction = self.stages[0].reduction.as_ref();
        let mut finished = match &self.words {
            Some(tables) => {
                let tallies = tables.lock().drain(..).map(|(_, tally)| tally).collect();
                Finished::texts(Tally::joined(tallies, parts.len() as u32)?, reduction)
            }
            None => {
                let mut total = Accumulator::new(reduction)?;
                for part in parts {
                    total.merge(part, reduction)?;
                }
                total.finish(reduction)?
            }
        };
        for stage in &self.stages[1..] {
            let mut total = Accumulator::new(stage.reduction.as_ref())?;
            let mut parser = Parser::default();
            let mut arena = Bump::new();
            let count = finished.len().ok_or("steps behind a single value")?;
            for first in (0..count).step_by(RECORDS_TOGETHER) {
                for at in first..count.min(first + RECORDS_TOGETHER) {
                    let record = finished.view(at, &arena)?;
                    through(stage, 0, record, &arena, &mut parser, &mut total)?;
                }
                arena.reset();
            }
            finished = total.finish(stage.reduction.as_ref())?;
        }
        finished.owned()
    }
}

/// An error where the run has ended.
fn checked(context: &Context<'_>) -> Result<(), BagError> {
    if context.is_cancelled() {
        return Err(BagError::Internal { what: "the run has ended" });
    }
    Ok(())
}

/// One record through the steps from a place on into an accumulator. Recurses once for each list that is flattened.
fn through<'a>(
    stage: &'a Stage,
    from: usize,
    record: Value<'a>,
    arena: &'a Bump,
    parser: &mut Parser,
    total: &mut Accumulator,
) -> Result<(), Deviation> {
    let mut value = record;
    for (place, step) in stage.steps.iter().enumerate().skip(from) {
        match step {
            Operation::JsonLines | Operation::Map(Form::Json(_))
                if let Some(projection) = &stage.projection
                    && projection.step == place =>
            {
                let Value::Text(line) = value else { return Err("a line that is no text") };
                if *step == Operation::JsonLines && line.chars().all(is_space) {
                    return Ok(());
                }
                value = match row(line, &projection.keys, arena, parser)? {
                    Some(row) => row,
                    None => parser.parse(line, arena)?,
                };
            }
            Operation::Map(Form::Split(text, separator, most))
                if stage.steps.get(place + 1) == Some(&Operation::Flatten) =>
            {
                // The parts go on one by one, and no list of them is made.
                let Value::Text(text) = text.evaluate(value, arena, parser)? else {
                    return Err("a value that is no text");
                };
                return each_part(text, separator.as_deref(), *most, |part| {
                    through(stage, place + 2, Value::Text(part), arena, parser, total)
                });
            }
            Operation::Map(form) => value = form.evaluate(value, arena, parser)?,
            Operation::Filter(form) => {
                if !form.evaluate(value, arena, parser)?.truth() {
                    return Ok(());
                }
            }
            Operation::JsonLines => {
                let Value::Text(line) = value else { return Err("a line that is no text") };
                if line.chars().all(is_space) {
                    return Ok(());
                }
                value = parser.parse(line, arena)?;
            }
            Operation::Flatten => {
                return flattened(
                    value,
                    &mut |item, parser| through(stage, place + 1, item, arena, parser, total),
                    parser,
                );
            }
            Operation::Reduce(_) => return Err("a reduction among steps"),
        }
    }
    total.add(value, stage.reduction.as_ref(), arena, parser)
}

fn flattened<'a>(
    value: Value<'a>,
    each: &mut dyn FnMut(Value<'a>, &mut Parser) -> Result<(), Deviation>,
    parser: &mut Parser,
) -> Result<(), Deviation> {
    match value {
        Value::List(items) | Value::Tuple(items) => {
            items.iter().try_for_each(|item| each(*item, parser))
        }
        Value::Text(text) => text.char_indices().try_for_each(|(at, character)| {
            each(Value::Text(&text[at..at + character.len_utf8()]), parser)
        }),
        Value::Tape([simd_json::Node::Array { len, .. }, rest @ ..]) => {
            let mut rest = rest;
            for _ in 0..*len {
                let (item, behind) = Value::of_nodes(rest)?;
                each(item, parser)?;
                rest = behind;
            }
            Ok(())
        }
        _ => Err("a value without items"),
    }
}

/// Computes plans on this machine, together.
///
/// # Errors
/// [`BagError::Runtime`] with the error of a task inside, where one failed.
pub fn compute(plans: &[Plan], options: Options) -> Result<Vec<Output>, BagError> {
    let Prepared { plan, program } = prepare(plans)?;
    let program = Arc::new(program);
    let values = match options.threads {
        Threads::Calling => run_here(plan, program, options)?,
        Threads::Pool(_) => start(plan, program, options)?.join()?,
    };
    values
        .into_iter()
        .map(|value| {
            let output = RecordsProgram::output(&value)?;
            drop(value);
            Ok(Arc::unwrap_or_clone(output))
        })
        .collect()
}
