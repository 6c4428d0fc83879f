//! A watch that is begun anew when it has been quiet for long: it may be connected and say nothing.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tokio::time::timeout;

use crate::jitter::jitter;

/// The items of the streams that `begin` returns: of the next one when the current one ends, or yields nothing for
/// `quiet` and up to `more`, so that many agents do not list at the same time. After an error it is `quiet_after_error`: a
/// watch that resumes where it was yields nothing, and no one knows whether it is in order.
pub(super) fn relisting<S, T, E>(
    begin: impl Fn() -> S,
    quiet: Duration,
    more: Duration,
    quiet_after_error: Duration,
) -> impl Stream<Item = Result<T, E>>
where
    S: Stream<Item = Result<T, E>> + Unpin,
{
    let first = begin();
    stream::unfold((first, begin, false), move |(mut current, begin, failed)| async move {
        loop {
            let most = if failed { quiet_after_error } else { quiet + more.mul_f64(jitter()) };
            if let Ok(Some(item)) = timeout(most, current.next()).await {
                let failed = item.is_err();
                return Some((item, (current, begin, failed)));
            }
            current = begin();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream::BoxStream;
    use std::{
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::SeqCst},
        },
    };
    use tokio::time::{Instant, sleep};

    /// A stream that yields its number at once and, as an error, after 100 s, and then nothing.
    fn numbered(count: &Arc<AtomicUsize>) -> impl Fn() -> BoxStream<'static, Result<usize, usize>> {
        let count = Arc::clone(count);
        move || {
            let number = count.fetch_add(1, SeqCst);
            let later = stream::once(async move {
                sleep(Duration::from_secs(100)).await;
                Err(number)
            });
            stream::iter([Ok(number)]).chain(later).chain(stream::pending()).boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_is_begun_anew_and_sooner_after_an_error() {
        let begun = Arc::new(AtomicUsize::new(0));
        let (quiet, soon) = (Duration::from_secs(150), Duration::from_secs(10));
        let mut items = pin!(relisting(numbered(&begun), quiet, Duration::ZERO, soon));
        let started = Instant::now();
        for (item, seconds) in [(Ok(0), 0), (Err(0), 100), (Ok(1), 110), (Err(1), 210)] {
            assert_eq!(items.next().await, Some(item));
            assert_eq!(started.elapsed().as_secs(), seconds);
        }
        let mut items = pin!(relisting(numbered(&begun), Duration::from_secs(50), quiet, soon));
        items.next().await;
        let started = Instant::now();
        while begun.load(SeqCst) < 4 {
            let _ = timeout(Duration::from_secs(1), items.next()).await;
        }
        assert!((50..=210).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    }
}
