//! What is done for a pod when it is first seen on the node: its credentials are fetched before it
//! asks, or its owner is told that it was given no way to ask.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use podrole_identity::{Exchange as Kind, Facts, Sources};
use tokio::{sync::mpsc, time::sleep};

use super::Agent;
use crate::{
    keep::Presented,
    node::{Seen, Way, was_missed},
    resolve::ResolveError,
    token::Caller,
};

/// Between two pods, so that an agent that starts does not weigh on the cluster and on AWS.
const PAUSE: Duration = Duration::from_millis(50);
/// While the cluster cannot say what must be known of a pod.
const AWAY: Duration = Duration::from_secs(5);
/// A cluster that does not know a pod's namespace so often never will.
const TRIES: usize = 60;

impl Agent {
    /// Greets the pods that come, one after the other, until no more come.
    pub async fn greet_all(&self, mut newcomers: mpsc::UnboundedReceiver<Seen>) {
        while let Some(pod) = newcomers.recv().await {
            for _ in 0..TRIES {
                match self.greet(&pod).await {
                    Err(error) if error.status() == 503 => sleep(AWAY).await,
                    _ => break,
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Does what can be done for a new pod.
    ///
    /// # Errors
    /// When it is not known what; 503 says that it may be known later.
    pub async fn greet(&self, pod: &Seen) -> Result<(), ResolveError> {
        match pod.way {
            Way::Agent if self.exchange.kind() == Kind::AssumeRole => self.warm_up(pod).await,
            Way::None => self.tell_if_missed(pod).await,
            Way::Agent | Way::Own => Ok(()),
        }
    }

    /// Fetches what the pod will ask for. It gets nothing of it before it has shown its token:
    /// what is fetched lies where only a verified request of this pod finds it.
    async fn warm_up(&self, pod: &Seen) -> Result<(), ResolveError> {
        let Some(facts) = self.service_accounts.find(&pod.service_account).await? else {
            return Ok(());
        };
        let expected = Arc::new(Caller {
            service_account: pod.service_account.clone(),
            service_account_uid: facts.uid.clone(),
            pod_name: pod.name.clone(),
            pod_uid: pod.uid.clone(),
            node: None,
            issuer: self.verifier.issuer(),
            audiences: vec![self.exchange.kind().audience().to_string()],
            listed_audience: true,
            expires: Timestamp::MAX,
        });
        let (decision, _, version) = self.decide(&expected).await?;
        let key = self.key(&expected, decision);
        let nobody = Presented { token: "", hash: Default::default(), caller: &expected, version };
        // A refusal is remembered for the pod that will ask, and logged where it was made.
        let _ = self.keep.get(&key, nobody).await;
        Ok(())
    }

    async fn tell_if_missed(&self, pod: &Seen) -> Result<(), ResolveError> {
        let account = &pod.service_account;
        // Most pods of a node end here.
        let namespace = self.extras.namespaces.find(&account.namespace().to_owned()).await?;
        let Some(namespace) = namespace.filter(|it| it.injection.is_some()) else {
            return Ok(());
        };
        let Some(facts) = self.service_accounts.find(account).await? else {
            return Ok(());
        };
        let list = self.extras.associations.current().ok_or(ResolveError::NoList)?;
        let sources = Sources {
            association: None,
            listed: list.find(account),
            annotations: &facts.annotations,
            role_map: None,
        };
        let known =
            Facts { service_account: account, sources, namespace: &namespace, provider: None };
        if was_missed(&known, &self.extras.sessions.rules) {
            self.metrics.missed_pod();
            tracing::warn!(pod = pod.name, %account, "a pod was made without its identity");
            if let Some(notices) = &self.extras.notices {
                notices.missed(pod);
            }
        }
        Ok(())
    }
}
