//! Locks of the standard library without poisoning.
//!
//! The standard library's locks are used, not those of `parking_lot`: the latter park threads in
//! one table for the whole process, and a `fork` while a row of it is locked would leave the
//! child unable to wait for anything.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{self, PoisonError};
use std::time::Duration;

/// A mutex that a panic does not poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// The proof that a [`Mutex`] is locked.
pub(crate) type Guard<'lock, T> = sync::MutexGuard<'lock, T>;

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guard, unless someone holds the lock.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(sync::TryLockError::WouldBlock) => None,
        }
    }
}

/// A condition variable for [`Mutex`].
#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    pub(crate) fn wait<'lock, T>(&self, guard: Guard<'lock, T>) -> Guard<'lock, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wait_timeout<'lock, T>(
        &self,
        guard: Guard<'lock, T>,
        timeout: Duration,
    ) -> Guard<'lock, T> {
        self.0.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// A static that belongs to one process: after a `fork` the child starts with a fresh one and
/// leaves the old one alone, whose locks may have been held while forking.
pub(crate) struct PerProcess<T>(AtomicPtr<(u32, T)>);

impl<T: Default + Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// This process's instance, made at the first use.
    pub(crate) fn get(&self) -> &'static T {
        let process = std::process::id();
        loop {
            let current = self.0.load(Ordering::Acquire);
            if !current.is_null() {
                // SAFETY: the pointer came from Box::into_raw below and is never freed.
                let (owner, value) = unsafe { &*current };
                if *owner == process {
                    return value;
                }
            }
            let fresh = Box::into_raw(Box::new((process, T::default())));
            if self.0.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire).is_err()
            {
                // SAFETY: `fresh` was made above and nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}
