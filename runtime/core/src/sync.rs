//! The locks of this crate.
//!
//! A lock of the standard library is poisoned when a thread panics while it holds it, and each later use has to say what it
//! makes of that. Here it means nothing: what the locks of this crate protect is whole between any two statements, and a panic
//! of a handler, which is caught and costs its call alone, must not cost every later call as well. So these locks cannot be
//! poisoned, like those of `parking_lot`, which would add five crates to a build of core.

use std::sync::{PoisonError, RwLockReadGuard, RwLockWriteGuard};

pub(crate) use std::sync::MutexGuard;

/// As [`std::sync::Mutex`], never poisoned.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T: ?Sized>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    /// Blocks until this thread holds the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As [`std::sync::RwLock`], never poisoned.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T: ?Sized>(std::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::RwLock::new(value))
    }

    /// Blocks until no thread writes.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until this thread alone holds the lock.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_panic_of_its_holder_leaves_a_lock_as_usable_as_before() {
        let (mutex, rw_lock) = (Mutex::new(1), RwLock::new(1));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = (mutex.lock(), rw_lock.write());
            panic!("as the test wants");
        }));
        assert!(panicked.is_err());
        *mutex.lock() += 1;
        *rw_lock.write() += 1;
        assert_eq!((*mutex.lock(), *rw_lock.read()), (2, 2));
    }
}
