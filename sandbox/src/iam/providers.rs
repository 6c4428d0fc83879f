//! IAM operations on OIDC providers.

use std::ops::RangeInclusive;

use http::Uri;
use podrole_identity::Audience;
use serde::Serialize;

use super::{
    change::Change,
    context::{IamContext, Outcome},
    error::IamError,
    input::{Input, check_length, invalid},
    tags::{self, TagXml},
    xml::{self, Members, ResultXml},
};
use crate::accounts::Provider;

const URL: RangeInclusive<usize> = 1..=255;
const CLIENT_ID: RangeInclusive<usize> = 1..=255;
const MOST_PROVIDERS: usize = 100;
const MOST_CLIENT_IDS: usize = 100;
const MOST_THUMBPRINTS: usize = 5;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreatedProviderXml<'a> {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Members<TagXml<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProviderXml<'a> {
    /// Without the scheme, as IAM returns it.
    url: &'a str,
    #[serde(rename = "ClientIDList")]
    client_ids: Members<&'a str>,
    thumbprint_list: Members<&'a str>,
    create_date: String,
    tags: Members<TagXml<'a>>,
}

#[derive(Serialize)]
struct ProviderListXml {
    #[serde(rename = "OpenIDConnectProviderList")]
    providers: Members<ProviderArnXml>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProviderArnXml {
    arn: String,
}

pub(super) fn create(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let url = input.sized("Url", &URL)?;
    check_url(url)?;
    let client_ids = input.list("ClientIDList").into_iter().map(client_id);
    let client_ids: Vec<Audience> = client_ids.collect::<Result<_, _>>()?;
    check_client_ids(&client_ids)?;
    let mut provider = Provider::new(url, client_ids);
    provider.thumbprints = thumbprints(input)?;
    provider.tags = tags::read(input)?;
    provider.created = context.now;
    let account = context.caller.account.as_str();
    if context.accounts.providers(account).any(|one| one.issuer() == provider.issuer()) {
        return Err(IamError::ProviderExists(url.to_owned()));
    }
    if context.accounts.providers(account).count() >= MOST_PROVIDERS {
        return Err(IamError::Limit {
            quota: "OpenIdConnectProvidersPerAccount",
            most: MOST_PROVIDERS,
        });
    }
    let arn = provider.arn(&context.caller.partition, account);
    let tags = (!provider.tags.is_empty()).then(|| tags::xml(&provider.tags));
    let document = context.result(&CreatedProviderXml { arn: &arn, tags });
    let id =
        account.parse().map_err(|_| IamError::Input("The account id is invalid".to_owned()))?;
    context.accounts.put_provider(&id, provider);
    Ok(Outcome::changed(document, change(context, url.to_owned())))
}

pub(super) fn get(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let url = named(context, input)?;
    let provider = context.accounts.provider(&context.caller.account, &url);
    let provider = provider.ok_or_else(|| missing(input))?;
    Ok(context
        .result(&ProviderXml {
            url: provider.issuer(),
            client_ids: Members::of(provider.client_ids.iter().map(Audience::as_str)),
            thumbprint_list: Members::of(provider.thumbprints.iter().map(String::as_str)),
            create_date: xml::time(provider.created),
            tags: tags::xml(&provider.tags),
        })
        .into())
}

pub(super) fn list(context: &mut IamContext<'_>, _: &Input<'_>) -> Result<Outcome, IamError> {
    let (partition, account) = (&context.caller.partition, &context.caller.account);
    let providers = context.accounts.providers(account);
    let providers = providers.map(|one| ProviderArnXml { arn: one.arn(partition, account) });
    Ok(context.result(&ProviderListXml { providers: Members::of(providers) }).into())
}

/// Deleting a provider that does not exist is an error, as in IAM.
pub(super) fn delete(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let url = named(context, input)?;
    context.accounts.remove_provider(&context.caller.account, &url);
    Ok(Outcome::changed(ResultXml::empty(), change(context, url)))
}

/// Adding an existing client ID is not an error, as in IAM.
pub(super) fn add_client_id(
    context: &mut IamContext<'_>,
    input: &Input<'_>,
) -> Result<Outcome, IamError> {
    let id = client_id(input.sized("ClientID", &CLIENT_ID)?)?;
    edit(context, input, |provider| {
        let mut ids = provider.client_ids.clone();
        if !ids.contains(&id) {
            ids.push(id);
        }
        check_client_ids(&ids)?;
        provider.client_ids = ids;
        Ok(())
    })
}

/// Removing a client ID that does not exist is not an error, as in IAM.
pub(super) fn remove_client_id(
    context: &mut IamContext<'_>,
    input: &Input<'_>,
) -> Result<Outcome, IamError> {
    let id = input.sized("ClientID", &CLIENT_ID)?;
    edit(context, input, |provider| {
        provider.client_ids.retain(|one| one.as_str() != id);
        Ok(())
    })
}

pub(super) fn update_thumbprint(
    context: &mut IamContext<'_>,
    input: &Input<'_>,
) -> Result<Outcome, IamError> {
    let thumbprints = thumbprints(input)?;
    edit(context, input, |provider| {
        provider.thumbprints = thumbprints;
        Ok(())
    })
}

pub(super) fn tag(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let new = tags::read(input)?;
    edit(context, input, |provider| tags::merge(&mut provider.tags, &new))
}

pub(super) fn untag(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    edit(context, input, |provider| {
        tags::remove(&mut provider.tags, input);
        Ok(())
    })
}

/// Applies a change to the provider that the call names.
fn edit(
    context: &mut IamContext<'_>,
    input: &Input<'_>,
    edit: impl FnOnce(&mut Provider) -> Result<(), IamError>,
) -> Result<Outcome, IamError> {
    let url = named(context, input)?;
    let provider = context.accounts.provider_mut(&context.caller.account, &url);
    edit(provider.ok_or_else(|| missing(input))?)?;
    Ok(Outcome::changed(ResultXml::empty(), change(context, url)))
}

/// The URL of the provider with the ARN in the call.
fn named(context: &IamContext<'_>, input: &Input<'_>) -> Result<String, IamError> {
    let arn = input.provider_arn()?;
    if !arn.starts_with("arn:") || !arn.contains(":oidc-provider/") {
        return Err(invalid(
            "OpenIDConnectProviderArn",
            "Member must be the ARN of an OIDC provider",
        ));
    }
    let (partition, account) = (&context.caller.partition, &context.caller.account);
    let mut providers = context.accounts.providers(account);
    let provider = providers.find(|one| one.arn(partition, account) == arn);
    provider.map(|one| one.url.clone()).ok_or_else(|| missing(input))
}

fn missing(input: &Input<'_>) -> IamError {
    let arn = input.get("OpenIDConnectProviderArn").unwrap_or_default();
    IamError::NoProvider(arn.to_owned())
}

fn change(context: &IamContext<'_>, url: String) -> Change {
    Change::Provider { account: context.caller.account.clone(), url }
}

/// IAM accepts https URLs without port, query and fragment.
fn check_url(url: &str) -> Result<(), IamError> {
    let invalid_url =
        |why: &str| Err(IamError::Input(format!("Invalid Open ID Connect Provider URL: {why}")));
    let Some(rest) = url.strip_prefix("https://") else {
        return invalid_url("it must begin with https://");
    };
    match url.parse::<Uri>() {
        Ok(uri) if uri.port().is_some() => invalid_url("it must not have a port"),
        Ok(uri) if uri.query().is_some() || url.contains('#') => {
            invalid_url("it must not have a query")
        }
        Ok(_) if rest.contains('@') => invalid_url("it must be host and path alone"),
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        _ => invalid_url("it has no host"),
    }
}

fn client_id(text: &str) -> Result<Audience, IamError> {
    check_length("ClientID", text, &CLIENT_ID)?;
    text.parse().map_err(|_| invalid("ClientID", "Member must be a client ID"))
}

fn check_client_ids(ids: &[Audience]) -> Result<(), IamError> {
    let most = MOST_CLIENT_IDS;
    let fits = ids.len() <= most;
    fits.then_some(()).ok_or(IamError::Limit { quota: "ClientIdsPerOpenIdConnectProvider", most })
}

fn thumbprints(input: &Input<'_>) -> Result<Vec<String>, IamError> {
    let list = input.list("ThumbprintList");
    if list.len() > MOST_THUMBPRINTS {
        let most = MOST_THUMBPRINTS;
        return Err(IamError::Limit { quota: "ThumbprintsPerOpenIdConnectProvider", most });
    }
    let hash = |text: &&str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !list.iter().all(hash) {
        return Err(invalid("ThumbprintList", "Member must be 40 hexadecimal digits"));
    }
    Ok(list.into_iter().map(str::to_owned).collect())
}
