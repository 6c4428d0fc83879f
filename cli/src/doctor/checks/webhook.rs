//! The webhook's registration.

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use podrole_certs::bundle_expiry;
use podrole_webhook::{
    cluster::configuration,
    conflicts::{self, ConflictKind},
};

use super::super::seen::Read;
use crate::{
    report::{Code, Finding},
    settings::{ClusterSettings, Component},
};

/// The controller replaces a CA long before; later something is wrong with it.
const SOON_DAYS: i64 = 14;

/// Why a check about the webhook is pointless, or the configurations.
fn own<'a>(
    code: Code,
    configurations: &'a Read<Vec<MutatingWebhookConfiguration>>,
    settings: &ClusterSettings,
) -> Result<&'a MutatingWebhookConfiguration, Box<Finding>> {
    if settings.by_policy {
        let finding = Finding::skipped("webhook.mode is policy: there is no webhook").coded(code);
        return Err(Box::new(finding));
    }
    let all = configurations.as_ref();
    let all = all.map_err(|unread| Box::new(Finding::unknown(unread.to_string()).coded(code)))?;
    let name = &settings.webhook_configuration;
    let found = all.iter().find(|it| it.metadata.name.as_deref() == Some(name));
    found.ok_or_else(|| {
        let finding = Finding::skipped("the webhook is not registered (because of PR105)");
        Box::new(finding.coded(code))
    })
}

pub(super) fn registered(
    configurations: &Read<Vec<MutatingWebhookConfiguration>>,
    settings: &ClusterSettings,
) -> Finding {
    let code = Code(105);
    let name = &settings.webhook_configuration;
    if settings.versions.is_empty() && !settings.by_policy {
        return Finding::skipped("podrole was not found (because of PR101)").coded(code);
    }
    match own(code, configurations, settings) {
        Ok(_) => {
            Finding::ok(format!("MutatingWebhookConfiguration {name} is registered")).coded(code)
        }
        Err(_) if configurations.is_ok() && !settings.by_policy => {
            let namespace =
                settings.versions.iter().find(|it| it.component == Component::Controller);
            let namespace = namespace.map_or("podrole", |it| it.namespace.as_str());
            let text =
                format!("there is no MutatingWebhookConfiguration {name}, so no pod is injected");
            Finding::error(code, text)
                .fix(format!("kubectl -n {namespace} logs deployment/podrole-controller"))
        }
        Err(finding) => *finding,
    }
}

pub(super) fn ca_bundle(
    configurations: &Read<Vec<MutatingWebhookConfiguration>>,
    settings: &ClusterSettings,
    now: Timestamp,
) -> Finding {
    let code = Code(106);
    let configuration = match own(code, configurations, settings) {
        Ok(configuration) => configuration,
        Err(finding) => return *finding,
    };
    let fix = "kubectl -n podrole rollout restart deployment/podrole-controller";
    let mut days = i64::MAX;
    for webhook in configuration.webhooks.iter().flatten() {
        let Some(last) = last_end(webhook) else {
            let text = format!("the caBundle of {} is empty or not PEM", webhook.name);
            return Finding::error(code, text).fix(fix);
        };
        days = days.min(last.duration_since(now).as_hours().div_euclid(24));
    }
    match days {
        i64::MAX => Finding::error(code, "the webhook's configuration has no webhooks").fix(fix),
        ..0 => Finding::error(code, format!("the caBundle expired {} days ago", -days)).fix(fix),
        0..SOON_DAYS => {
            Finding::warning(code, format!("the caBundle expires in {days} days")).fix(fix)
        }
        _ => Finding::ok(format!("the caBundle is valid for {days} days")).coded(code),
    }
}

/// When the last certificate of a webhook's caBundle ends.
fn last_end(webhook: &MutatingWebhook) -> Option<Timestamp> {
    let bundle = webhook.client_config.ca_bundle.as_ref()?;
    bundle_expiry(std::str::from_utf8(&bundle.0).ok()?).ok()
}

pub(super) fn endpoints(endpoints: &Read<usize>, settings: &ClusterSettings) -> Finding {
    let code = Code(107);
    let webhook = settings.versions.iter().find(|it| it.component == Component::Webhook);
    let Some(webhook) = webhook else {
        return Finding::skipped("there is no webhook").coded(code);
    };
    let (namespace, name) = (&webhook.namespace, &webhook.name);
    match endpoints {
        Err(unread) => Finding::unknown(unread.to_string()).coded(code),
        Ok(0) => Finding::error(
            code,
            format!(
                "Service {namespace}/{name} has no ready endpoint, so new pods are not injected"
            ),
        )
        .fix(format!("kubectl -n {namespace} describe deployment/{name}")),
        Ok(1) => Finding::ok("the webhook has 1 ready endpoint").coded(code),
        Ok(count) => Finding::ok(format!("the webhook has {count} ready endpoints")).coded(code),
    }
}

pub(super) fn other_injectors(
    configurations: &Read<Vec<MutatingWebhookConfiguration>>,
    settings: &ClusterSettings,
) -> Finding {
    let code = Code(108);
    if let Err(finding) = own(code, configurations, settings) {
        return *finding;
    }
    let all = configurations.as_deref().unwrap_or_default();
    let all: Vec<_> = all.iter().cloned().map(configuration).collect();
    let name = &settings.webhook_configuration;
    let found = conflicts::find(name, &all).unwrap_or_default();
    let Some(first) = found.first() else {
        return Finding::ok("no other webhook injects AWS credentials").coded(code);
    };
    let finding = match first.kind {
        ConflictKind::Podrole => Finding::error(code, first.sentence(name)),
        ConflictKind::Eks => Finding::warning(code, first.sentence(name)),
    };
    finding.object(format!("MutatingWebhookConfiguration {}", first.configuration))
}
