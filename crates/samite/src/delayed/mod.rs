//! Lazy values: functions are called later, in parallel, each at most once.
//!
//! [`delayed`] makes a [`Lazy`] from a closure; [`Lazy::map`], [`apply2`] and the others make
//! lazy values from lazy values; [`Lazy::compute`] runs what is needed, on all processors.
//!
//! ```
//! use samite::delayed::{apply2, delayed, join_all};
//!
//! let one = delayed(|| 1);
//! let two = one.map(|x| x + 1);
//! let sum = apply2(&one, &two, |a, b| a + b);
//! assert_eq!(*sum.compute()?, 3);
//!
//! let squares: Vec<_> = (0..10u64).map(|x| delayed(move || x * x)).collect();
//! let total = join_all(squares).map(|squares| squares.iter().map(|x| **x).sum::<u64>());
//! assert_eq!(*total.compute()?, 285);
//! # Ok::<(), samite::delayed::RuntimeError>(())
//! ```
//!
//! # Errors
//!
//! The `try_` forms take closures that return a `Result`. The error that comes out of
//! [`Lazy::compute`] names the task and those that waited for it, and still has the closure's own
//! error inside, with its type. A closure that panics is an error as well.
//!
//! ```
//! use samite::delayed::{RuntimeError, delayed};
//!
//! let text = delayed(|| "12x".to_owned()).named("read");
//! let number = text.try_map(|text| text.parse::<i32>()).named("parse");
//! let double = number.map(|number| number * 2).named("double");
//! let error = double.compute().unwrap_err();
//! assert!(error.to_string().starts_with("task parse failed (needed by double)"));
//! assert!(error.cause::<std::num::ParseIntError>().is_some());
//! ```
//!
//! # Memory
//!
//! A value is dropped when the last task that needs it has run. Values whose type is [`Stored`]
//! and that were marked with [`Lazy::stored`] are counted with their size, and go to disk while
//! memory is short; others count as the size of their type and stay.
//!
//! ```
//! use samite::delayed::{Scheduler, delayed, join_all};
//!
//! let blocks = (0..20).map(|x| delayed(move || vec![f64::from(x); 10_000]).stored());
//! let sums: Vec<_> = blocks.map(|block| block.map(|block| block.iter().sum::<f64>())).collect();
//! let total = join_all(sums).map(|sums| sums.iter().map(|sum| **sum).sum::<f64>());
//! let frugal = Scheduler::threads(2).memory_limit(400_000);
//! assert_eq!(*total.compute_with(&frugal)?, 1_900_000.0);
//! # Ok::<(), samite::delayed::RuntimeError>(())
//! ```

mod node;
mod scheduler;
mod stored;

use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

pub use samite_runtime::{OperationError, Progress, RuntimeError};

use self::node::{Node, hold, value_of};
pub use self::scheduler::{Running, Scheduler, compute_all};
pub use self::stored::Stored;
use samite_runtime::Value;

/// A value that will be computed when someone asks for it.
///
/// Cloning is cheap, and clones are the same value: it is computed once in a run, however many
/// need it.
pub struct Lazy<T> {
    node: Arc<Node>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        Self { node: Arc::clone(&self.node), kind: PhantomData }
    }
}

impl<T> std::fmt::Debug for Lazy<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Lazy({})", self.node.name())
    }
}

/// A lazy value from a function.
#[track_caller]
pub fn delayed<T, F>(function: F) -> Lazy<T>
where
    T: Send + Sync + 'static,
    F: Fn() -> T + Send + Sync + 'static,
{
    Lazy::new("delayed", Location::caller(), Vec::new(), move |_| Ok(function()))
}

/// A lazy value from a function that may fail.
#[track_caller]
pub fn try_delayed<T, E, F>(function: F) -> Lazy<T>
where
    T: Send + Sync + 'static,
    E: std::error::Error + Send + Sync + 'static,
    F: Fn() -> Result<T, E> + Send + Sync + 'static,
{
    Lazy::new("delayed", Location::caller(), Vec::new(), move |_| {
        function().map_err(OperationError::new)
    })
}

/// A lazy value that is there already.
#[track_caller]
pub fn value<T: Send + Sync + 'static>(value: T) -> Lazy<T> {
    Lazy::of_value("value", Location::caller(), hold(Arc::new(value)))
}

/// One lazy value of many: they are computed side by side.
#[track_caller]
pub fn join_all<T: Send + Sync + 'static>(
    parts: impl IntoIterator<Item = Lazy<T>>,
) -> Lazy<Vec<Arc<T>>> {
    let inputs = parts.into_iter().map(|part| part.node).collect();
    Lazy::new("join_all", Location::caller(), inputs, |values| {
        values.iter().map(value_of::<T>).collect()
    })
}

macro_rules! define_apply {
    ($name:ident, $try_name:ident, $count:literal, $($argument:ident: $type:ident = $place:literal),+) => {
        #[doc = concat!("A lazy value from a function of ", $count, " lazy values.")]
        #[track_caller]
        pub fn $name<$($type,)+ T, F>($($argument: &Lazy<$type>,)+ function: F) -> Lazy<T>
        where
            $($type: Send + Sync + 'static,)+
            T: Send + Sync + 'static,
            F: Fn($(&$type),+) -> T + Send + Sync + 'static,
        {
            let inputs = vec![$(Arc::clone(&$argument.node)),+];
            Lazy::new("apply", Location::caller(), inputs, move |values| {
                Ok(function($(&*value_of::<$type>(&values[$place])?),+))
            })
        }

        #[doc = concat!("A lazy value from a function of ", $count, " lazy values that may fail.")]
        #[track_caller]
        pub fn $try_name<$($type,)+ T, E, F>(
            $($argument: &Lazy<$type>,)+
            function: F,
        ) -> Lazy<T>
        where
            $($type: Send + Sync + 'static,)+
            T: Send + Sync + 'static,
            E: std::error::Error + Send + Sync + 'static,
            F: Fn($(&$type),+) -> Result<T, E> + Send + Sync + 'static,
        {
            let inputs = vec![$(Arc::clone(&$argument.node)),+];
            Lazy::new("apply", Location::caller(), inputs, move |values| {
                function($(&*value_of::<$type>(&values[$place])?),+).map_err(OperationError::new)
            })
        }
    };
}

define_apply!(apply2, try_apply2, "two", first: A = 0, second: B = 1);
define_apply!(apply3, try_apply3, "three", first: A = 0, second: B = 1, third: C = 2);
define_apply!(apply4, try_apply4, "four", first: A = 0, second: B = 1, third: C = 2, fourth: D = 3);

impl<T: Send + Sync + 'static> Lazy<T> {
    fn new(
        kind: &'static str,
        place: &'static Location<'static>,
        inputs: Vec<Arc<Node>>,
        operation: impl Fn(&[Value]) -> Result<T, OperationError> + Send + Sync + 'static,
    ) -> Self {
        let run = move |values: &[Value]| operation(values).map(|value| hold(Arc::new(value)));
        Self { node: Arc::new(Node::new(kind, place, inputs, run)), kind: PhantomData }
    }

    fn of_value(kind: &'static str, place: &'static Location<'static>, value: Value) -> Self {
        let run = move |_: &[Value]| Ok(Arc::clone(&value));
        Self { node: Arc::new(Node::new(kind, place, Vec::new(), run)), kind: PhantomData }
    }

    /// A lazy value from a function of this one.
    #[track_caller]
    pub fn map<U, F>(&self, function: F) -> Lazy<U>
    where
        U: Send + Sync + 'static,
        F: Fn(&T) -> U + Send + Sync + 'static,
    {
        Lazy::new("map", Location::caller(), vec![Arc::clone(&self.node)], move |values| {
            Ok(function(&*value_of::<T>(&values[0])?))
        })
    }

    /// A lazy value from a function of this one that may fail.
    #[track_caller]
    pub fn try_map<U, E, F>(&self, function: F) -> Lazy<U>
    where
        U: Send + Sync + 'static,
        E: std::error::Error + Send + Sync + 'static,
        F: Fn(&T) -> Result<U, E> + Send + Sync + 'static,
    {
        Lazy::new("map", Location::caller(), vec![Arc::clone(&self.node)], move |values| {
            function(&*value_of::<T>(&values[0])?).map_err(OperationError::new)
        })
    }

    /// The same value under a name, for errors and progress. Name a value before it is used: what
    /// was made from it before keeps using the nameless one.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        self.changed(|node| node.name = Some(name.into()))
    }

    /// The same value, whose function is called again so many times if it fails.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.changed(|node| node.options.retries = retries)
    }

    /// The same value, to be computed earlier than others of lower priority.
    #[must_use]
    pub fn priority(self, priority: i32) -> Self {
        self.changed(|node| node.options.priority = priority)
    }

    /// The same value, counted with its size and written to disk while memory is short.
    #[must_use]
    pub fn stored(self) -> Self
    where
        T: Stored,
    {
        self.changed(|node| {
            let run = Arc::clone(&node.run);
            node.run = Arc::new(move |values| Ok(stored::store(value_of::<T>(&run(values)?)?)));
        })
    }

    fn changed(mut self, change: impl FnOnce(&mut Node)) -> Self {
        let mut node = match Arc::try_unwrap(self.node) {
            Ok(node) => node,
            Err(shared) => shared.copied(),
        };
        change(&mut node);
        self.node = Arc::new(node);
        self
    }

    /// Computes the value on all processors.
    ///
    /// # Errors
    /// The first task that failed, and whatever else can end a run.
    pub fn compute(&self) -> Result<Arc<T>, RuntimeError> {
        self.compute_with(&Scheduler::default())
    }

    /// Computes the value as a [`Scheduler`] says.
    ///
    /// # Errors
    /// As [`Lazy::compute`].
    pub fn compute_with(&self, scheduler: &Scheduler) -> Result<Arc<T>, RuntimeError> {
        let mut values = compute_all(std::slice::from_ref(self), scheduler)?;
        values.pop().ok_or(RuntimeError::ResultTaken)
    }

    /// Computes the value and keeps it: a lazy value that is there already.
    ///
    /// # Errors
    /// As [`Lazy::compute`].
    #[track_caller]
    pub fn persist(&self, scheduler: &Scheduler) -> Result<Self, RuntimeError> {
        let place = Location::caller();
        let mut values = scheduler.run(&[Arc::clone(&self.node)])?;
        let value = values.pop().ok_or(RuntimeError::ResultTaken)?;
        let kept = Self::of_value("persist", place, value);
        Ok(kept.changed(|node| node.name = Some(self.node.name())))
    }

    /// Starts computing and returns at once.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(&self, scheduler: &Scheduler) -> Result<Running<T>, RuntimeError> {
        Running::start(Arc::clone(&self.node), scheduler)
    }
}
