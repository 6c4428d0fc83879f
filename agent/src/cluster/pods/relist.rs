//! A watch that is begun anew when it has been quiet for long: it may be connected and say nothing.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tokio::time::timeout;

/// The items of the streams that `begin` returns: of the next one when the current one ends, or yields nothing for
/// `quiet`.
pub(super) fn relisting<S: Stream + Unpin>(
    begin: impl Fn() -> S,
    quiet: Duration,
) -> impl Stream<Item = S::Item> {
    let first = begin();
    stream::unfold((first, begin), move |(mut current, begin)| async move {
        loop {
            if let Ok(Some(item)) = timeout(quiet, current.next()).await {
                return Some((item, (current, begin)));
            }
            current = begin();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::SeqCst},
        },
    };
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_is_begun_anew() {
        let begun = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&begun);
        let begin = move || {
            let number = count.fetch_add(1, SeqCst);
            let items = stream::iter([number]).chain(stream::once(async move {
                sleep(Duration::from_secs(100)).await;
                number
            }));
            items.chain(stream::pending()).boxed()
        };
        let mut items = pin!(relisting(begin, Duration::from_secs(150)));
        let started = Instant::now();
        for (item, seconds) in [(0, 0), (0, 100), (1, 250), (1, 350), (2, 500)] {
            assert_eq!(items.next().await, Some(item));
            assert_eq!(started.elapsed().as_secs(), seconds);
        }
        assert_eq!(begun.load(SeqCst), 3);
    }
}
