//! One partition of a relation at a time.

use crate::error::{FrameError, Result};
use crate::plan::{Operator, Plan};

impl Plan {
    /// How many partitions there are that can be computed one by one. What brings all rows
    /// together is one partition.
    pub fn partitions(&self) -> usize {
        match self.operator() {
            Operator::Parquet(scan) => scan.partitions().len(),
            Operator::Text(scan) => scan.partitions(),
            Operator::Memory(memory) => memory.partitions().len(),
            Operator::Project { input, .. } | Operator::Filter { input, .. } => input.partitions(),
            Operator::Concat { inputs } => inputs.iter().map(Plan::partitions).sum(),
            _ => 1,
        }
    }

    /// The rows of one partition.
    pub fn partition(&self, position: usize) -> Result<Plan> {
        if position >= self.partitions() {
            return Err(FrameError::Invalid {
                operation: "a partition",
                detail: format!("there is no partition {position} of {}", self.partitions()),
            });
        }
        match self.operator() {
            Operator::Parquet(scan) => Ok(Plan::parquet(scan.subset(position..position + 1))),
            Operator::Text(scan) => Ok(Plan::text(scan.subset(position..position + 1))),
            Operator::Memory(memory) => Ok(Plan::memory(memory.subset(position..position + 1))),
            Operator::Project { input, .. } | Operator::Filter { input, .. } => {
                Ok(self.with_inputs(vec![input.partition(position)?]))
            }
            Operator::Concat { inputs } => {
                let mut left = position;
                for input in inputs {
                    match left.checked_sub(input.partitions()) {
                        None => return input.partition(left),
                        Some(rest) => left = rest,
                    }
                }
                Ok(self.clone())
            }
            _ => Ok(self.clone()),
        }
    }
}
