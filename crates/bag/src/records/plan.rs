//! What is done with records, as data.

use super::accumulate::Reduction;
use super::evaluate::Form;
use super::project::{Projection, projection, with_slots};
use crate::text::TextBlock;

/// Where records come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The lines of text files, with their ends.
    Text {
        /// The blocks, each a partition.
        blocks: Vec<TextBlock>,
        /// Whether carriage returns end lines too. Where there are some, the records are left to others.
        universal: bool,
    },
    /// Integers: the first of each partition, and the one behind its last.
    Integers(Vec<(i64, i64)>),
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A function of each record.
    Map(Form),
    /// The records for which a function is true.
    Filter(Form),
    /// The items of each record.
    Flatten,
    /// The values of the lines of JSON that are not blank.
    JsonLines,
    /// One partition, or one value, of all records.
    Reduce(Reduction),
}

/// A source, and steps in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where records come from.
    pub source: Source,
    /// What is done with them.
    pub operations: Vec<Operation>,
}

/// Steps up to a reduction, or up to the end.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) steps: Vec<Operation>,
    pub(crate) reduction: Option<Reduction>,
    /// How lines of JSON are parsed, where not all of a line is wanted.
    pub(crate) projection: Option<Projection>,
}

impl Stage {
    fn new(mut steps: Vec<Operation>, mut reduction: Option<Reduction>) -> Self {
        let projection = projection(&steps, reduction.as_ref());
        if let Some(Projection { step, keys }) = &projection {
            let mut keeps_record = true;
            for later in &mut steps[step + 1..] {
                match later {
                    Operation::Filter(form) if keeps_record => with_slots(form, keys),
                    Operation::Map(form) if keeps_record => {
                        with_slots(form, keys);
                        keeps_record = false;
                    }
                    _ => {}
                }
            }
            if let Some(Reduction::FoldBy { key, fold, .. }) = &mut reduction
                && keeps_record
            {
                with_slots(key, keys);
                with_slots(fold.form_mut(), keys);
            }
        }
        Self { steps, reduction, projection }
    }
}

impl Plan {
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let mut stages = Vec::new();
        let mut steps = Vec::new();
        for operation in &self.operations {
            match operation {
                Operation::Reduce(reduction) => {
                    let steps = std::mem::take(&mut steps);
                    stages.push(Stage::new(steps, Some(reduction.clone())));
                }
                other => steps.push(other.clone()),
            }
        }
        if stages.is_empty() || !steps.is_empty() {
            stages.push(Stage::new(steps, None));
        }
        stages
    }
}
