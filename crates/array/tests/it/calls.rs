//! Functions that the engine does not look into: calls, and sources that read what is wanted.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use samite_array::{
    AxisMap, BlockFunction, Chunk, DType, Expr, Grid, Labels, Offsets, Operand, Scalar, Ufunc,
    compute,
};
use samite_runtime::{OperationError, Options, Value};

/// Doubles the elements of its only input, and counts how often it is called.
struct Double(Arc<Mutex<usize>>);

impl BlockFunction for Double {
    fn run(&self, _position: &[u32], inputs: &mut Vec<Value>) -> Result<Value, OperationError> {
        *self.0.lock() += 1;
        let block = Chunk::of(&inputs[0]).unwrap();
        let doubled: Vec<f64> = block.to_vec::<f64>().unwrap().iter().map(|x| x * 2.0).collect();
        Ok(Arc::new(Chunk::from_slice(block.shape(), &doubled).unwrap()))
    }

    fn guarded(&self) -> bool {
        false
    }

    fn token(&self) -> u128 {
        7
    }

    fn name(&self) -> String {
        "double".into()
    }
}

type Read = Arc<Mutex<Vec<Range<usize>>>>;

/// The numbers from zero on, of which it notes what is read.
struct Numbers {
    start: usize,
    offsets: Offsets,
    read: Read,
}

impl Numbers {
    fn array(grid: &Grid, read: &Read) -> Expr {
        let function = Self { start: 0, offsets: Offsets::of(grid), read: Arc::clone(read) };
        let labels = Labels::from_slice(&[0]);
        Expr::call(Arc::new(function), Vec::new(), labels, DType::F64, grid.clone()).unwrap()
    }
}

impl BlockFunction for Numbers {
    fn run(&self, position: &[u32], _inputs: &mut Vec<Value>) -> Result<Value, OperationError> {
        let part = self.offsets.region(position)[0].clone();
        let part = self.start + part.start..self.start + part.end;
        self.read.lock().push(part.clone());
        let elements: Vec<f64> = part.map(|number| number as f64).collect();
        Ok(Arc::new(Chunk::from_slice(&[elements.len()], &elements).unwrap()))
    }

    fn guarded(&self) -> bool {
        false
    }

    fn select(&self, maps: &[AxisMap], grid: &Grid) -> Option<Arc<dyn BlockFunction>> {
        let run = maps[0].single().filter(|run| run.step == 1)?;
        Some(Arc::new(Self {
            start: self.start + run.start,
            offsets: Offsets::of(grid),
            read: Arc::clone(&self.read),
        }))
    }

    fn token(&self) -> u128 {
        9 + self.start as u128
    }

    fn name(&self) -> String {
        "numbers".into()
    }
}

fn numbers(chunk: &Chunk) -> Vec<f64> {
    chunk.to_vec::<f64>().unwrap()
}

fn grid(sizes: &[usize]) -> Grid {
    Grid::new([sizes.into()])
}

fn slice(input: &Expr, start: usize, step: isize, len: usize, cut: &[usize]) -> Expr {
    input.gather([AxisMap::strided(start, step, len)].into_iter().collect(), grid(cut)).unwrap()
}

#[test]
fn a_source_reads_what_is_wanted_as_it_is_cut() {
    let read = Read::default();
    let source = Numbers::array(&grid(&[4, 4, 4]), &read);
    let more = Expr::map(
        Ufunc::Add,
        None,
        vec![Operand::Array(source), Operand::Scalar(Scalar::new(1.0))],
    )
    .unwrap();
    assert!(more.has_calls());
    let part = slice(&more, 3, 1, 6, &[1, 4, 1]);
    let found = compute(&[part], Options::pool(2)).unwrap();
    assert_eq!(numbers(&found[0]), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    let mut parts = read.lock().clone();
    parts.sort_by_key(|part| part.start);
    assert_eq!(parts, [3..4, 4..8, 8..9]);

    // Another cut of the part is made of these blocks, and of none that are read anew.
    read.lock().clear();
    let again = slice(&slice(&more, 3, 1, 6, &[1, 4, 1]), 0, 1, 6, &[3, 3]);
    let found = compute(&[again], Options::pool(2)).unwrap();
    assert_eq!(numbers(&found[0]), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    assert_eq!(read.lock().iter().map(Range::len).sum::<usize>(), 6);
}

#[test]
fn a_source_that_cannot_skip_is_read_by_blocks() {
    let read = Read::default();
    let source = Numbers::array(&grid(&[4, 4, 4]), &read);
    let found = compute(&[slice(&source, 11, -3, 4, &[4])], Options::pool(1)).unwrap();
    assert_eq!(numbers(&found[0]), [11.0, 8.0, 5.0, 2.0]);
    assert!(read.lock().iter().all(|part| part.len() == 4));
}

#[test]
fn what_is_asked_for_twice_is_computed_once() {
    let calls = Arc::new(Mutex::new(0));
    let input = Expr::iota(Scalar::new(0.0), Scalar::new(1.0), grid(&[3, 3])).unwrap();
    let labels = || Labels::from_slice(&[0]);
    let call = |calls: &Arc<Mutex<usize>>| {
        let function = Arc::new(Double(Arc::clone(calls)));
        let inputs = vec![(input.clone(), labels())];
        Expr::call(function, inputs, labels(), DType::F64, input.grid().clone()).unwrap()
    };
    let (one, two) = (call(&calls), call(&calls));
    let found = compute(&[one.clone(), two, one], Options::pool(2)).unwrap();
    assert_eq!(*calls.lock(), 2);
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|chunk| numbers(chunk) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]));
}

#[test]
fn cuts_follow_those_of_the_input() {
    let map = AxisMap::strided(3, 1, 6);
    assert_eq!(map.cut(&[4, 4, 4]), [1, 4, 1]);
    assert_eq!(AxisMap::strided(11, -3, 4).cut(&[4, 4, 4]), [2, 1, 1]);
    assert_eq!(AxisMap::identity(5).cut(&[2, 0, 3]), [2, 3]);
    assert_eq!(AxisMap::identity(0).cut(&[0]), [0]);
}
