//! Whether the API server lets the agent read what it needs.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{AcqRel, Release},
        },
    },
    time::Duration,
};

use kube::Api;
use podrole_runtime::{
    error_text::one_line,
    health::{Gate, Health},
};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use crate::resolve::LookupError;

/// Before a refused request is made again.
const RETRY: Duration = Duration::from_secs(5);

/// The agent's right to one kind of request. While it is refused, the agent is not ready, for a reason that only the
/// cluster's administrator can remove.
#[derive(Clone)]
pub(super) struct Access {
    gate: Gate,
    is_retried: Arc<AtomicBool>,
}

impl Access {
    /// The right to `what`, which `/readyz` names while it is refused.
    pub(super) fn to(what: &'static str, health: &Health) -> Self {
        let gate = health.gate(what);
        gate.open();
        Self { gate, is_retried: Arc::default() }
    }

    /// The API server answered with an object.
    pub(super) fn is_given(&self) {
        self.gate.open();
    }

    /// The API server answered with this status; 401 and 403 refuse the agent, whatever the object.
    pub(super) fn is_refused(&self, code: u16, error: &str) -> bool {
        let refused = [401, 403].contains(&code);
        if refused {
            if self.gate.is_open() {
                tracing::error!(error, "the API server refuses the agent; check its ClusterRole");
            }
            self.gate.close();
        }
        refused
    }

    /// Gets an object, or `None` if there is none of this name.
    pub(super) async fn get<K>(&self, api: &Api<K>, name: &str) -> Result<Option<K>, LookupError>
    where
        K: Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let (api, name) = (api.clone(), name.to_owned());
        let request = move || {
            let (api, name) = (api.clone(), name.clone());
            async move { api.get_opt(&name).await }
        };
        self.ask(request).await
    }

    /// Makes a request, and makes it again until it is not refused: nothing else may ask for long, and the agent is to be
    /// ready as soon as it has its right back.
    pub(super) async fn ask<T, F>(
        &self,
        request: impl Fn() -> F + Send + 'static,
    ) -> Result<T, LookupError>
    where
        T: Send,
        F: Future<Output = Result<T, kube::Error>> + Send,
    {
        let answer = self.check(request().await);
        if matches!(answer, Err(LookupError::Forbidden(_))) && !self.is_retried.swap(true, AcqRel) {
            let access = self.clone();
            tokio::spawn(async move {
                while !access.gate.is_open() {
                    sleep(RETRY).await;
                    // A request that hangs must not end the retries.
                    if let Ok(answer) = timeout(RETRY, request()).await {
                        let _ = access.check(answer);
                    }
                }
                access.is_retried.store(false, Release);
            });
        }
        answer
    }

    /// Notes the API server's answer, and returns its error as a look-up's.
    fn check<T>(&self, result: Result<T, kube::Error>) -> Result<T, LookupError> {
        match result {
            Ok(value) => {
                self.is_given();
                Ok(value)
            }
            Err(error) => {
                let text = one_line(&error);
                Err(match error {
                    kube::Error::Api(status) if self.is_refused(status.code, &text) => {
                        LookupError::Forbidden(text)
                    }
                    kube::Error::Api(_) => LookupError::Failed(text),
                    _ => LookupError::Unreachable(text),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;
    use std::sync::atomic::{AtomicU16, Ordering::SeqCst};

    fn answer(code: u16) -> Result<(), kube::Error> {
        let status = Status { code, ..Status::failure("no", "no") };
        if code == 200 { Ok(()) } else { Err(kube::Error::Api(status.boxed())) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_request_is_made_again_until_it_is_answered() {
        let (health, asked) = (Health::default(), Arc::new(AtomicU16::new(0)));
        let access = Access::to("the right to get pods", &health);
        let count = Arc::clone(&asked);
        let request = move || {
            let code = if count.fetch_add(1, SeqCst) < 3 { 403 } else { 200 };
            std::future::ready(answer(code))
        };
        assert!(access.ask(request.clone()).await.is_err() && access.ask(request).await.is_err());
        assert!(!health.pending().is_empty());
        sleep(RETRY * 3).await;
        assert!(health.pending().is_empty());
        assert_eq!(asked.load(SeqCst), 4, "one task makes it again, until it is answered");
    }

    #[test]
    fn an_agent_that_is_refused_is_not_ready_until_it_is_answered() {
        let health = Health::default();
        let access = Access::to("the right to get pods", &health);
        for (code, ready) in [(200, true), (403, false), (500, false), (200, true), (401, false)] {
            let failed = access.check(answer(code)).err();
            assert_eq!(health.pending().is_empty(), ready, "{code}");
            let forbidden = matches!(failed, Some(LookupError::Forbidden(_)));
            assert_eq!(forbidden, [401, 403].contains(&code), "{code}");
        }
    }
}
