//! As std's and tokio's, and under shuttle's control if shuttle runs the test.

use std::{
    future::Future,
    ops::{Deref, DerefMut},
    sync::{self, LockResult, PoisonError},
    time::Duration,
};

use shuttle::sync::atomic::{AtomicBool, Ordering};
use tokio::time::error::Elapsed;

fn by_shuttle() -> bool {
    shuttle::current::try_get_current_task().is_some()
}

/// std's mutex, behind one of shuttle's.
#[derive(Default)]
pub(crate) struct Mutex<T> {
    turn: shuttle::sync::Mutex<()>,
    inner: sync::Mutex<T>,
}

/// Both locks. The fields are dropped in this order.
pub(crate) struct MutexGuard<'a, T> {
    inner: sync::MutexGuard<'a, T>,
    _turn: Option<shuttle::sync::MutexGuard<'a, ()>>,
    _unlocked: Unlocked,
}

/// Lets another task go on right after the lock is free. shuttle itself does so only before.
struct Unlocked;

impl Drop for Unlocked {
    fn drop(&mut self) {
        if by_shuttle() && !std::thread::panicking() {
            AtomicBool::new(false).load(Ordering::SeqCst);
        }
    }
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { turn: shuttle::sync::Mutex::new(()), inner: sync::Mutex::new(value) }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let turn = || self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = by_shuttle().then(turn);
        let guard = |inner| MutexGuard { inner, _turn: turn, _unlocked: Unlocked };
        match self.inner.lock() {
            Ok(inner) => Ok(guard(inner)),
            Err(error) => Err(PoisonError::new(guard(error.into_inner()))),
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

pub(crate) fn spawn<F: Future<Output: Send + 'static> + Send + 'static>(task: F) {
    if by_shuttle() {
        drop(shuttle::future::spawn(task));
    } else {
        tokio::spawn(task);
    }
}

/// Under shuttle there is no time, so nothing comes too late.
pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    if by_shuttle() { Ok(future.await) } else { tokio::time::timeout(limit, future).await }
}
