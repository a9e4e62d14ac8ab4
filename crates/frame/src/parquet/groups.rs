//! The rows of files in as many groups as there are threads.

use std::ops::Range;

use super::{ParquetScan, Piece};

/// A group has at least so many rows, or bytes.
const ROWS: u64 = 1 << 16;
const BYTES: u64 = 8 << 20;

/// Rows of a file: some of its row groups, and of the first and the last maybe not all rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) file: usize,
    pub(super) spans: Vec<Span>,
}

/// Rows of a row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) row_group: usize,
    pub(super) rows: Range<u64>,
}

/// All rows of a scan in their order, in at most `count` groups of about the same number of rows.
///
/// A row group may be cut. Both threads read its pages then, but each decodes those of its rows.
pub(super) fn groups(scan: &ParquetScan, count: usize) -> Vec<Vec<Stretch>> {
    let pieces = scan.joined_pieces();
    let spans: Vec<(usize, Span)> = pieces.iter().flat_map(|piece| spans(scan, piece)).collect();
    let total: u64 = spans.iter().map(|(_, span)| length(&span.rows)).sum();
    let bytes: u64 = pieces.iter().map(|piece| bytes(scan, piece)).sum();
    let most = (total / ROWS).max(bytes / BYTES).min(count as u64).min(total).max(1);
    // Cuts that are near the end of a row group are there.
    let near = total / most / 32;
    let mut found: Vec<Vec<Stretch>> = vec![Vec::new()];
    let (mut before, mut cuts) = (0, 1..most);
    let mut cut = cuts.next().map(|number| place(number, total, most));
    for (file, span) in spans {
        let (begin, end) = (before, before + length(&span.rows));
        let mut from = begin;
        while let Some(at) = cut.filter(|at| *at < end + near) {
            let at = if at < begin + near {
                begin
            } else if at + near > end {
                end
            } else {
                at
            };
            add(&mut found, file, &span, from - begin..at - begin);
            from = at;
            found.push(Vec::new());
            cut = cuts.next().map(|number| place(number, total, most));
        }
        add(&mut found, file, &span, from - begin..end - begin);
        before = end;
    }
    found.retain(|group| !group.is_empty());
    if found.is_empty() { vec![Vec::new()] } else { found }
}

fn place(number: u64, total: u64, count: u64) -> u64 {
    let place = u128::from(total) * u128::from(number) / u128::from(count);
    u64::try_from(place).unwrap_or(total)
}

/// Adds rows of a span, counted from its first, to the last group.
fn add(found: &mut [Vec<Stretch>], file: usize, span: &Span, rows: Range<u64>) {
    let Some(group) = found.last_mut().filter(|_| !rows.is_empty()) else { return };
    let span = Span {
        row_group: span.row_group,
        rows: span.rows.start + rows.start..span.rows.start + rows.end,
    };
    match group.last_mut() {
        Some(last) if last.file == file && last.goes_on_with(&span) => last.spans.push(span),
        _ => group.push(Stretch { file, spans: vec![span] }),
    }
}

impl Stretch {
    /// Whether a span comes after the last one: a file is read from its begin to its end.
    fn goes_on_with(&self, span: &Span) -> bool {
        self.spans.last().is_none_or(|last| last.row_group < span.row_group)
    }
}

fn spans(scan: &ParquetScan, piece: &Piece) -> Vec<(usize, Span)> {
    let Some(file) = scan.files.get(piece.file) else { return Vec::new() };
    let (begin, end) = piece.row_groups.unwrap_or((0, file.row_groups.len()));
    (begin..end)
        .filter_map(|row_group| {
            let rows = 0..*file.row_groups.get(row_group)?;
            Some((piece.file, Span { row_group, rows }))
        })
        .collect()
}

fn bytes(scan: &ParquetScan, piece: &Piece) -> u64 {
    let Some(file) = scan.files.get(piece.file) else { return 0 };
    let all = file.row_groups.len().max(1) as u64;
    piece.row_groups.map_or(file.bytes, |(begin, end)| file.bytes / all * (end - begin) as u64)
}

fn length(rows: &Range<u64>) -> u64 {
    rows.end - rows.start
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parquet::DataFile;

    fn scan(files: &[Vec<u64>], pieces: Vec<Vec<Piece>>) -> ParquetScan {
        let files: Vec<DataFile> = files
            .iter()
            .map(|row_groups| DataFile {
                path: "file".into(),
                bytes: row_groups.iter().sum::<u64>() * 8,
                modified: std::time::Duration::ZERO,
                row_groups: row_groups.clone(),
            })
            .collect();
        ParquetScan {
            files: files.into(),
            partitions: pieces,
            schema: std::sync::Arc::new(arrow::datatypes::Schema::empty()),
            ranges: Vec::new(),
            predicate: None,
        }
    }

    fn rows(groups: &[Vec<Stretch>]) -> Vec<(usize, usize, u64)> {
        let mut all = Vec::new();
        for stretch in groups.iter().flatten() {
            for span in &stretch.spans {
                let step = (length(&span.rows) / 7).max(1) as usize;
                let (first, last) = (span.rows.start, span.rows.end - 1);
                all.extend(
                    (first..last)
                        .step_by(step)
                        .chain([last])
                        .map(|row| (stretch.file, span.row_group, row)),
                );
            }
        }
        all
    }

    fn whole(files: usize) -> Vec<Vec<Piece>> {
        (0..files).map(|file| vec![Piece { file, row_groups: None }]).collect()
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_group_and_in_order(
            files in prop::collection::vec(prop::collection::vec(0u64..300_000, 0..6), 0..5),
            count in 1usize..9,
        ) {
            let scan = scan(&files, whole(files.len()));
            let found = groups(&scan, count);
            prop_assert!(found.len() <= count);
            let places = rows(&found);
            prop_assert!(places.is_sorted() && places.windows(2).all(|pair| pair[0] != pair[1]));
            let total: u64 = files.iter().flatten().sum();
            let of = |group: &Vec<Stretch>| -> u64 {
                group.iter().flat_map(|s| &s.spans).map(|span| length(&span.rows)).sum()
            };
            prop_assert_eq!(found.iter().map(of).sum::<u64>(), total);
            let share = total / found.len() as u64;
            if found.len() > 1 {
                prop_assert!(found.iter().all(|group| of(group) <= share + share / 8 + 2));
            }
        }
    }

    #[test]
    fn row_groups_are_cut_only_where_that_is_needed() {
        let even = scan(&[vec![500_000; 12].into_iter().chain([1215]).collect()], whole(1));
        let found = groups(&even, 2);
        assert_eq!(found[0][0].spans.len(), 6);
        assert_eq!(found[1][0].spans.len(), 7);
        let odd = groups(&scan(&[vec![500_000; 3]], whole(1)), 2);
        assert_eq!(odd[0][0].spans[1], Span { row_group: 1, rows: 0..250_000 });
        assert_eq!(odd[1][0].spans[0], Span { row_group: 1, rows: 250_000..500_000 });
        assert_eq!(groups(&scan(&[vec![1000; 3]], whole(1)), 2).len(), 1);
        assert_eq!(groups(&scan(&[], vec![]), 2), vec![Vec::new()]);
    }

    #[test]
    fn pieces_may_come_in_any_order() {
        let pieces = vec![
            vec![Piece { file: 0, row_groups: Some((2, 3)) }],
            vec![Piece { file: 0, row_groups: Some((0, 2)) }],
        ];
        let found = groups(&scan(&[vec![200_000; 3]], pieces), 1);
        let order: Vec<usize> =
            found[0].iter().flat_map(|s| &s.spans).map(|span| span.row_group).collect();
        assert_eq!(order, [2, 0, 1]);
        assert_eq!(found[0].len(), 2);
    }
}
