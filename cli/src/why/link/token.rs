//! Link 8: the token. Without one to verify, what the pod asks for.

use crate::{report::Finding, why::case::Case};

/// How a token is checked.
const CHECK: &str = "--token FILE checks one";

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let provider = case.decided.as_ref().ok().and_then(|it| it.binding.provider);
    let volume = provider.map(|provider| &case.settings.webhook.volume(provider).name);
    let asked = case.subject.stored().zip(volume).and_then(|(pod, name)| {
        let volume = pod.list("/spec/volumes").find(|it| it["name"] == name.as_str())?;
        let mut sources = volume["projected"]["sources"].as_array()?.iter();
        let token = sources.find_map(|it| it.get("serviceAccountToken"))?;
        let audience = token["audience"].as_str()?;
        let hours = token["expirationSeconds"].as_i64()? as f64 / 3600.0;
        Some(format!("asks for audience {audience}, {} h ({CHECK})", (hours * 10.0).round() / 10.0))
    });
    vec![Finding::skipped(asked.unwrap_or_else(|| CHECK.to_owned()))]
}
