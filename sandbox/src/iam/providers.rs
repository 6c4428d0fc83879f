//! OIDC providers: made, read, changed, deleted.

use std::ops::RangeInclusive;

use http::Uri;
use podrole_identity::Audience;
use serde::Serialize;

use super::{
    answer::{self, Document, Members},
    change::Change,
    context::{Desk, Done},
    fault::IamFault,
    input::{Input, check_length, invalid},
    tags::{self, TagXml},
};
use crate::accounts::Provider;

const URL: RangeInclusive<usize> = 1..=255;
const CLIENT_ID: RangeInclusive<usize> = 1..=255;
const MOST_PROVIDERS: usize = 100;
const MOST_CLIENT_IDS: usize = 100;
const MOST_THUMBPRINTS: usize = 5;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Created<'a> {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Members<TagXml<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct One<'a> {
    /// Without its scheme, as IAM gives it back.
    url: &'a str,
    #[serde(rename = "ClientIDList")]
    client_ids: Members<&'a str>,
    thumbprint_list: Members<&'a str>,
    create_date: String,
    tags: Members<TagXml<'a>>,
}

#[derive(Serialize)]
struct Many {
    #[serde(rename = "OpenIDConnectProviderList")]
    providers: Members<Listed>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    arn: String,
}

pub(super) fn create(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let url = input.sized("Url", &URL)?;
    check_url(url)?;
    let client_ids = input.list("ClientIDList").into_iter().map(client_id);
    let client_ids: Vec<Audience> = client_ids.collect::<Result<_, _>>()?;
    check_client_ids(&client_ids)?;
    let mut provider = Provider::new(url, client_ids);
    provider.thumbprints = thumbprints(input)?;
    provider.tags = tags::read(input)?;
    provider.created = desk.now;
    let account = desk.caller.account.as_str();
    if desk.accounts.providers(account).any(|one| one.issuer() == provider.issuer()) {
        return Err(IamFault::ProviderExists(url.to_owned()));
    }
    if desk.accounts.providers(account).count() >= MOST_PROVIDERS {
        return Err(IamFault::Limit {
            quota: "OpenIdConnectProvidersPerAccount",
            most: MOST_PROVIDERS,
        });
    }
    let arn = provider.arn(&desk.caller.partition, account);
    let tags = (!provider.tags.is_empty()).then(|| tags::xml(&provider.tags));
    let document = desk.result(&Created { arn: &arn, tags });
    let id = account.parse().map_err(|_| IamFault::Input("the account is none".to_owned()))?;
    desk.accounts.put_provider(&id, provider);
    Ok(Done::changed(document, change(desk, url.to_owned())))
}

pub(super) fn get(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let url = named(desk, input)?;
    let provider = desk.accounts.provider(&desk.caller.account, &url);
    let provider = provider.ok_or_else(|| missing(input))?;
    Ok(desk
        .result(&One {
            url: provider.issuer(),
            client_ids: Members::of(provider.client_ids.iter().map(Audience::as_str)),
            thumbprint_list: Members::of(provider.thumbprints.iter().map(String::as_str)),
            create_date: answer::time(provider.created),
            tags: tags::xml(&provider.tags),
        })
        .into())
}

pub(super) fn list(desk: &mut Desk<'_>, _: &Input<'_>) -> Result<Done, IamFault> {
    let (partition, account) = (&desk.caller.partition, &desk.caller.account);
    let providers = desk.accounts.providers(account);
    let providers = providers.map(|one| Listed { arn: one.arn(partition, account) });
    Ok(desk.result(&Many { providers: Members::of(providers) }).into())
}

/// Deleting what is not there is refused, as in IAM.
pub(super) fn delete(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let url = named(desk, input)?;
    desk.accounts.remove_provider(&desk.caller.account, &url);
    Ok(Done::changed(Document::empty(), change(desk, url)))
}

/// A client ID that is there already is no error.
pub(super) fn add_client_id(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let id = client_id(input.sized("ClientID", &CLIENT_ID)?)?;
    edit(desk, input, |provider| {
        let mut ids = provider.client_ids.clone();
        if !ids.contains(&id) {
            ids.push(id);
        }
        check_client_ids(&ids)?;
        provider.client_ids = ids;
        Ok(())
    })
}

/// A client ID that is not there is no error.
pub(super) fn remove_client_id(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let id = input.sized("ClientID", &CLIENT_ID)?;
    edit(desk, input, |provider| {
        provider.client_ids.retain(|one| one.as_str() != id);
        Ok(())
    })
}

pub(super) fn update_thumbprint(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let thumbprints = thumbprints(input)?;
    edit(desk, input, |provider| {
        provider.thumbprints = thumbprints;
        Ok(())
    })
}

pub(super) fn tag(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let new = tags::read(input)?;
    edit(desk, input, |provider| tags::merge(&mut provider.tags, &new))
}

pub(super) fn untag(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    edit(desk, input, |provider| {
        tags::remove(&mut provider.tags, input);
        Ok(())
    })
}

/// Changes the provider that the call names.
fn edit(
    desk: &mut Desk<'_>,
    input: &Input<'_>,
    edit: impl FnOnce(&mut Provider) -> Result<(), IamFault>,
) -> Result<Done, IamFault> {
    let url = named(desk, input)?;
    let provider = desk.accounts.provider_mut(&desk.caller.account, &url);
    edit(provider.ok_or_else(|| missing(input))?)?;
    Ok(Done::changed(Document::empty(), change(desk, url)))
}

/// The URL of the provider whose ARN the call gives.
fn named(desk: &Desk<'_>, input: &Input<'_>) -> Result<String, IamFault> {
    let arn = input.provider_arn()?;
    if !arn.starts_with("arn:") || !arn.contains(":oidc-provider/") {
        return Err(invalid("OpenIDConnectProviderArn", "it is no ARN of an OIDC provider"));
    }
    let (partition, account) = (&desk.caller.partition, &desk.caller.account);
    let mut providers = desk.accounts.providers(account);
    let provider = providers.find(|one| one.arn(partition, account) == arn);
    provider.map(|one| one.url.clone()).ok_or_else(|| missing(input))
}

fn missing(input: &Input<'_>) -> IamFault {
    let arn = input.get("OpenIDConnectProviderArn").unwrap_or_default();
    IamFault::NoProvider(arn.to_owned())
}

fn change(desk: &Desk<'_>, url: String) -> Change {
    Change::Provider { account: desk.caller.account.clone(), url }
}

/// IAM registers https, without a port, a query or a fragment.
fn check_url(url: &str) -> Result<(), IamFault> {
    let refused =
        |why: &str| Err(IamFault::Input(format!("Invalid Open ID Connect Provider URL: {why}")));
    let Some(rest) = url.strip_prefix("https://") else {
        return refused("it must begin with https://");
    };
    match url.parse::<Uri>() {
        Ok(uri) if uri.port().is_some() => refused("it must not have a port"),
        Ok(uri) if uri.query().is_some() || url.contains('#') => {
            refused("it must not have a query")
        }
        Ok(_) if rest.contains('@') || url.ends_with('/') => {
            refused("it must be host and path alone")
        }
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        _ => refused("it has no host"),
    }
}

fn client_id(text: &str) -> Result<Audience, IamFault> {
    check_length("ClientID", text, &CLIENT_ID)?;
    text.parse().map_err(|_| invalid("ClientID", "it is no client ID"))
}

fn check_client_ids(ids: &[Audience]) -> Result<(), IamFault> {
    let most = MOST_CLIENT_IDS;
    let fits = ids.len() <= most;
    fits.then_some(()).ok_or(IamFault::Limit { quota: "ClientIdsPerOpenIdConnectProvider", most })
}

fn thumbprints(input: &Input<'_>) -> Result<Vec<String>, IamFault> {
    let list = input.list("ThumbprintList");
    if list.len() > MOST_THUMBPRINTS {
        let most = MOST_THUMBPRINTS;
        return Err(IamFault::Limit { quota: "ThumbprintsPerOpenIdConnectProvider", most });
    }
    let hash = |text: &&str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !list.iter().all(hash) {
        return Err(invalid("ThumbprintList", "each is a SHA-1 of 40 hexadecimal digits"));
    }
    Ok(list.into_iter().map(str::to_owned).collect())
}
