//! Parquet files as relations.

mod footers;
mod groups;
mod reads;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::object_store::{ObjectMeta, path::Path as StorePath};
use datafusion::parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use datafusion::parquet::arrow::{ARROW_SCHEMA_META_KEY, parquet_to_arrow_schema};
use datafusion::parquet::file::metadata::{KeyValue, ParquetMetaData};
use datafusion::parquet::file::statistics::Statistics as ParquetStatistics;
use datafusion::physical_plan::ExecutionPlan;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

pub use footers::row_groups;
use groups::{Span, Stretch};
use reads::LocalReads;

use crate::encode;
use crate::error::{FrameError, Result};
use crate::run;
use crate::scalar::Scalar;
use crate::types::{canonical, is_float};

/// The most files of which each has its statistics in the plan. Row groups are left out by their
/// own when a file is opened.
const FILES_WITH_STATISTICS: usize = 64;

/// Rows of Parquet files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParquetScan {
    #[serde(with = "encode::shared")]
    files: Arc<[DataFile]>,
    partitions: Vec<Vec<Piece>>,
    #[serde(with = "encode::schema")]
    schema: SchemaRef,
    /// The least and the greatest value of each column, as far as the footers know whole numbers and moments.
    ranges: Vec<Option<(i64, i64)>>,
    predicate: Option<Scalar>,
}

/// A file as it was when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct DataFile {
    path: PathBuf,
    bytes: u64,
    modified: Duration,
    row_groups: Vec<u64>,
}

/// A part of a file: some of its row groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Piece {
    /// The position of the file in the list.
    pub file: usize,
    /// The first row group and the one after the last; all of them if there is no range.
    pub row_groups: Option<(usize, usize)>,
}

impl ParquetScan {
    /// Reads the footers of `paths`. Without `partitions` each file is one.
    pub fn open(
        paths: &[PathBuf],
        columns: Option<&[String]>,
        partitions: Option<Vec<Vec<Piece>>>,
    ) -> Result<Self> {
        if paths.is_empty() {
            return Err(FrameError::Invalid {
                operation: "read_parquet",
                detail: "there are no files".into(),
            });
        }
        let files: Vec<DataFile> = paths.iter().map(|path| look(path)).collect::<Result<_>>()?;
        let footers = run::block_on(footers::footers(&files))??;
        let mut schema: Option<Schema> = None;
        let mut missing = Vec::new();
        for (file, footer) in files.iter().zip(&footers) {
            if schema.is_some() && same_schema(footer, &footers[0]) {
                if let Some(schema) = &schema {
                    count_missing(schema, footer, &mut missing);
                }
                continue;
            }
            let own = schema_of(file, footer)?;
            match &schema {
                None => {
                    missing = vec![Some(0); own.fields().len()];
                    schema = Some(own);
                }
                Some(first) => same_columns(&files[0].path, first, &file.path, &own)?,
            }
            if let Some(schema) = &schema {
                count_missing(schema, footer, &mut missing);
            }
        }
        let schema = schema.unwrap_or_else(Schema::empty);
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .zip(&missing)
            .map(|(field, missing)| {
                // A file may hold NaN, which no statistics tell of.
                let nullable =
                    field.is_nullable() && *missing != Some(0) || is_float(field.data_type());
                Field::new(field.name(), field.data_type().clone(), nullable)
            })
            .collect();
        let schema = Schema::new(fields);
        let ranges = ranges(&schema, &footers);
        let known: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let schema = match columns {
            None => schema,
            Some(columns) => {
                let positions = columns
                    .iter()
                    .map(|name| {
                        schema.index_of(name).map_err(|_| {
                            let names = schema.fields().iter().map(|field| field.name().as_str());
                            FrameError::missing("read_parquet", name, names)
                        })
                    })
                    .collect::<Result<Vec<_>>>()?;
                schema.project(&positions)?
            }
        };
        let files: Vec<DataFile> = files
            .into_iter()
            .zip(&footers)
            .map(|(file, footer)| DataFile {
                row_groups: footer
                    .row_groups()
                    .iter()
                    .map(|group| u64::try_from(group.num_rows()).unwrap_or(0))
                    .collect(),
                ..file
            })
            .collect();
        let partitions = match partitions {
            Some(partitions) => {
                check_pieces(&files, &partitions)?;
                partitions
            }
            None => (0..files.len()).map(|file| vec![Piece { file, row_groups: None }]).collect(),
        };
        let ranges = schema
            .fields()
            .iter()
            .map(|field| ranges[known.iter().position(|name| name == field.name())?])
            .collect();
        Ok(Self {
            files: files.into(),
            partitions,
            schema: Arc::new(schema),
            ranges,
            predicate: None,
        })
    }

    /// The same rows with a partition for each row group, in the order of the files.
    pub fn by_row_group(mut self) -> Self {
        self.partitions = self
            .files
            .iter()
            .enumerate()
            .flat_map(|(file, known)| {
                (0..known.row_groups.len())
                    .map(move |group| vec![Piece { file, row_groups: Some((group, group + 1)) }])
            })
            .collect();
        self
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The parts of files that each partition has.
    pub fn partitions(&self) -> &[Vec<Piece>] {
        &self.partitions
    }

    /// Rows of each row group of each file.
    pub fn row_groups(&self) -> Vec<Vec<u64>> {
        self.files.iter().map(|file| file.row_groups.clone()).collect()
    }

    /// The condition that the rows fulfil.
    pub fn predicate(&self) -> Option<&Scalar> {
        self.predicate.as_ref()
    }

    /// The rows that fulfil `predicate` too.
    pub(crate) fn with_predicate(&self, predicate: Scalar) -> Self {
        let both = self.predicate.iter().cloned().chain([predicate]);
        Self { predicate: Scalar::all(both), ..self.clone() }
    }

    /// The rows that fulfil `predicate` in place of the condition that there is.
    pub(crate) fn with_only_predicate(&self, predicate: Scalar) -> Self {
        Self { predicate: Some(predicate), ..self.clone() }
    }

    /// The rows of some partitions.
    pub(crate) fn subset(&self, range: std::ops::Range<usize>) -> Self {
        let partitions = self.partitions.get(range).map(<[_]>::to_vec).unwrap_or_default();
        Self { partitions, ..self.clone() }
    }

    /// What a plan's description says of it.
    pub(crate) fn describe(&self) -> String {
        let first = self.files.first().map(|file| file.path.display().to_string());
        format!(
            "{} file(s) in {} partition(s), first {}",
            self.files.len(),
            self.partitions.len(),
            first.unwrap_or_default()
        )
    }

    /// All pieces in their order, where neighbours in a file are one: it is opened once for them.
    fn joined_pieces(&self) -> Vec<Piece> {
        let mut joined: Vec<Piece> = Vec::new();
        for piece in self.partitions.iter().flatten() {
            if let Some(last) = joined.last_mut()
                && last.file == piece.file
                && let (Some((_, end)), Some((begin, next))) =
                    (&mut last.row_groups, piece.row_groups)
                && *end == begin
            {
                *end = next;
                continue;
            }
            joined.push(piece.clone());
        }
        for piece in &mut joined {
            let all = self.files.get(piece.file).map_or(0, |file| file.row_groups.len());
            if piece.row_groups == Some((0, all)) {
                piece.row_groups = None;
            }
        }
        joined
    }
}

impl DataFile {
    fn meta(&self) -> EngineResult<ObjectMeta> {
        Ok(ObjectMeta {
            location: StorePath::from_absolute_path(&self.path)
                .map_err(|wrong| DataFusionError::External(Box::new(wrong)))?,
            last_modified: (SystemTime::UNIX_EPOCH + self.modified).into(),
            size: self.bytes,
            e_tag: None,
            version: None,
        })
    }
}

/// The file with its size and age.
fn look(path: &Path) -> Result<DataFile> {
    let failed = |source| FrameError::File { path: path.to_owned(), source };
    let path_there = std::fs::canonicalize(path).map_err(failed)?;
    let metadata = std::fs::metadata(&path_there).map_err(failed)?;
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        .unwrap_or_default();
    Ok(DataFile { path: path_there, bytes: metadata.len(), modified, row_groups: Vec::new() })
}

/// The columns of a file in the types of relations.
fn schema_of(file: &DataFile, footer: &ParquetMetaData) -> Result<Schema> {
    let metadata = footer.file_metadata();
    let schema =
        parquet_to_arrow_schema(metadata.schema_descr(), metadata.key_value_metadata()).map_err(
            |wrong| FrameError::Corrupt { path: file.path.clone(), detail: wrong.to_string() },
        )?;
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let data_type =
                canonical(field.data_type()).unwrap_or_else(|| field.data_type().clone());
            Field::new(field.name(), data_type, field.is_nullable())
        })
        .collect();
    Ok(Schema::new(fields))
}

/// Whether two footers tell of the same columns in the same words.
fn same_schema(left: &ParquetMetaData, right: &ParquetMetaData) -> bool {
    let (left, right) = (left.file_metadata(), right.file_metadata());
    let words = |value: Option<&Vec<KeyValue>>| {
        let found = value?.iter().find(|pair| pair.key == ARROW_SCHEMA_META_KEY)?;
        found.value.clone()
    };
    left.schema_descr().root_schema() == right.schema_descr().root_schema()
        && words(left.key_value_metadata()) == words(right.key_value_metadata())
}

fn same_columns(first: &Path, left: &Schema, second: &Path, right: &Schema) -> Result<()> {
    let mismatch = |detail: String| {
        Err(FrameError::SchemaMismatch {
            first: first.to_owned(),
            second: second.to_owned(),
            detail,
        })
    };
    for field in left.fields() {
        match right.field_with_name(field.name()) {
            Err(_) => return mismatch(format!("the second has no column {:?}", field.name())),
            Ok(other) if other.data_type() != field.data_type() => {
                return mismatch(format!(
                    "column {:?} is {} in one and {} in the other",
                    field.name(),
                    field.data_type(),
                    other.data_type()
                ));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Adds up how many values of each column are missing, as far as the footer tells.
fn count_missing(schema: &Schema, footer: &ParquetMetaData, missing: &mut [Option<u64>]) {
    let columns = footer.file_metadata().schema_descr().columns();
    for (field, count) in schema.fields().iter().zip(missing) {
        let position = columns.iter().position(|column| {
            let parts = column.path().parts();
            parts.len() == 1 && parts[0] == *field.name()
        });
        let own = position.and_then(|position| {
            footer
                .row_groups()
                .iter()
                // What has no rows has no statistics either.
                .filter(|group| group.num_rows() > 0)
                .map(|group| group.column(position).statistics()?.null_count_opt())
                .try_fold(0, |sum, nulls| Some(sum + nulls?))
        });
        *count = count.zip(own).map(|(left, right)| left + right);
    }
}

/// The least and the greatest value of each column over all files, where they are stored as integers.
fn ranges(schema: &Schema, footers: &[Arc<ParquetMetaData>]) -> Vec<Option<(i64, i64)>> {
    let range = |name: &str| {
        let mut whole: Option<(i64, i64)> = None;
        for footer in footers {
            let columns = footer.file_metadata().schema_descr().columns();
            let position = columns.iter().position(|column| {
                let parts = column.path().parts();
                parts.len() == 1 && parts[0] == *name
            })?;
            for group in footer.row_groups() {
                let (least, most) = match group.column(position).statistics()? {
                    ParquetStatistics::Int32(values) => {
                        ((*values.min_opt()?).into(), (*values.max_opt()?).into())
                    }
                    ParquetStatistics::Int64(values) => (*values.min_opt()?, *values.max_opt()?),
                    _ => return None,
                };
                let (low, high) = whole.unwrap_or((least, most));
                whole = Some((low.min(least), high.max(most)));
            }
        }
        whole
    };
    let whole = |field: &Field| match field.data_type() {
        DataType::Timestamp(..) => true,
        other => other.is_signed_integer(),
    };
    schema
        .fields()
        .iter()
        .map(|field| if whole(field) { range(field.name()) } else { None })
        .collect()
}

fn check_pieces(files: &[DataFile], partitions: &[Vec<Piece>]) -> Result<()> {
    for piece in partitions.iter().flatten() {
        let fits = files.get(piece.file).is_some_and(|file| match piece.row_groups {
            None => true,
            Some((begin, end)) => begin <= end && end <= file.row_groups.len(),
        });
        if !fits {
            return Err(FrameError::Invalid {
                operation: "read_parquet",
                detail: format!(
                    "a partition asks for file {} and row groups {:?}, which are not there",
                    piece.file, piece.row_groups
                ),
            });
        }
    }
    Ok(())
}

/// A scan as DataFusion sees it. Its columns may hold NaN.
#[derive(Debug)]
pub(crate) struct ParquetTable {
    scan: ParquetScan,
    schema: SchemaRef,
    statistics: Statistics,
}

impl ParquetTable {
    pub(crate) fn new(scan: ParquetScan) -> Self {
        let fields: Vec<Field> = scan
            .schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let statistics = statistics(&scan, &schema);
        Self { scan, schema, statistics }
    }

    /// Rows of a file, without what is known of them.
    fn rows_of(&self, stretch: &Stretch) -> EngineResult<PartitionedFile> {
        let Some(file) = self.scan.files.get(stretch.file) else {
            return Err(DataFusionError::Internal("a piece of no file".into()));
        };
        let whole = PartitionedFile::new_from_meta(file.meta()?);
        if self.is_whole(stretch) {
            return Ok(whole);
        }
        let mut access = ParquetAccessPlan::new_none(file.row_groups.len());
        for Span { row_group, rows } in &stretch.spans {
            let all = file.row_groups.get(*row_group).copied().unwrap_or(rows.end);
            access.scan(*row_group);
            if *rows != (0..all) {
                let count = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
                let selection = RowSelection::from(vec![
                    RowSelector::skip(count(rows.start)),
                    RowSelector::select(count(rows.end - rows.start)),
                    RowSelector::skip(count(all - rows.end)),
                ]);
                access.scan_selection(*row_group, selection);
            }
        }
        Ok(whole.with_extension(access))
    }

    fn is_whole(&self, stretch: &Stretch) -> bool {
        self.scan.files.get(stretch.file).is_some_and(|file| {
            stretch.spans.len() == file.row_groups.len()
                && stretch.spans.iter().all(|span| {
                    span.rows.start == 0
                        && file.row_groups.get(span.row_group) == Some(&span.rows.end)
                })
        })
    }
}

/// The number of rows in the partitions of a scan.
fn rows(scan: &ParquetScan) -> u64 {
    let of_piece = |piece: &Piece| -> u64 {
        let Some(file) = scan.files.get(piece.file) else { return 0 };
        let (begin, end) = piece.row_groups.unwrap_or((0, file.row_groups.len()));
        file.row_groups.get(begin..end).unwrap_or_default().iter().sum()
    };
    scan.partitions.iter().flatten().map(of_piece).sum()
}

/// What the order of joins goes by.
fn statistics(scan: &ParquetScan, schema: &SchemaRef) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema);
    statistics.num_rows = Precision::Inexact(usize::try_from(rows(scan)).unwrap_or(usize::MAX));
    let bound = |field: &Field, value: i64| {
        let value = ScalarValue::Int64(Some(value)).cast_to(field.data_type());
        value.map_or(Precision::Absent, Precision::Inexact)
    };
    let columns = statistics.column_statistics.iter_mut();
    for ((own, field), range) in columns.zip(schema.fields()).zip(&scan.ranges) {
        if let Some((least, most)) = range {
            own.min_value = bound(field, *least);
            own.max_value = bound(field, *most);
        }
    }
    statistics
}

#[async_trait]
impl TableProvider for ParquetTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.statistics.clone())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let environment = state.runtime_env();
        let url = ObjectStoreUrl::local_filesystem();
        let store = environment.object_store(&url)?;
        let cache = environment.cache_manager.get_file_metadata_cache();

        let groups = groups::groups(&self.scan, state.config().target_partitions());
        let pieces = self.scan.joined_pieces();
        let whole = pieces.iter().all(|piece| piece.row_groups.is_none());
        let mut statistics = self.statistics.clone();
        let mut of_files = FxHashMap::default();
        if whole && pieces.len() <= FILES_WITH_STATISTICS {
            let mut all = Vec::with_capacity(pieces.len());
            for piece in &pieces {
                let Some(file) = self.scan.files.get(piece.file) else { continue };
                let footer = DFParquetMetadata::new(store.as_ref(), &file.meta()?)
                    .with_file_metadata_cache(Some(cache.clone()))
                    .fetch_metadata()
                    .await?;
                let own =
                    DFParquetMetadata::statistics_from_parquet_metadata(&footer, &self.schema)?;
                of_files.insert(piece.file, Arc::new(own.clone()));
                all.push(own);
            }
            if !all.is_empty() {
                statistics = Statistics::try_merge_iter(all.iter(), &self.schema)?;
            }
        } else {
            let rows = usize::try_from(rows(&self.scan)).unwrap_or(usize::MAX);
            statistics.num_rows = Precision::Exact(rows);
        }
        let groups = groups
            .iter()
            .map(|stretches| {
                let mut files = Vec::with_capacity(stretches.len());
                for stretch in stretches {
                    let mut file = self.rows_of(stretch)?;
                    file.statistics = of_files.get(&stretch.file).map(|own| {
                        // The bounds of a file are those of its parts too, but may be wider.
                        let parts = || Arc::new(Statistics::clone(own).to_inexact());
                        if self.is_whole(stretch) { own.clone() } else { parts() }
                    });
                    files.push(file);
                }
                Ok(FileGroup::new(files))
            })
            .collect::<EngineResult<Vec<_>>>()?;

        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let factory = Arc::new(LocalReads::new(store, cache));
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(factory);
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
