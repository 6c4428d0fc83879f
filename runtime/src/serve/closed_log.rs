//! Logs the connections that are closed for others: one line a minute for each client, with their
//! number. An attack closes thousands.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::peer_key::PeerKey;

/// The time between two lines about the same client.
const BETWEEN_LINES: Duration = Duration::from_secs(60);
/// How many clients are remembered.
const MAX_REMEMBERED: usize = 4096;

/// Counts closed connections by client.
#[derive(Default)]
pub(super) struct ClosedLog(HashMap<PeerKey, Closed>);

struct Closed {
    line: Option<Instant>,
    /// Since the last line.
    count: u64,
}

impl ClosedLog {
    /// A connection of `peer` was closed for a new one. If a line is due, returns how many
    /// were closed since the last one.
    pub(super) fn count(&mut self, peer: PeerKey, now: Instant) -> Option<u64> {
        let is_due = |closed: &Closed| {
            closed.line.is_none_or(|line| now.saturating_duration_since(line) >= BETWEEN_LINES)
        };
        if self.0.len() >= MAX_REMEMBERED && !self.0.contains_key(&peer) {
            self.0.retain(|_, closed| !is_due(closed));
            if self.0.len() >= MAX_REMEMBERED {
                // So many clients at once are an attack that the lines before have shown.
                return None;
            }
        }
        let closed = self.0.entry(peer).or_insert(Closed { line: None, count: 0 });
        closed.count += 1;
        is_due(closed).then(|| {
            closed.line = Some(now);
            std::mem::take(&mut closed.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> PeerKey {
        PeerKey::Address(std::net::Ipv4Addr::from(number).into())
    }

    #[test]
    fn each_client_has_one_line_a_minute_with_the_number_of_its_connections() {
        let (mut log, now) = (ClosedLog::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(log.count(peer(1), at(0)), Some(1));
        assert_eq!(log.count(peer(2), at(1)), Some(1));
        assert_eq!([log.count(peer(1), at(2)), log.count(peer(1), at(60))], [None, Some(2)]);
    }

    #[test]
    fn it_remembers_a_limited_number_of_clients() {
        let (mut log, now) = (ClosedLog::default(), Instant::now());
        let lines = (0..5000).filter(|number| log.count(peer(*number), now).is_some()).count();
        assert_eq!((lines, log.0.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        let later = now + BETWEEN_LINES;
        assert_eq!((log.count(peer(5000), later), log.0.len()), (Some(1), 1));
    }
}
