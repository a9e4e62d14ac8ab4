//! Arrays of the `ndarray` crate in and out.

use ndarray::{Array2, Axis, ShapeBuilder, s};
use samite_array::{ArrayError, Chunk, DType, Expr, Reduction};

fn table() -> Array2<f64> {
    Array2::from_shape_fn((5, 7), |(row, column)| (10 * row + column) as f64)
}

#[test]
fn any_layout_comes_back() {
    let turned = {
        let mut turned = table();
        turned.invert_axis(Axis(0));
        turned.invert_axis(Axis(1));
        turned
    };
    let columns = Array2::from_shape_vec((5, 7).f(), (0..35).map(f64::from).collect()).unwrap();
    let empty = Array2::<f64>::zeros((0, 4));
    let part = table().slice_move(s![1..;2, ..;-3]);
    for array in [table(), turned, columns, table().reversed_axes(), empty, part] {
        let chunk = Chunk::from_ndarray(array.clone());
        assert_eq!((chunk.dtype(), chunk.shape()), (DType::F64, array.shape()));
        assert_eq!(chunk.as_ndarray::<f64>().unwrap(), array.clone().into_dyn());
        assert_eq!(chunk.to_ndarray::<f64>().unwrap(), array.into_dyn());
    }
}

#[test]
fn the_memory_is_the_arrays_own() {
    let array = table();
    let start = array.as_ptr();
    let chunk = Chunk::from_ndarray(array);
    assert_eq!(chunk.as_ptr(), start.cast());
    assert_eq!(chunk.as_ndarray::<f64>().unwrap().as_ptr(), start);
}

#[test]
fn another_dtype_is_refused() {
    let chunk = Chunk::from_ndarray(table());
    assert!(matches!(chunk.as_ndarray::<i64>(), Err(ArrayError::DTypes { .. })));
    assert!(matches!(chunk.to_ndarray::<f32>(), Err(ArrayError::DTypes { .. })));
}

#[test]
fn expressions_take_them() {
    let mut array = table();
    array.invert_axis(Axis(0));
    let wanted = array.sum_axis(Axis(0)).into_dyn();
    let sums = Expr::from_ndarray(array, &[2, 3]).unwrap();
    let sums = sums.reduce(Reduction::Sum, &[true, false], None, 0.0, &[]).unwrap();
    assert_eq!(sums.compute().unwrap().as_ndarray::<f64>().unwrap(), wanted);
}
