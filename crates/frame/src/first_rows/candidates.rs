//! Rows that may be among the first ones of their group, held until later rows have told which of
//! them are.

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;

use super::best::{Best, Kept, Place};

/// Rows that are held before it is looked at which of them can go, at the least.
const FEW: usize = 1 << 16;

/// What has come of one partition.
pub(super) struct Candidates {
    /// None where dropping rows does not pay.
    best: Option<Best>,
    held: Vec<Kept>,
    rows: usize,
    /// Bytes of the rows that are held.
    bytes: usize,
    /// Rows that may be held until some of them go.
    most_rows: usize,
    /// Whether rows are held, and not given as they come.
    holds: bool,
    most_bytes: usize,
    memory: MemoryReservation,
    schema: SchemaRef,
    rows_of_batch: usize,
}

impl Candidates {
    pub(super) fn new(
        best: Best,
        most_bytes: usize,
        memory: MemoryReservation,
        schema: SchemaRef,
        rows_of_batch: usize,
    ) -> Self {
        Self {
            best: Some(best),
            held: Vec::new(),
            rows: 0,
            bytes: 0,
            most_rows: FEW,
            holds: true,
            most_bytes,
            memory,
            schema,
            rows_of_batch: rows_of_batch.max(1),
        }
    }

    /// Takes rows; what goes out now.
    pub(super) fn next(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        let Some(best) = &mut self.best else { return Ok(vec![batch]) };
        let kept = best.pruned(&batch)?;
        let is_useful = best.is_useful();
        if !self.holds {
            let size = best.size();
            if !is_useful || size > self.most_bytes || self.memory.try_resize(size).is_err() {
                self.gives_up();
            }
            return Ok(vec![kept.rows]);
        }
        self.hold(kept);
        if self.rows > self.most_rows {
            self.sift()?;
            self.most_rows = FEW.max(2 * self.rows);
        }
        if is_useful && self.fits() {
            return Ok(Vec::new());
        }
        // The best values may fit where rows do not.
        let given = self.given()?;
        self.holds = false;
        if !is_useful || !self.fits() {
            self.gives_up();
        }
        Ok(given)
    }

    /// What is left when all rows have come.
    pub(super) fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        let given = self.given()?;
        self.gives_up();
        Ok(given)
    }

    fn hold(&mut self, kept: Kept) {
        if kept.groups.is_empty() {
            return;
        }
        self.rows += kept.groups.len();
        self.bytes += size(&kept);
        self.held.push(kept);
    }

    fn fits(&mut self) -> bool {
        let size = self.bytes + self.best.as_ref().map_or(0, Best::size);
        size <= self.most_bytes && self.memory.try_resize(size).is_ok()
    }

    fn gives_up(&mut self) {
        self.best = None;
        self.memory.free();
    }

    /// Drops what is held and comes after better rows that came later.
    fn sift(&mut self) -> Result<()> {
        let Some(best) = &self.best else { return Ok(()) };
        let mut left = Vec::with_capacity(self.held.len());
        let (mut groups, mut places) = (Vec::new(), Vec::new());
        for kept in self.held.drain(..) {
            let kept = best.pruned_again(kept)?;
            groups.extend(kept.groups);
            places.extend(kept.places);
            left.push(kept.rows);
        }
        (self.rows, self.bytes) = (0, 0);
        let rows = concat_batches(&self.schema, &left)?;
        self.hold(Kept { rows, groups, places });
        Ok(())
    }

    fn given(&mut self) -> Result<Vec<RecordBatch>> {
        self.sift()?;
        (self.rows, self.bytes) = (0, 0);
        let cut = |kept: Kept| {
            let count = kept.rows.num_rows();
            let step = self.rows_of_batch;
            let starts = (0..count).step_by(step);
            let piece = |start| kept.rows.slice(start, step.min(count - start));
            starts.map(piece).collect::<Vec<_>>()
        };
        Ok(self.held.drain(..).flat_map(cut).collect())
    }
}

fn size(kept: &Kept) -> usize {
    kept.rows.get_array_memory_size()
        + kept.groups.len() * (size_of::<usize>() + size_of::<Place>())
}
