//! What is done with records, as data.

use super::accumulate::Reduction;
use super::evaluate::Form;
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
}

impl Plan {
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let mut stages = Vec::new();
        let mut steps = Vec::new();
        for operation in &self.operations {
            match operation {
                Operation::Reduce(reduction) => {
                    let steps = std::mem::take(&mut steps);
                    stages.push(Stage { steps, reduction: Some(reduction.clone()) });
                }
                other => steps.push(other.clone()),
            }
        }
        if stages.is_empty() || !steps.is_empty() {
            stages.push(Stage { steps, reduction: None });
        }
        stages
    }
}
