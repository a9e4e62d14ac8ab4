//! Values in parts: what a task of a shuffle makes, one part for each task that will read one.
//!
//! A part is bytes from the start. It is served, stored and read apart from the others, so that a
//! worker that needs one of a thousand parts gets only that one. The scheduler sees one value: when
//! its holder is lost, the task that made it runs again, as any other.

use std::any::Any;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use samite_runtime::Data;
use serde::{Deserialize, Serialize};

use crate::encoded::Encoded;

/// A value whose parts are read one by one.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Sorted by number.
    parts: Vec<(u32, Encoded)>,
    bytes: usize,
}

/// How the parts of a value are told apart among its frames.
#[derive(Serialize, Deserialize)]
struct Row {
    number: u32,
    kind: u8,
    frames: u32,
}

impl Parts {
    /// The kind of the encoding of a part that a value does not have.
    pub const ABSENT: u8 = u8::MAX;

    /// Parts by their numbers; of two with one number the last one stays.
    pub fn new(mut parts: Vec<(u32, Encoded)>) -> Self {
        parts.reverse();
        parts.sort_by_key(|(number, _)| *number);
        parts.dedup_by_key(|(number, _)| *number);
        let bytes = parts.iter().map(|(_, part)| part.nbytes()).sum();
        Self { parts, bytes }
    }

    /// A part; one of the kind [`ABSENT`](Self::ABSENT) where there is none.
    pub fn part(&self, number: u32) -> Encoded {
        match self.parts.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(place) => self.parts[place].1.clone(),
            Err(_) => Self::absent(),
        }
    }

    fn absent() -> Encoded {
        Encoded { kind: Self::ABSENT, frames: Vec::new() }
    }

    /// All parts, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Encoded)> {
        self.parts.iter().map(|(number, part)| (*number, part))
    }

    /// The whole value as one encoding of this kind.
    pub fn encode(&self, kind: u8) -> Encoded {
        let rows: Vec<Row> = self
            .iter()
            .map(|(number, part)| Row {
                number,
                kind: part.kind,
                frames: u32::try_from(part.frames.len()).unwrap_or(u32::MAX),
            })
            .collect();
        let head = postcard::to_allocvec(&rows).unwrap_or_default();
        let data = self.parts.iter().flat_map(|(_, part)| part.frames.iter().cloned());
        Encoded { kind, frames: std::iter::once(Bytes::from(head)).chain(data).collect() }
    }

    /// The value of what [`encode`](Self::encode) wrote; `None` where it is something else.
    pub fn decode(frames: &[Bytes]) -> Option<Self> {
        let (head, mut data) = frames.split_first()?;
        let rows: Vec<Row> = postcard::from_bytes(head).ok()?;
        let mut parts = Vec::new();
        for Row { number, kind, frames } in rows {
            let (mine, rest) = data.split_at_checked(frames as usize)?;
            parts.push((number, Encoded { kind, frames: mine.to_vec() }));
            data = rest;
        }
        data.is_empty().then(|| Self::new(parts))
    }
}

impl Data for Parts {
    fn nbytes(&self) -> usize {
        self.bytes
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The parts of a value in a file, each read by itself. The file has no name, so that nothing of it
/// stays behind.
pub(crate) struct PartsFile {
    file: File,
    /// Sorted by number.
    rows: Vec<Place>,
}

struct Place {
    number: u32,
    kind: u8,
    offset: u64,
    lengths: Box<[u64]>,
}

impl PartsFile {
    /// Writes all parts into a new file in a folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(parts: &Parts, folder: &Path) -> io::Result<Self> {
        static FILES: AtomicU64 = AtomicU64::new(0);
        let name = format!("parts-{}", FILES.fetch_add(1, Ordering::Relaxed));
        let path = folder.join(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        let mut writer = io::BufWriter::with_capacity(1 << 18, &file);
        let (mut rows, mut offset) = (Vec::with_capacity(parts.parts.len()), 0);
        for (number, part) in parts.iter() {
            let lengths: Box<[u64]> = part.frames.iter().map(|frame| frame.len() as u64).collect();
            for frame in &part.frames {
                writer.write_all(frame)?;
            }
            let bytes: u64 = lengths.iter().sum();
            rows.push(Place { number, kind: part.kind, offset, lengths });
            offset += bytes;
        }
        writer.flush()?;
        drop(writer);
        Ok(Self { file, rows })
    }

    /// Reads one part.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn part(&self, number: u32) -> io::Result<Encoded> {
        match self.rows.binary_search_by_key(&number, |row| row.number) {
            Ok(place) => self.read(&self.rows[place]),
            Err(_) => Ok(Parts::absent()),
        }
    }

    fn read(&self, row: &Place) -> io::Result<Encoded> {
        let mut offset = row.offset;
        let mut frames = Vec::with_capacity(row.lengths.len());
        for length in &row.lengths {
            let size = usize::try_from(*length).map_err(io::Error::other)?;
            let mut bytes = vec![0; size];
            self.file.read_exact_at(&mut bytes, offset)?;
            frames.push(Bytes::from(bytes));
            offset += length;
        }
        Ok(Encoded { kind: row.kind, frames })
    }

    /// Reads all parts.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn all(&self) -> io::Result<Parts> {
        let parts = self.rows.iter().map(|row| Ok((row.number, self.read(row)?)));
        Ok(Parts::new(parts.collect::<io::Result<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Parts {
        let part = |kind, frames: &[&'static [u8]]| Encoded {
            kind,
            frames: frames.iter().map(|frame| Bytes::from_static(frame)).collect(),
        };
        Parts::new(vec![(7, part(1, &[b"seven", b""])), (2, part(0, &[b"two"])), (3, part(4, &[]))])
    }

    #[test]
    fn parts_are_found_in_memory_in_an_encoding_and_in_a_file() {
        let whole = parts();
        assert_eq!(whole.nbytes(), 8);
        let encoded = whole.encode(9);
        let again = Parts::decode(&encoded.frames).expect("what was encoded is decoded");
        let folder = tempfile_folder();
        let file = PartsFile::write(&whole, &folder).expect("the folder can be written to");
        let read = file.all().expect("the file can be read");
        for number in 0..9 {
            let part = whole.part(number);
            assert_eq!(again.part(number), part);
            assert_eq!(read.part(number), part);
            assert_eq!(file.part(number).expect("the file can be read"), part);
            assert_eq!(part.kind == Parts::ABSENT, ![2, 3, 7].contains(&number));
        }
        std::fs::remove_dir(&folder).expect("the file of parts has no name");
    }

    #[test]
    fn frames_that_are_no_parts_are_refused() {
        let frames = parts().encode(0).frames;
        assert!(Parts::decode(&[]).is_none());
        assert!(Parts::decode(&frames[..frames.len() - 1]).is_none());
        assert!(Parts::decode(&[Bytes::from_static(b"\xff\xff\xff\xff\xff")]).is_none());
        let mut more = frames;
        more.push(Bytes::from_static(b"more"));
        assert!(Parts::decode(&more).is_none());
    }

    fn tempfile_folder() -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("samite-parts-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("temporary folders can be made");
        folder
    }
}
