//! `podrole-agent setup`: the node has the addresses that SDKs ask. The one file that speaks netlink.
//!
//! They are on a link of ours where the kernel can make a dummy, else on `lo`. What vanishes is
//! put back; at the end everything stays, since pods ask on while we are replaced.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use futures::TryStreamExt as _;
use rtnetlink::{
    Handle, LinkDummy,
    packet_route::{
        address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
        link::LinkAttribute,
    },
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The link that is ours.
const LINK: &str = "podrole0";
const LOOPBACK: &str = "lo";
/// How soon what vanished is put back.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// The kernel answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// The node's links by name, and which of them has which address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    links: BTreeMap<String, u32>,
    holders: BTreeMap<IpAddr, u32>,
}

/// What is to be done for one address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Todo {
    /// It is there.
    Nothing,
    /// It goes on the link of this index.
    Add(u32),
    /// It is on somebody else's link.
    Taken(String),
}

/// Puts the addresses on the node, and puts them back whenever one is gone, until `shutdown`; or
/// once.
///
/// # Errors
/// When an IPv4 address cannot be had, in one line with the mend. IPv6 that is missing is a log
/// line.
pub async fn keep(
    addresses: &[IpAddr],
    once: bool,
    shutdown: CancellationToken,
) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("netlink: {error}");
    let (connection, handle, _) = rtnetlink::new_connection().map_err(failed)?;
    tokio::spawn(connection);
    let mut first = true;
    while !shutdown.is_cancelled() {
        let done = timeout(PATIENCE, ensure(&handle, addresses, first)).await;
        let done = done.unwrap_or_else(|_| Err("the kernel does not answer".to_owned()));
        match done {
            Err(error) if first => return Err(error),
            Err(error) => tracing::error!(error, "the node's addresses cannot be put back"),
            Ok(()) => {}
        }
        if once {
            break;
        }
        first = false;
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sleep(BETWEEN_LOOKS) => {}
        }
    }
    Ok(())
}

async fn ensure(handle: &Handle, addresses: &[IpAddr], first: bool) -> Result<(), String> {
    let mut seen = look(handle).await?;
    if addresses.iter().any(|address| !seen.holders.contains_key(address))
        && !seen.links.contains_key(LINK)
    {
        make_link(handle, first).await;
        seen = look(handle).await?;
    }
    for address in addresses {
        match todo(&seen, *address) {
            Todo::Nothing => {}
            Todo::Taken(link) => {
                return Err(format!(
                    "{address} is on the link {link} already: another agent is on this node; \
                     remove it (EKS's: eks-pod-identity-agent), or its link"
                ));
            }
            Todo::Add(link) => put(handle, *address, link, first).await?,
        }
    }
    Ok(())
}

/// What to do for an address, from what is seen.
fn todo(seen: &Seen, address: IpAddr) -> Todo {
    let named = |name: &str| seen.links.get(name).copied();
    let ours = [named(LINK), named(LOOPBACK)];
    match (seen.holders.get(&address), ours[0].or(ours[1])) {
        (Some(holder), _) if ours.contains(&Some(*holder)) => Todo::Nothing,
        (Some(holder), _) => {
            let name = seen.links.iter().find(|(_, index)| *index == holder);
            Todo::Taken(name.map_or_else(|| holder.to_string(), |(name, _)| name.clone()))
        }
        (None, Some(link)) => Todo::Add(link),
        // Nothing to put it on: not even a loopback.
        (None, None) => Todo::Taken("that is missing".to_owned()),
    }
}

async fn look(handle: &Handle) -> Result<Seen, String> {
    let failed = |error: rtnetlink::Error| format!("the node's links cannot be read: {error}");
    let mut seen = Seen::default();
    let links: Vec<_> = handle.link().get().execute().try_collect().await.map_err(failed)?;
    for link in links {
        for attribute in link.attributes {
            if let LinkAttribute::IfName(name) = attribute {
                seen.links.insert(name, link.header.index);
            }
        }
    }
    let addresses: Vec<AddressMessage> =
        handle.address().get().execute().try_collect().await.map_err(failed)?;
    for message in addresses {
        for attribute in message.attributes {
            if let AddressAttribute::Address(address) | AddressAttribute::Local(address) = attribute
            {
                seen.holders.insert(address, message.header.index);
            }
        }
    }
    Ok(seen)
}

/// A kernel without dummies has a loopback at least.
async fn make_link(handle: &Handle, first: bool) {
    let made = handle.link().add(LinkDummy::new(LINK).up().build()).execute().await;
    match made {
        Ok(()) => tracing::info!(link = LINK, "made"),
        Err(error) if first => tracing::info!(%error, "no link of our own; lo will do"),
        Err(_) => {}
    }
}

async fn put(handle: &Handle, address: IpAddr, link: u32, first: bool) -> Result<(), String> {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let mut request = handle.address().add(link, address, bits);
    if address.is_ipv6() {
        // Nobody else on this link could have it: no need to ask around first.
        request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
    }
    match request.execute().await {
        Ok(()) => tracing::info!(%address, "the node has this address"),
        Err(error) if address.is_ipv6() => {
            if first {
                tracing::warn!(%address, %error, "this IPv6 address is not to be had");
            }
        }
        Err(error) => {
            return Err(format!(
                "{address} cannot be put on the node: {error}; it takes the capability NET_ADMIN \
                 and the host's network"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
