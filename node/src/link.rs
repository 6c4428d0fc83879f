//! `podrole-node setup`: assigns the addresses that SDKs use to the node, over netlink.
//!
//! They are put on a dummy link if the kernel has such links, otherwise on `lo`. An address that is
//! removed is put back. When setup ends the addresses stay, because pods use them while an agent is
//! replaced.

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

/// The agent's link.
const LINK: &str = "podrole0";
const LOOPBACK: &str = "lo";
/// The link of EKS's agent, which it leaves behind with its addresses. While that agent runs it also holds
/// the port, and ours cannot start.
const EKS_LINK: &str = "pod-id-link0";
/// How often the addresses are checked.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// How long to wait for the kernel.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The node's links by name, and the index of the link that has each address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LinkState {
    links: BTreeMap<String, u32>,
    holders: BTreeMap<IpAddr, u32>,
}

/// What to do for one address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LinkAction {
    /// The address is assigned.
    Keep,
    /// Assign it to the link of this index.
    Add(u32),
    /// It is on another program's link of this name.
    Taken(String),
    /// There is no link to assign it to.
    NoLink,
}

/// Why an address cannot be assigned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LinkError {
    /// There is no netlink socket.
    #[error("could not open a netlink socket: {0}")]
    Netlink(std::io::Error),
    /// The kernel did not answer.
    #[error("the kernel did not answer over netlink within 5 s")]
    Timeout,
    /// The links or their addresses cannot be listed.
    #[error("could not read the node's links: {0}")]
    Read(rtnetlink::Error),
    /// Another program has the address.
    #[error(
        "{address} is already on the link {link} of another agent; remove that agent (on EKS: \
         eks-pod-identity-agent), or its link"
    )]
    Taken {
        /// The address.
        address: IpAddr,
        /// The other program's link.
        link: String,
    },
    /// The node has not even a loopback link.
    #[error("{0} cannot be assigned, because the node has no link lo")]
    NoLink(IpAddr),
    /// The kernel refuses.
    #[error(
        "could not assign {address} to the node: {error}; run setup with the capability NET_ADMIN \
         in the host's network"
    )]
    Assign {
        /// The address.
        address: IpAddr,
        /// The kernel's error.
        error: rtnetlink::Error,
    },
}

/// Assigns the addresses to the node, once, or again whenever one is gone until `shutdown`.
///
/// # Errors
/// If an IPv4 address cannot be assigned at first. Later failures, and IPv6 addresses, are logged.
pub(crate) async fn keep(
    addresses: &[IpAddr],
    once: bool,
    shutdown: CancellationToken,
) -> Result<(), LinkError> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(LinkError::Netlink)?;
    tokio::spawn(connection);
    let mut first = true;
    while !shutdown.is_cancelled() {
        let done = timeout(TIMEOUT, ensure(&handle, addresses, first)).await;
        let done = done.unwrap_or(Err(LinkError::Timeout));
        match done {
            Err(error) if first => return Err(error),
            Err(error) => {
                tracing::error!(%error, "could not assign the node's addresses; retrying");
            }
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

async fn ensure(handle: &Handle, addresses: &[IpAddr], first: bool) -> Result<(), LinkError> {
    let mut seen = read_state(handle).await?;
    if addresses.iter().any(|address| !seen.holders.contains_key(address))
        && !seen.links.contains_key(LINK)
    {
        make_link(handle, first).await;
        seen = read_state(handle).await?;
    }
    for address in addresses {
        match action(&seen, *address) {
            LinkAction::Keep => {}
            LinkAction::Taken(link) => return Err(LinkError::Taken { address: *address, link }),
            LinkAction::NoLink => return Err(LinkError::NoLink(*address)),
            LinkAction::Add(link) => assign(handle, *address, link, first).await?,
        }
    }
    Ok(())
}

/// What to do for an address in this state.
fn action(seen: &LinkState, address: IpAddr) -> LinkAction {
    let named = |name: &str| seen.links.get(name).copied();
    let ours = [named(LINK), named(LOOPBACK)];
    match (seen.holders.get(&address), ours[0].or(ours[1])) {
        (Some(holder), _) if ours.contains(&Some(*holder)) || named(EKS_LINK) == Some(*holder) => {
            LinkAction::Keep
        }
        (Some(holder), _) => {
            let name = seen.links.iter().find(|(_, index)| *index == holder);
            LinkAction::Taken(name.map_or_else(|| holder.to_string(), |(name, _)| name.clone()))
        }
        (None, Some(link)) => LinkAction::Add(link),
        (None, None) => LinkAction::NoLink,
    }
}

async fn read_state(handle: &Handle) -> Result<LinkState, LinkError> {
    let failed = LinkError::Read;
    let mut seen = LinkState::default();
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

/// Creates the agent's link. If the kernel has no dummy links, `lo` is used.
async fn make_link(handle: &Handle, first: bool) {
    let made = handle.link().add(LinkDummy::new(LINK).up().build()).execute().await;
    match made {
        Ok(()) => tracing::info!(link = LINK, "link created"),
        Err(error) if first => {
            tracing::info!(%error, link = LINK, "could not create a dummy link; using lo");
        }
        Err(_) => {}
    }
}

async fn assign(handle: &Handle, address: IpAddr, link: u32, first: bool) -> Result<(), LinkError> {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let mut request = handle.address().add(link, address, bits);
    if address.is_ipv6() {
        // No other host is on this link, so duplicate address detection would only delay it.
        request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
    }
    match request.execute().await {
        Ok(()) => tracing::info!(%address, "address assigned"),
        Err(error) if address.is_ipv6() => {
            if first {
                tracing::warn!(%address, %error, "could not assign an IPv6 address; continuing without it");
            }
        }
        Err(error) => {
            return Err(LinkError::Assign { address, error });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
