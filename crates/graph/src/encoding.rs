//! Plans as bytes, for other processes.
//!
//! Numbers are varints (seven bits a byte, least significant first); differences are zigzagged, so
//! that small ones of either sign take one byte. What a task runs is written in runs, since the
//! tasks of a layer run one operation with rising indices; a dependency is written as the distance
//! to it, and a rank as the difference to the rank after the previous task's. A task takes two
//! bytes at the least, so what is decoded is never out of proportion to what was sent.
//!
//! ```text
//! version, tasks, edges
//! work:         (operation, or row of the fused table: the low bit tells), length, first index, step
//! fused tasks:  count, then for each: steps, then for each: operation, index, inputs
//! tasks:        count of dependencies, distances
//! ranks:        differences
//! outputs:      count, ids
//! layers:       count, then for each: distance to the first task, annotation + 1 or 0, name
//! ```

use std::sync::Arc;

use crate::csr::Csr;
use crate::error::GraphError;
use crate::ids::{AnnotationId, OperationId, TaskId};
use crate::plan::{FUSED, LayerSpan, PackedWork, Plan, Step, StepInput, fit};

const VERSION: u8 = 1;

impl Plan {
    /// Appends the plan's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put(out, self.len() as u64);
        put(out, self.edges() as u64);
        put_work(out, &self.work);
        put(out, self.fused.len() as u64);
        for steps in &self.fused {
            put(out, steps.len() as u64);
            steps.iter().for_each(|step| put_step(out, step));
        }
        for task in (0..self.len()).map(TaskId::from_index) {
            let needed = self.dependencies(task);
            put(out, needed.len() as u64);
            for other in needed {
                put_signed(out, i64::from(task.0) - i64::from(other.0));
            }
        }
        let mut expected = 0;
        for &rank in &self.rank {
            put_signed(out, i64::from(rank) - expected);
            expected = i64::from(rank) + 1;
        }
        put(out, self.outputs.len() as u64);
        let mut expected = 0;
        for output in &self.outputs {
            put_signed(out, i64::from(output.0) - expected);
            expected = i64::from(output.0) + 1;
        }
        put(out, self.spans.len() as u64);
        let mut first = 0;
        for span in &self.spans {
            put(out, u64::from(span.first - first));
            first = span.first;
            put(out, span.annotation.map_or(0, |row| u64::from(row.0) + 1));
            put(out, span.name.len() as u64);
            out.extend_from_slice(span.name.as_bytes());
        }
    }

    /// The plan that was encoded. Bytes of any origin may be given: what comes back is a plan as
    /// [`PlanBuilder`](crate::PlanBuilder) makes them, and takes memory in proportion to the bytes.
    ///
    /// # Errors
    /// [`GraphError::Malformed`] says what is wrong with the bytes and where;
    /// [`GraphError::MissingTask`] and [`GraphError::FusedSteps`] as in
    /// [`PlanBuilder::finish`](crate::PlanBuilder::finish).
    pub fn decode(bytes: &[u8]) -> Result<Self, GraphError> {
        let mut reader = Reader { bytes, place: 0 };
        if reader.byte()? != VERSION {
            return Err(reader.malformed("it is of another version"));
        }
        // The dependencies of a task and its rank take a byte each, and so does an edge.
        let tasks = reader.count(2)?;
        let edges = reader.count(1)?;
        if tasks >= FUSED as usize || edges >= u32::MAX as usize {
            return Err(GraphError::TooLarge { tasks, edges });
        }
        let work = reader.work(tasks)?;
        let fused = reader.fused()?;
        let dependencies = reader.dependencies(tasks, edges)?;
        reader.check_work(&work, &fused, &dependencies)?;
        let rank = reader.ranks(&dependencies)?;
        let outputs = reader.outputs(tasks)?;
        let spans = reader.spans(tasks)?;
        if reader.place != bytes.len() {
            return Err(reader.malformed("bytes are left over"));
        }
        let dependents = dependencies.transposed();
        Ok(Self { work, fused, dependencies, dependents, rank, outputs, spans })
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// The work of tasks in runs: the same operation with indices that differ by the same step, or
/// fused tasks whose rows follow one another.
fn put_work(out: &mut Vec<u8>, work: &[PackedWork]) {
    let mut rest = work;
    while let [first, ..] = rest {
        let is_fused = first.operation & FUSED != 0;
        let step = match (is_fused, rest.get(1)) {
            (false, Some(second)) => i64::from(second.index) - i64::from(first.index),
            _ => 0,
        };
        let continues = |(place, work): (usize, &PackedWork)| {
            let place = place as i64;
            if is_fused {
                i64::from(work.operation) == i64::from(first.operation) + place
                    && work.index == first.index
            } else {
                work.operation == first.operation
                    && i64::from(work.index) == i64::from(first.index) + step * place
            }
        };
        let length = rest.iter().enumerate().take_while(|run| continues(*run)).count();
        put(out, u64::from(first.operation & !FUSED) << 1 | u64::from(is_fused));
        put(out, length as u64);
        put(out, u64::from(first.index));
        put_signed(out, step);
        rest = &rest[length..];
    }
}

fn put_step(out: &mut Vec<u8>, step: &Step) {
    put(out, u64::from(step.operation.0));
    put(out, u64::from(step.index));
    put(out, step.inputs.len() as u64);
    for input in &step.inputs {
        match input {
            StepInput::Dependency(position) => put(out, u64::from(*position) << 1),
            StepInput::Step(earlier) => put(out, u64::from(*earlier) << 1 | 1),
        }
    }
}

struct Reader<'bytes> {
    bytes: &'bytes [u8],
    place: usize,
}

impl Reader<'_> {
    fn malformed(&self, what: &'static str) -> GraphError {
        GraphError::Malformed { at: self.place, what }
    }

    fn byte(&mut self) -> Result<u8, GraphError> {
        let byte =
            *self.bytes.get(self.place).ok_or_else(|| self.malformed("bytes are missing"))?;
        self.place += 1;
        Ok(byte)
    }

    #[inline]
    fn number(&mut self) -> Result<u64, GraphError> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.malformed("a number is too long"))
    }

    fn signed(&mut self) -> Result<i64, GraphError> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn small(&mut self) -> Result<u32, GraphError> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.malformed("a number is too large"))
    }

    /// How many things follow, each of so many bytes or more: never more than can follow.
    fn count(&mut self, least: usize) -> Result<usize, GraphError> {
        let count = self.number()?;
        let most = (self.bytes.len() - self.place) / least;
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(self.malformed("more is announced than follows")),
        }
    }

    fn work(&mut self, tasks: usize) -> Result<Vec<PackedWork>, GraphError> {
        let mut work = Vec::with_capacity(tasks);
        while work.len() < tasks {
            let what = self.number()?;
            let length = self.number()?;
            let first = self.small()?;
            let step = self.signed()?;
            if length == 0 || length > (tasks - work.len()) as u64 {
                return Err(self.malformed("a run of tasks is empty or too long"));
            }
            let is_fused = what & 1 == 1;
            let operation = u32::try_from(what >> 1).ok().filter(|row| row & FUSED == 0);
            let Some(operation) = operation else {
                return Err(self.malformed("the number of an operation is too large"));
            };
            let last = step
                .checked_mul(length as i64 - 1)
                .and_then(|distance| distance.checked_add(i64::from(first)))
                .and_then(|last| u32::try_from(last).ok());
            let last_row = u64::from(operation) + (length - 1);
            if last.is_none() || (is_fused && last_row >= u64::from(FUSED)) {
                return Err(self.malformed("a run of tasks leaves the range of numbers"));
            }
            work.extend((0..length as u32).map(|place| {
                let index = (i64::from(first) + step * i64::from(place)) as u32;
                let operation = if is_fused { (operation + place) | FUSED } else { operation };
                PackedWork { operation, index }
            }));
        }
        Ok(work)
    }

    fn fused(&mut self) -> Result<Vec<Arc<[Step]>>, GraphError> {
        let count = self.count(4)?;
        let mut fused = Vec::with_capacity(count);
        for _ in 0..count {
            let count = self.count(3)?;
            let mut steps = Vec::with_capacity(count);
            for _ in 0..count {
                let operation = OperationId(self.small()?);
                let index = self.small()?;
                let count = self.count(1)?;
                let mut inputs = Vec::with_capacity(count);
                for _ in 0..count {
                    let input = self.number()?;
                    let row = u32::try_from(input >> 1)
                        .map_err(|_| self.malformed("a number is too large"))?;
                    let is_step = input & 1 == 1;
                    inputs.push(match is_step {
                        true => StepInput::Step(row),
                        false => StepInput::Dependency(row),
                    });
                }
                steps.push(Step { operation, index, inputs });
            }
            fused.push(steps.into());
        }
        Ok(fused)
    }

    fn dependencies(&mut self, tasks: usize, edges: usize) -> Result<Csr, GraphError> {
        let mut table = Csr::with_capacity(tasks, edges);
        let mut row = Vec::new();
        let mut read = 0;
        for task in (0..tasks).map(TaskId::from_index) {
            let count = self.count(1)?;
            row.clear();
            for _ in 0..count {
                let distance = self.signed()?;
                let needed = i64::from(task.0).checked_sub(distance);
                let needed = needed.and_then(|needed| u32::try_from(needed).ok());
                let Some(needed) = needed else {
                    return Err(self.malformed("a dependency leaves the range of numbers"));
                };
                let missing = TaskId(needed);
                if missing.index() >= tasks {
                    return Err(GraphError::MissingTask { missing, wanted_by: Some(task) });
                }
                row.push(missing);
            }
            read += count;
            if read > edges {
                return Err(self.malformed("there are more edges than announced"));
            }
            table.push_row(row.iter().copied());
        }
        if read != edges {
            return Err(self.malformed("there are fewer edges than announced"));
        }
        Ok(table)
    }

    /// Whether fused tasks have steps, and these fit their dependencies.
    fn check_work(
        &self,
        work: &[PackedWork],
        fused: &[Arc<[Step]>],
        dependencies: &Csr,
    ) -> Result<(), GraphError> {
        // Each row belongs to one task: a short message cannot have one long row checked for ever.
        let mut used = vec![false; fused.len()];
        for (task, work) in work.iter().enumerate().filter(|(_, work)| work.operation & FUSED != 0)
        {
            let row = (work.operation & !FUSED) as usize;
            let task = TaskId::from_index(task);
            let Some(steps) = fused.get(row).filter(|_| !std::mem::replace(&mut used[row], true))
            else {
                return Err(self.malformed("steps of a fused task are missing or used twice"));
            };
            if !fit(steps, dependencies.row(task).len()) {
                return Err(GraphError::FusedSteps { task });
            }
        }
        Ok(())
    }

    /// The ranks: each number once, and every task after those that it needs, which also says that
    /// the graph has no cycle.
    fn ranks(&mut self, dependencies: &Csr) -> Result<Vec<u32>, GraphError> {
        let tasks = dependencies.rows();
        let mut ranks = Vec::with_capacity(tasks);
        let mut taken = vec![false; tasks];
        let mut expected = 0i64;
        for _ in 0..tasks {
            let rank = self.signed()?.checked_add(expected);
            let rank = rank.and_then(|rank| u32::try_from(rank).ok());
            let free = rank.and_then(|rank| taken.get_mut(rank as usize)).filter(|taken| !**taken);
            let (Some(rank), Some(free)) = (rank, free) else {
                return Err(self.malformed("the ranks are no order"));
            };
            *free = true;
            expected = i64::from(rank) + 1;
            ranks.push(rank);
        }
        let ordered = (0..tasks).all(|task| {
            let needed = dependencies.row(TaskId::from_index(task)).iter();
            needed.copied().all(|needed| ranks[needed.index()] < ranks[task])
        });
        if ordered { Ok(ranks) } else { Err(self.malformed("a task comes before what it needs")) }
    }

    fn outputs(&mut self, tasks: usize) -> Result<Vec<TaskId>, GraphError> {
        let count = self.count(1)?;
        let mut outputs = Vec::with_capacity(count);
        let mut expected = 0i64;
        for _ in 0..count {
            let output = self.signed()?.checked_add(expected);
            let Some(output) = output.and_then(|output| u32::try_from(output).ok()) else {
                return Err(self.malformed("an output leaves the range of numbers"));
            };
            let missing = TaskId(output);
            if missing.index() >= tasks {
                return Err(GraphError::MissingTask { missing, wanted_by: None });
            }
            expected = i64::from(output) + 1;
            outputs.push(missing);
        }
        Ok(outputs)
    }

    fn spans(&mut self, tasks: usize) -> Result<Vec<LayerSpan>, GraphError> {
        let count = self.count(3)?;
        let mut spans = Vec::with_capacity(count);
        let mut first = 0u64;
        for _ in 0..count {
            first = first.saturating_add(self.number()?);
            if first > tasks as u64 {
                return Err(self.malformed("a layer begins after the last task"));
            }
            let annotation = self.number()?;
            let annotation = match annotation.checked_sub(1).map(u32::try_from) {
                None => None,
                Some(Ok(row)) => Some(AnnotationId(row)),
                Some(Err(_)) => return Err(self.malformed("a number is too large")),
            };
            let length = self.count(1)?;
            let name = &self.bytes[self.place..self.place + length];
            let name = std::str::from_utf8(name)
                .map_err(|_| self.malformed("the name of a layer is not UTF-8"))?;
            self.place += length;
            spans.push(LayerSpan { first: first as u32, name: name.into(), annotation });
        }
        Ok(spans)
    }
}

impl serde::Serialize for Plan {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> serde::Deserialize<'de> for Plan {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(PlanBytes)
    }
}

struct PlanBytes;

impl serde::de::Visitor<'_> for PlanBytes {
    type Value = Plan;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the bytes of a plan")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Plan, E> {
        Plan::decode(bytes).map_err(E::custom)
    }
}
