//! A request that has no cached answer: it is tried again while that may help, and ends in time.

use std::{net::SocketAddr, time::Duration};

use axum::body::Bytes;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Agent;
use crate::{
    bearer_token::BearerToken,
    hold::{Attempts, Holder},
    refusal::Refusal,
};

/// How long a request may take. The SDKs for Ruby, C++, PHP and JavaScript give up after 1 s; clients
/// that do not retry get what AWS answers within this time.
const DEADLINE: Duration = Duration::from_millis(900);

impl Agent {
    /// The body for a request with `token` from `peer`.
    ///
    /// # Errors
    /// If the request is refused; the refusal says why and how to fix it.
    pub async fn credentials(
        &self,
        token: &BearerToken,
        peer: Option<SocketAddr>,
    ) -> Result<Bytes, Refusal> {
        let begun = Instant::now();
        let deadline = begun + DEADLINE;
        let mut attempts = Attempts::new(begun, self.options.hold);
        let mut hold = None;
        loop {
            let (refusal, pod_uid) = match self.attempt(token, peer, deadline).await {
                Ok(body) => return Ok(body),
                Err(refused) => refused,
            };
            let again = if refusal.is_final() { None } else { attempts.next(Instant::now()) };
            let Some(again) = again.filter(|again| *again < deadline) else { return Err(refusal) };
            hold =
                hold.or_else(|| self.holds.take(Holder::of(pod_uid, peer.map(|peer| peer.ip()))));
            if hold.is_none() {
                return Err(refusal);
            }
            sleep_until(again).await;
        }
    }

    /// One attempt to serve a request. An error comes with the pod's UID, if the token was valid.
    async fn attempt(
        &self,
        token: &BearerToken,
        peer: Option<SocketAddr>,
        deadline: Instant,
    ) -> Result<Bytes, (Refusal, Option<String>)> {
        let verified = self.verifier.verify(token, self.clock.now());
        let verified = timeout_at(deadline, verified).await;
        let verified = verified.map_err(|_| (Refusal::StillFetching, None))?;
        let verdict = verified.map_err(|error| (error.into(), None))?;
        let caller = &verdict.caller;
        let served = timeout_at(deadline, self.serve(&verdict, token, peer)).await;
        let served = served.unwrap_or_else(|_| Err(self.too_slow()));
        if let Some(notices) = &self.options.notices {
            match &served {
                Ok(_) => notices.served(&caller.pod_uid),
                Err(refusal) => notices.refused(caller, refusal, self.clock.now()),
            }
        }
        served.map_err(|refusal| (refusal, Some(caller.pod_uid.clone())))
    }

    /// The refusal of a request that takes too long.
    fn too_slow(&self) -> Refusal {
        self.cache.outage().map_or(Refusal::StillFetching, Refusal::Outage)
    }
}
