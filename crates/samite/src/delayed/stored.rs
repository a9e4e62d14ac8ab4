//! Values that know their size and can go to disk.

use std::any::Any;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::sync::Arc;

use samite_runtime::{Data, OperationError, Restore, SpillError, Value};

/// A type whose values can be counted and written to disk; see [`Lazy::stored`](super::Lazy::stored).
///
/// ```
/// use std::io::{self, Read, Write};
/// use samite::delayed::Stored;
///
/// struct Table { columns: Vec<Vec<f64>> }
///
/// impl Stored for Table {
///     fn nbytes(&self) -> usize {
///         self.columns.iter().map(Stored::nbytes).sum()
///     }
///     fn write(&self, sink: &mut dyn Write) -> io::Result<()> {
///         self.columns.len().write(sink)?;
///         self.columns.iter().try_for_each(|column| column.write(sink))
///     }
///     fn read(source: &mut dyn Read) -> io::Result<Self> {
///         let count = usize::read(source)?;
///         let columns = (0..count).map(|_| Vec::read(source)).collect::<Result<_, _>>()?;
///         Ok(Self { columns })
///     }
/// }
///
/// let table = Table { columns: vec![vec![1.0, 2.0], vec![]] };
/// let mut bytes = Vec::new();
/// table.write(&mut bytes)?;
/// assert_eq!(Table::read(&mut &bytes[..])?.columns, table.columns);
/// # Ok::<(), io::Error>(())
/// ```
pub trait Stored: Sized + Send + Sync + 'static {
    /// The bytes that dropping the value would give back.
    fn nbytes(&self) -> usize;

    /// Writes the value.
    ///
    /// # Errors
    /// Those of the sink.
    fn write(&self, sink: &mut dyn Write) -> io::Result<()>;

    /// Reads what [`Stored::write`] wrote.
    ///
    /// # Errors
    /// Those of the source, and [`io::ErrorKind::InvalidData`] for what is no such value.
    fn read(source: &mut dyn Read) -> io::Result<Self>;
}

macro_rules! store_numbers {
    ($($number:ty),+) => {$(
        impl Stored for $number {
            fn nbytes(&self) -> usize {
                size_of::<Self>()
            }

            fn write(&self, sink: &mut dyn Write) -> io::Result<()> {
                sink.write_all(&self.to_le_bytes())
            }

            fn read(source: &mut dyn Read) -> io::Result<Self> {
                let mut bytes = [0; size_of::<Self>()];
                source.read_exact(&mut bytes)?;
                Ok(Self::from_le_bytes(bytes))
            }
        }
    )+};
}

store_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64);

impl<T: Stored> Stored for Vec<T> {
    fn nbytes(&self) -> usize {
        size_of::<Self>() + self.iter().map(Stored::nbytes).sum::<usize>()
    }

    fn write(&self, sink: &mut dyn Write) -> io::Result<()> {
        self.len().write(sink)?;
        // Elements are small; the sink is better served with large pieces.
        let mut sink = io::BufWriter::with_capacity(1 << 16, sink);
        self.iter().try_for_each(|element| element.write(&mut sink))?;
        sink.flush()
    }

    fn read(source: &mut dyn Read) -> io::Result<Self> {
        let length = usize::read(source)?;
        // A broken length must not take all memory at once.
        let mut elements = Self::with_capacity(length.min(1 << 20));
        for _ in 0..length {
            elements.push(T::read(source)?);
        }
        Ok(elements)
    }
}

impl Stored for String {
    fn nbytes(&self) -> usize {
        size_of::<Self>() + self.len()
    }

    fn write(&self, sink: &mut dyn Write) -> io::Result<()> {
        self.len().write(sink)?;
        sink.write_all(self.as_bytes())
    }

    fn read(source: &mut dyn Read) -> io::Result<Self> {
        let length = usize::read(source)? as u64;
        let mut text = Self::new();
        let got = source.take(length).read_to_string(&mut text)?;
        if got as u64 == length { Ok(text) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// A value that can be spilled.
struct Kept<T>(Arc<T>);

pub(super) fn store<T: Stored>(value: Arc<T>) -> Value {
    Arc::new(Kept(value))
}

impl<T: Stored> Data for Kept<T> {
    fn nbytes(&self) -> usize {
        self.0.nbytes()
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn spill(&self, sink: &mut dyn Write) -> Result<Box<dyn Restore>, SpillError> {
        // Someone else holds the value too: dropping it here would give nothing back.
        if Arc::strong_count(&self.0) > 1 {
            return Err(SpillError::Refused);
        }
        self.0.write(sink)?;
        Ok(Box::new(Reader::<T>(PhantomData)))
    }
}

struct Reader<T>(PhantomData<fn() -> T>);

impl<T: Stored> Restore for Reader<T> {
    fn restore(&self, source: &mut dyn Read) -> Result<Value, OperationError> {
        T::read(source).map(|value| store(Arc::new(value))).map_err(OperationError::new)
    }
}
