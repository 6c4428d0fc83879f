//! Requests in flight: what they hold, and how one is given up.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use hyper::{
    HeaderMap, Uri,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
};
use tokio_util::sync::CancellationToken;

use super::{
    head_clock::HeadClock,
    request_bytes::{RequestBytes, RequestId},
    seating::Seat,
};

/// What a request needs besides its head and its body.
const OVERHEAD_BYTES: usize = 4096;

/// The memory of a request was needed for others.
#[derive(Debug, thiserror::Error)]
#[error("the requests in flight need too much memory; this one was given up")]
pub(super) struct GivenUp;

/// The requests in flight of a listener. Clones share them.
#[derive(Clone)]
pub(super) struct Requests(Arc<Mutex<State>>);

struct State {
    bytes: RequestBytes,
    give_up: HashMap<RequestId, CancellationToken>,
}

/// A request in flight. It ends when its answer is ready and its body is read or dropped.
pub(super) struct InFlight {
    seat: Arc<Seat>,
    whole: AtomicBool,
    answered: AtomicBool,
    /// `None` if it has no body: its head is limited already.
    account: Option<Account>,
    /// What arrives until the request ends is not a head.
    clock: Option<Arc<HeadClock>>,
}

struct Account {
    requests: Requests,
    id: RequestId,
    give_up: CancellationToken,
}

impl Requests {
    /// Allows `limit` bytes in all; 0 means no limit.
    pub(super) fn new(limit: usize) -> Self {
        let state = State { bytes: RequestBytes::new(limit), give_up: HashMap::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A request has begun: its head has arrived.
    pub(super) fn begin(
        &self,
        seat: &Arc<Seat>,
        uri: &Uri,
        headers: &HeaderMap,
        has_body: bool,
        clock: Option<Arc<HeadClock>>,
    ) -> InFlight {
        seat.begin(!has_body);
        let account = has_body.then(|| {
            let served = seat.is_served();
            let (mut state, give_up) = (self.lock(), CancellationToken::new());
            let id = state.bytes.begin(seat.peer, served);
            state.give_up.insert(id, give_up.clone());
            Account { requests: self.clone(), id, give_up }
        });
        let (whole, answered) = (AtomicBool::new(!has_body), AtomicBool::new(false));
        let in_flight = InFlight { seat: Arc::clone(seat), whole, answered, account, clock };
        if has_body {
            in_flight.add(OVERHEAD_BYTES + head_bytes(uri, headers));
        }
        in_flight
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn head_bytes(uri: &Uri, headers: &HeaderMap) -> usize {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let headers = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    target + headers.sum::<usize>()
}

impl InFlight {
    /// More of it has arrived.
    fn add(&self, bytes: usize) {
        let Some(account) = &self.account else { return };
        let mut state = account.requests.lock();
        for id in state.bytes.add(account.id, bytes) {
            if let Some(give_up) = state.give_up.remove(&id) {
                give_up.cancel();
            }
        }
    }

    /// All of it has arrived.
    fn received(&self) {
        if !self.whole.swap(true, Relaxed) {
            self.seat.received();
        }
    }

    /// Completes when the request must be given up for others.
    pub(super) async fn given_up(&self) {
        match &self.account {
            Some(account) => account.give_up.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// It has an answer that not every client gets.
    pub(super) fn answered(&self) {
        self.answered.store(true, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            let mut state = account.requests.lock();
            state.bytes.end(account.id);
            state.give_up.remove(&account.id);
        }
        if let Some(clock) = &self.clock {
            clock.end();
        }
        self.seat.end(self.whole.load(Relaxed), self.answered.load(Relaxed));
    }
}

/// The body of a request, which counts what arrives.
pub struct RequestBody {
    body: Incoming,
    in_flight: Arc<InFlight>,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, in_flight: Arc<InFlight>) -> Self {
        Self { body, in_flight }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.in_flight.add(frame.data_ref().map_or(0, Bytes::len));
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.in_flight.received();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
