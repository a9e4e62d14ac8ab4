//! What can go wrong with a plan, as one enum.

use std::path::PathBuf;

use datafusion::error::DataFusionError;

/// Why a plan could not be made or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// There is no native form with pandas' meaning; the caller goes another way.
    #[error("{operation} has no native form: {reason}")]
    Unsupported {
        /// The operation that was asked for.
        operation: String,
        /// What about it is not native.
        reason: String,
    },
    /// A column that the input does not have.
    #[error("{operation}: there is no column {name:?}{}", suggest(.nearest))]
    MissingColumn {
        /// The operation that names the column.
        operation: &'static str,
        /// The name that was looked for.
        name: String,
        /// The columns whose names are nearest.
        nearest: Vec<String>,
    },
    /// Two columns of a result would have one name.
    #[error("{operation}: two columns would be called {name:?}; name them differently")]
    DuplicateColumn {
        /// The operation whose result it is.
        operation: &'static str,
        /// The name.
        name: String,
    },
    /// Arguments that do not go together.
    #[error("{operation}: {detail}")]
    Invalid {
        /// The operation.
        operation: &'static str,
        /// What is wrong, and what to do.
        detail: String,
    },
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Two files of one data set have different columns.
    #[error("{} and {} do not have the same columns: {detail}", first.display(), second.display())]
    SchemaMismatch {
        /// The file whose schema was taken.
        first: PathBuf,
        /// The file that differs.
        second: PathBuf,
        /// The difference.
        detail: String,
    },
    /// What has to be in memory at once is more than the budget.
    #[error("the memory limit does not suffice: {detail}")]
    MemoryLimit {
        /// Who asked for how much.
        detail: String,
    },
    /// A query that is not valid SQL, or names what is not there.
    #[error("SQL: {detail}")]
    Sql {
        /// The planner's message.
        detail: String,
    },
    /// Bytes that are no plan.
    #[error("the bytes are not a plan of this version: {detail}")]
    Encoding {
        /// What was wrong.
        detail: String,
    },
    /// The computation was cancelled.
    #[error("the computation was cancelled")]
    Cancelled,
    /// The engine failed.
    #[error("{source}")]
    Engine {
        /// DataFusion's error.
        #[source]
        source: Box<DataFusionError>,
    },
}

/// The result of making or running a plan.
pub type Result<T, E = FrameError> = std::result::Result<T, E>;

impl FrameError {
    /// The error of something that is to be done without the engine.
    pub fn unsupported(operation: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported { operation: operation.into(), reason: reason.into() }
    }

    /// The error of a name that is not among `names`.
    pub(crate) fn missing<'a>(
        operation: &'static str,
        name: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self::MissingColumn { operation, name: name.to_owned(), nearest: nearest(name, names) }
    }
}

impl From<DataFusionError> for FrameError {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(detail) => {
                Self::MemoryLimit { detail: detail.clone() }
            }
            DataFusionError::External(inner) => match inner.downcast_ref::<Self>() {
                // A source that meets something without a native form.
                Some(Self::Unsupported { operation, reason }) => {
                    Self::unsupported(operation, reason)
                }
                _ => Self::Engine { source: Box::new(error) },
            },
            _ => Self::Engine { source: Box::new(error) },
        }
    }
}

impl From<arrow::error::ArrowError> for FrameError {
    fn from(error: arrow::error::ArrowError) -> Self {
        DataFusionError::from(error).into()
    }
}

fn suggest(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        names => format!("; the nearest are {}", names.join(", ")),
    }
}

/// Up to three names whose edit distance from `name` is at most half its length.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = name.chars().count().div_ceil(2);
    let mut found: Vec<(usize, &str)> = names
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort();
    found.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// Levenshtein's edit distance, by the two-row form.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}
