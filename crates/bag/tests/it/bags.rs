use std::collections::HashMap;

use samite_bag::{Bag, BagError};
use samite_runtime::Options;

fn numbers(partitions: usize) -> Bag<u64> {
    Bag::from_vec((0..1000).collect(), partitions).unwrap()
}

#[test]
fn closures_give_what_iterators_give() {
    for partitions in [1, 3, 7, 1000, 5000] {
        let bag =
            numbers(partitions).filter(|n| n % 3 == 0).map(|n| n * 2).flat_map(|n| [n, n + 1]);
        let expected: Vec<u64> =
            (0..1000).filter(|n| n % 3 == 0).map(|n| n * 2).flat_map(|n| [n, n + 1]).collect();
        for options in [Options::calling(), Options::pool(2)] {
            assert_eq!(bag.compute(options.clone()).unwrap(), expected);
            assert_eq!(bag.count(options.clone()).unwrap(), expected.len() as u64);
            let sum = bag.fold(|| 0, |sum, n| sum + n, |a, b| a + b, options).unwrap();
            assert_eq!(sum, expected.iter().sum::<u64>());
        }
    }
}

#[test]
fn keys() {
    let bag = numbers(7);
    let totals = bag
        .map(|n| (n % 10, n))
        .fold_by(|| 0, |sum, n| sum + n, |a, b| a + b, Options::pool(2))
        .unwrap();
    let mut expected = HashMap::new();
    for n in 0..1000u64 {
        *expected.entry(n % 10).or_insert(0) += n;
    }
    assert_eq!(totals, expected);
    let counts = bag.map(|n| n % 4).frequencies(Options::pool(2)).unwrap();
    assert_eq!(counts, (0..4).map(|n| (n, 250)).collect());
    assert_eq!(bag.topk(3, |n| n % 100, Options::pool(2)).unwrap(), [99, 199, 299]);
    assert_eq!(bag.topk(0, |n| *n, Options::pool(2)).unwrap(), []);
}

#[test]
fn empty_bags_and_wrong_ones() {
    let empty = Bag::<u64>::from_vec(Vec::new(), 3).unwrap();
    assert_eq!(empty.count(Options::pool(2)).unwrap(), 0);
    assert_eq!(empty.concat(&numbers(2)).count(Options::pool(2)).unwrap(), 1000);
    assert!(matches!(Bag::from_vec(vec![1], 0), Err(BagError::Parameter { .. })));
}

#[test]
fn a_closure_that_panics_is_an_error() {
    let bag = numbers(4).map(|n| if n == 700 { panic!("seven hundred") } else { n });
    let failed = bag.count(Options::pool(2)).unwrap_err();
    assert!(failed.to_string().contains("seven hundred"), "{failed}");
}
