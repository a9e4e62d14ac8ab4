//! Columns as numbers that stand for their sorted values, as levels of an index are kept.
//!
//! Groups by several keys come out in the order of the keys, and the keys become an index that has
//! each value once. Both are the same work: where every value has a number in the order of the
//! values, the numbers of a row are packed into one, rows are sorted by that, and no text is compared
//! or copied once more. The rows are all in memory, so that nothing of this is done within a budget.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int64Array, LargeStringArray, PrimitiveArray,
    UInt64Array, new_empty_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{
    ArrowDictionaryKeyType, ArrowNativeType, DataType, Field, Int8Type, Int16Type, Int32Type,
    Int64Type, Schema,
};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use rustc_hash::FxHashMap;

use crate::error::{FrameError, Result};
use crate::plan::{Operator, Plan};
use crate::run::{Batches, Work, side_by_side};
use crate::scalar::Scalar;

/// Whole numbers have a table of their range, if that is at most this many times their count.
const RANGE_OF_TABLE: usize = 4;
const SMALL_RANGE: usize = 1 << 16;
/// The upper bits of packed numbers by which rows are divided before they are sorted.
const UPPER_BITS: u32 = 11;
/// Pieces that are sorted side by side.
const PIECES: usize = 16;

/// How a plan is run whose rows come with such columns.
pub(crate) struct Coded {
    /// What gives the rows, without the order if that is to be made here.
    pub(crate) plan: Plan,
    columns: Vec<usize>,
    is_order: bool,
}

impl Coded {
    /// The way for the columns `names`, if they are of types that it knows.
    pub(crate) fn of(plan: &Plan, names: &[String]) -> Option<Self> {
        let schema = plan.schema();
        let columns: Option<Vec<usize>> =
            names.iter().map(|name| schema.index_of(name).ok()).collect();
        let columns = columns.filter(|columns| columns.len() > 1)?;
        if !columns.iter().all(|column| is_known(schema.field(*column).data_type())) {
            return None;
        }
        let unordered = without_order(plan, names);
        let is_order = unordered.is_some();
        Some(Self { plan: unordered.unwrap_or_else(|| plan.clone()), columns, is_order })
    }

    /// The rows, in their order.
    pub(crate) async fn coded(&self, found: Batches) -> Result<Batches> {
        let Batches { schema, batches } = found;
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let mut chunks: Vec<Vec<ArrayRef>> = vec![Vec::new(); schema.fields().len()];
        for batch in batches {
            for (chunks, column) in chunks.iter_mut().zip(batch.columns()) {
                chunks.push(column.clone());
            }
        }
        let work = self.columns.iter().map(|column| {
            let chunks = chunks.get_mut(*column).map(std::mem::take).unwrap_or_default();
            let data_type = schema.field(*column).data_type().clone();
            Box::new(move || Numbered::of(&chunks, &data_type)) as Work<Numbered>
        });
        let levels: Arc<Vec<Numbered>> = Arc::new(side_by_side(work.collect()).await?);
        let sorted = match self.is_order {
            true => Some(Arc::new(sorted(levels.clone(), rows).await?)),
            false => None,
        };
        let work = schema.fields().iter().enumerate().map(|(column, field)| {
            let (levels, sorted) = (levels.clone(), sorted.clone());
            let chunks = std::mem::take(&mut chunks[column]);
            let data_type = field.data_type().clone();
            let level = self.columns.iter().position(|own| *own == column);
            Box::new(move || match level {
                Some(level) => column_of_codes(&levels, level, sorted.as_deref()),
                None => column_of_values(&chunks, &data_type, sorted.as_deref()),
            }) as Work<ArrayRef>
        });
        let columns = side_by_side(work.collect()).await?;
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .zip(&columns)
            .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &options)?;
        Ok(Batches { schema, batches: vec![batch] })
    }
}

fn is_known(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::Date32 | DataType::Timestamp(..) => true,
        DataType::UInt64 => false,
        other => other.is_integer(),
    }
}

/// The plan without the order of its rows, if they are sorted by the columns `names`.
fn without_order(plan: &Plan, names: &[String]) -> Option<Plan> {
    let Operator::Project { input, columns } = plan.operator() else { return None };
    let Operator::Sort { input: rows, keys, limit: None, stable: false } = input.operator() else {
        return None;
    };
    let is_key = |name: &String, key: &str| {
        columns.iter().any(|(own, value)| {
            own == name && matches!(value, Scalar::Column(column) if column == key)
        })
    };
    let by_names = keys.len() == names.len()
        && keys
            .iter()
            .zip(names)
            .all(|(key, name)| !key.descending && !key.missing_first && is_key(name, &key.column));
    if by_names { rows.clone().project(columns.clone()).ok() } else { None }
}

/// A column whose values have numbers in their order; a missing one has the number after them.
struct Numbered {
    codes: Vec<u32>,
    values: ArrayRef,
}

impl Numbered {
    fn of(chunks: &[ArrayRef], data_type: &DataType) -> Result<Self> {
        match data_type {
            DataType::Utf8View => of_texts(chunks),
            _ => of_numbers(chunks, data_type),
        }
    }

    /// Bits of its numbers.
    fn bits(&self) -> u32 {
        usize::BITS - self.values.len().leading_zeros()
    }
}

fn too_many() -> FrameError {
    FrameError::Invalid {
        operation: "an index of several levels",
        detail: "a level has more than 4 billion different values".into(),
    }
}

/// Gives numbers by which values were met the places of the values in their order. `order` are the
/// numbers in this order.
fn placed(codes: &mut [u32], order: &[u32]) -> Result<()> {
    let count = u32::try_from(order.len()).map_err(|_| too_many())?;
    let mut places = vec![0; order.len()];
    for (place, number) in (0..count).zip(order) {
        places[*number as usize] = place;
    }
    for code in codes {
        // What is missing has no place among the values.
        *code = places.get(*code as usize).copied().unwrap_or(count);
    }
    Ok(())
}

const MISSING: u32 = u32::MAX;

fn of_texts(chunks: &[ArrayRef]) -> Result<Numbered> {
    // A short text is the whole of its view.
    const INLINE: u32 = 12;
    let mut short: FxHashMap<u128, u32> = FxHashMap::default();
    let mut long: FxHashMap<&str, u32> = FxHashMap::default();
    let mut values: Vec<&str> = Vec::new();
    let mut codes = Vec::with_capacity(chunks.iter().map(|chunk| chunk.len()).sum());
    for chunk in chunks {
        let texts = chunk.as_string_view();
        for (row, view) in texts.views().iter().enumerate() {
            if texts.is_null(row) {
                codes.push(MISSING);
                continue;
            }
            let next = u32::try_from(values.len()).ok().filter(|next| *next < MISSING);
            let next = next.ok_or_else(too_many)?;
            let code = if *view as u32 <= INLINE {
                *short.entry(*view).or_insert(next)
            } else {
                *long.entry(texts.value(row)).or_insert(next)
            };
            if code == next {
                values.push(texts.value(row));
            }
            codes.push(code);
        }
    }
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_unstable_by_key(|number| values[*number as usize]);
    placed(&mut codes, &order)?;
    let values = order.iter().map(|number| values[*number as usize]);
    Ok(Numbered { codes, values: Arc::new(LargeStringArray::from_iter_values(values)) })
}

fn of_numbers(chunks: &[ArrayRef], data_type: &DataType) -> Result<Numbered> {
    let wide = |chunk: &ArrayRef| Ok(cast(chunk, &DataType::Int64)?);
    let chunks = chunks.iter().map(wide).collect::<Result<Vec<ArrayRef>>>()?;
    let chunks: Vec<&Int64Array> = chunks.iter().map(|chunk| chunk.as_primitive()).collect();
    let rows: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let present = || chunks.iter().flat_map(|chunk| chunk.iter());
    let least = chunks.iter().filter_map(|chunk| arrow::compute::min(chunk)).min().unwrap_or(0);
    let most = chunks.iter().filter_map(|chunk| arrow::compute::max(chunk)).max().unwrap_or(0);
    let range = usize::try_from(i128::from(most) - i128::from(least)).unwrap_or(usize::MAX);
    let place = |value: i64| value.wrapping_sub(least) as u64 as usize;
    let mut values = Vec::new();
    let codes = if range < SMALL_RANGE.max(rows.saturating_mul(RANGE_OF_TABLE)) {
        let mut places = vec![MISSING; range + 1];
        for chunk in &chunks {
            match chunk.nulls() {
                None => chunk.values().iter().for_each(|value| places[place(*value)] = 0),
                Some(_) => chunk.iter().flatten().for_each(|value| places[place(value)] = 0),
            }
        }
        for (value, found) in (least..=most).zip(&mut places) {
            if *found != MISSING {
                *found = u32::try_from(values.len()).map_err(|_| too_many())?;
                values.push(value);
            }
        }
        let missing = u32::try_from(values.len()).map_err(|_| too_many())?;
        let mut codes = Vec::with_capacity(rows);
        for chunk in &chunks {
            match chunk.nulls() {
                None => codes.extend(chunk.values().iter().map(|value| places[place(*value)])),
                Some(_) => codes.extend(
                    chunk.iter().map(|value| value.map_or(missing, |value| places[place(value)])),
                ),
            }
        }
        codes
    } else {
        let mut numbers: FxHashMap<i64, u32> = FxHashMap::default();
        let mut met = Vec::new();
        let mut codes = Vec::with_capacity(rows);
        for value in present() {
            let Some(value) = value else {
                codes.push(MISSING);
                continue;
            };
            let next = u32::try_from(met.len()).ok().filter(|next| *next < MISSING);
            let next = next.ok_or_else(too_many)?;
            let code = *numbers.entry(value).or_insert(next);
            if code == next {
                met.push(value);
            }
            codes.push(code);
        }
        let mut order: Vec<u32> = (0..met.len() as u32).collect();
        order.sort_unstable_by_key(|number| met[*number as usize]);
        placed(&mut codes, &order)?;
        values.extend(order.iter().map(|number| met[*number as usize]));
        codes
    };
    Ok(Numbered { codes, values: cast(&Int64Array::from(values), data_type)? })
}

/// Rows in the order of their numbers.
struct Sorted {
    /// The packed numbers of each row, and where it was.
    pieces: Vec<Vec<(u64, u64)>>,
    rows: UInt64Array,
    /// Where the numbers of a level are in a packed one, and how many bits they have.
    packed: Vec<(u32, u32)>,
}

async fn sorted(levels: Arc<Vec<Numbered>>, rows: usize) -> Result<Sorted> {
    let mut packed = Vec::new();
    let mut bits = 0;
    for level in levels.iter() {
        if bits + level.bits() > u64::BITS {
            break;
        }
        bits += level.bits();
        packed.push((0, level.bits()));
    }
    let mut shift = bits;
    for (place, bits) in &mut packed {
        shift -= *bits;
        *place = shift;
    }
    let mut keys = vec![0_u64; rows];
    for ((shift, _), level) in packed.iter().zip(levels.iter()) {
        for (key, code) in keys.iter_mut().zip(&level.codes) {
            *key |= u64::from(*code).checked_shl(*shift).unwrap_or(0);
        }
    }
    // Rows go to pieces of neighbouring buckets, each of which holds one value of the upper bits.
    let lower = bits.saturating_sub(UPPER_BITS);
    let bucket = |key: u64| (key >> lower) as usize;
    let mut counts = vec![0_usize; 1 << UPPER_BITS];
    keys.iter().for_each(|key| counts[bucket(*key)] += 1);
    let (mut places, mut ends) = (Vec::with_capacity(counts.len()), vec![Vec::new()]);
    let (mut piece, mut length) = (0, 0);
    for count in &counts {
        if length > rows / PIECES {
            (piece, length) = (piece + 1, 0);
            ends.push(Vec::new());
        }
        places.push((piece, length));
        length += count;
        ends[piece].push(length);
    }
    let lengths = ends.iter().map(|ends| ends.last().copied().unwrap_or(0));
    let mut pieces: Vec<Vec<(u64, u64)>> = lengths.map(|length| vec![(0, 0); length]).collect();
    for (row, key) in keys.iter().enumerate() {
        let (piece, place) = &mut places[bucket(*key)];
        pieces[*piece][*place] = (*key, row as u64);
        *place += 1;
    }
    drop(keys);
    let first = packed.len();
    let work = pieces.into_iter().zip(ends).map(|(mut piece, ends)| {
        let levels = levels.clone();
        Box::new(move || {
            let rest = levels.get(first..).unwrap_or_default();
            let mut begin = 0;
            for end in ends {
                let bucket = piece.get_mut(begin..end).unwrap_or_default();
                if rest.is_empty() {
                    bucket.sort_unstable();
                } else {
                    let others = |row: u64| rest.iter().map(move |each| each.codes[row as usize]);
                    bucket.sort_unstable_by(|(left, mine), (right, theirs)| {
                        left.cmp(right).then_with(|| others(*mine).cmp(others(*theirs)))
                    });
                }
                begin = end;
            }
            Ok(piece)
        }) as Work<Vec<(u64, u64)>>
    });
    let pieces = side_by_side(work.collect()).await?;
    let mut order = Vec::with_capacity(rows);
    pieces.iter().for_each(|piece| order.extend(piece.iter().map(|(_, row)| *row)));
    Ok(Sorted { pieces, rows: UInt64Array::from(order), packed })
}

/// The numbers of a level as a dictionary of its values, in the width that their count needs.
fn column_of_codes(levels: &[Numbered], level: usize, sorted: Option<&Sorted>) -> Result<ArrayRef> {
    let Some(own) = levels.get(level) else {
        return Err(FrameError::Invalid {
            operation: "an index of several levels",
            detail: format!("there is no level {level}"),
        });
    };
    match own.values.len() {
        count if count < i8::MAX as usize => in_width::<Int8Type>(own, level, sorted),
        count if count < i16::MAX as usize => in_width::<Int16Type>(own, level, sorted),
        count if count < i32::MAX as usize => in_width::<Int32Type>(own, level, sorted),
        _ => in_width::<Int64Type>(own, level, sorted),
    }
}

fn in_width<T: ArrowDictionaryKeyType>(
    own: &Numbered,
    level: usize,
    sorted: Option<&Sorted>,
) -> Result<ArrayRef> {
    let count = own.values.len();
    let mut codes = Vec::with_capacity(own.codes.len());
    let mut missing = false;
    let mut add = |code: usize| {
        missing |= code == count;
        codes.push(T::Native::usize_as(code));
    };
    match sorted.map(|sorted| (sorted, sorted.packed.get(level))) {
        None => own.codes.iter().for_each(|code| add(*code as usize)),
        Some((sorted, Some((shift, bits)))) => {
            let mask = 1_u64.checked_shl(*bits).map_or(u64::MAX, |above| above - 1);
            for (key, _) in sorted.pieces.iter().flatten() {
                add((key.checked_shr(*shift).unwrap_or(0) & mask) as usize);
            }
        }
        Some((sorted, None)) => {
            sorted.rows.values().iter().for_each(|row| add(own.codes[*row as usize] as usize));
        }
    }
    let nulls = missing.then(|| {
        codes.iter().map(|code: &T::Native| code.as_usize() < count).collect::<NullBuffer>()
    });
    let codes = PrimitiveArray::<T>::new(codes.into(), nulls);
    Ok(Arc::new(DictionaryArray::try_new(codes, own.values.clone())?))
}

fn column_of_values(
    chunks: &[ArrayRef],
    data_type: &DataType,
    sorted: Option<&Sorted>,
) -> Result<ArrayRef> {
    let parts: Vec<&dyn Array> = chunks.iter().map(AsRef::as_ref).collect();
    let whole = match parts.is_empty() {
        true => new_empty_array(data_type),
        false => concat(&parts)?,
    };
    Ok(match sorted {
        Some(sorted) => take(&whole, &sorted.rows, None)?,
        None => whole,
    })
}
