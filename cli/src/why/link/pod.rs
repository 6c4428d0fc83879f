//! Link 1: the pod itself.

use jiff::{SignedDuration, Timestamp};
use podrole_identity::is_mirror;

use crate::{
    report::{Code, Finding},
    why::{case::Case, object::Object, resource::Resource},
};

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let subject = case.subject;
    let pod = match &subject.pod {
        Err(missing) => return vec![missing.finding()],
        Ok(None) => {
            return vec![Finding::ok(match subject.workload_name() {
                Some(workload) => format!("{workload} has no pod; its template is examined"),
                None => format!("no pod runs as ServiceAccount {}", subject.service_account),
            })];
        }
        Ok(Some(pod)) => pod,
    };
    let shown = format!("pod {}/{}", case.namespace(), pod.name());
    if is_mirror(&pod.annotations()) {
        let message =
            format!("{shown} is a static pod; no webhook sees it; give it credentials on the node");
        return vec![
            Finding::error(Code(44), message)
                .is(format!("a copy of a file on node {}", node(pod).unwrap_or("unknown")))
                .should_be(
                    "a pod of a DaemonSet or Deployment, or one with credentials of its node",
                )
                .fix("move it from the node's manifests folder into a DaemonSet, and apply that"),
        ];
    }
    if let Some(finding) = created_again(case, pod) {
        return vec![finding];
    }
    let phase = pod.text("/status/phase").unwrap_or("created");
    let place = match node(pod) {
        Some(node) => format!("{phase} on {node}"),
        None => format!("{phase}, on no node yet"),
    };
    let age = pod.created().map_or_else(String::new, |at| format!(" for {}", age(at, case.now)));
    let account = &subject.service_account;
    vec![Finding::ok(format!("{place}{age} as ServiceAccount {account}"))]
}

/// Tokens are bound to the UID of the ServiceAccount, and a pod cannot be created before it.
fn created_again(case: &Case<'_>, pod: &Object) -> Option<Finding> {
    let account = &case.subject.service_account;
    let found = case.world.find(Resource::ServiceAccount, account.namespace(), account.name());
    let (made, created) = (found.ok()??.created()?, pod.created()?);
    let restart = case.subject.restart_words();
    (made > created).then(|| {
        Finding::error(
            Code(39),
            format!(
                "ServiceAccount {account} was created again after pod {}; {restart}",
                pod.name()
            ),
        )
        .is(format!("the pod is of {created}, the ServiceAccount of {made}"))
        .should_be("a pod whose token is of the ServiceAccount that exists")
        .fix(case.subject.restart())
    })
}

fn node(pod: &Object) -> Option<&str> {
    pod.text("/spec/nodeName")
}

/// `3 h`, in the largest unit of which there is one.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).max(SignedDuration::ZERO).as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
