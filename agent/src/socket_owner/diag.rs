//! Asks the kernel for a socket by its two addresses (`sock_diag(7)`), which any user may.

use std::{
    ffi::OsStr,
    fs,
    net::{IpAddr, SocketAddr},
};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload, Nla as _};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags, nlas::Nla},
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddr, protocols::NETLINK_SOCK_DIAG};

/// The attribute with the cgroup's number (`INET_DIAG_CGROUP_ID` of linux/inet_diag.h), since Linux 5.9.
const CGROUP_ID: u16 = 21;
/// How many devices a client's socket is looked for on.
const MAX_DEVICES: usize = 63;
/// The kernel's port.
const KERNEL: u32 = 0;
/// Do not wait for an answer: it is there when the question has been sent.
const MSG_DONTWAIT: i32 = 0x40;
/// Enough for one answer.
const ANSWER_BYTES: usize = 4096;

/// The number of the cgroup that the client's socket of a connection to `server` was made in, or
/// `None` if there is no such socket in this network namespace.
pub(super) fn cgroup(client: SocketAddr, server: SocketAddr) -> Option<u64> {
    let id = socket_id(client, server)?;
    // A socket that is bound to a device, which any process may do, is found by that device alone. The devices are
    // listed for such a socket only.
    cgroup_at(&id, 0)
        .or_else(|| devices().take(MAX_DEVICES).find_map(|device| cgroup_at(&id, device)))
}

fn cgroup_at(id: &SocketId, interface_id: u32) -> Option<u64> {
    let id = SocketId { interface_id, ..id.clone() };
    let answer = ask(&id).inspect_err(|error| {
        tracing::debug!(%error, "could not ask the kernel for a client's socket");
    });
    cgroup_of(&answer.ok()?, &id)
}

/// The indexes of the node's network devices, `lo` and the agent's own first: only they lead to the agent's addresses.
fn devices() -> impl Iterator<Item = u32> {
    let listed = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let mut listed: Vec<_> = listed.map(|entry| (rank(&entry.file_name()), entry.path())).collect();
    listed.sort();
    listed
        .into_iter()
        .filter_map(|(_, path)| fs::read_to_string(path.join("ifindex")).ok()?.trim().parse().ok())
}

fn rank(device: &OsStr) -> u8 {
    match device.to_str() {
        Some("lo") => 0,
        Some("podrole0") => 1,
        _ => 2,
    }
}

fn socket_id(client: SocketAddr, server: SocketAddr) -> Option<SocketId> {
    let (source_address, destination_address) =
        (client.ip().to_canonical(), server.ip().to_canonical());
    (source_address.is_ipv4() == destination_address.is_ipv4()).then(|| SocketId {
        source_port: client.port(),
        destination_port: server.port(),
        source_address,
        destination_address,
        interface_id: 0,
        // No cookie (INET_DIAG_NOCOOKIE): the addresses identify the socket.
        cookie: [0xff; 8],
    })
}

fn ask(id: &SocketId) -> std::io::Result<Vec<u8>> {
    let request = SockDiagMessage::InetRequest(InetRequest {
        family: if id.source_address.is_ipv4() { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: id.clone(),
    });
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let mut message = NetlinkMessage::new(header, request.into());
    message.finalize();
    let mut question = vec![0; message.buffer_len()];
    message.serialize(&mut question);
    // One for each question: no answer to an earlier one can be in it.
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&NetlinkAddr::new(KERNEL, 0))?;
    socket.send(&question, 0)?;
    let mut answer = Vec::with_capacity(ANSWER_BYTES);
    socket.recv(&mut answer, MSG_DONTWAIT)?;
    Ok(answer)
}

fn cgroup_of(answer: &[u8], id: &SocketId) -> Option<u64> {
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(answer).ok()?;
    let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) = answer.payload
    else {
        // There is no such socket.
        return None;
    };
    let InetResponse { header, nlas } = *response;
    let found = header.socket_id;
    // If no connection has the addresses, the kernel answers with a listener on the client's port.
    let addresses = |id: &SocketId| -> [(IpAddr, u16); 2] {
        // A socket for IPv6 that is connected to an IPv4 address has mapped ones.
        let canonical = |address: IpAddr| address.to_canonical();
        [
            (canonical(id.source_address), id.source_port),
            (canonical(id.destination_address), id.destination_port),
        ]
    };
    if addresses(&found) != addresses(id) {
        return None;
    }
    nlas.iter().find_map(|nla| match nla {
        Nla::Other(other) if other.kind() == CGROUP_ID => {
            let mut number = [0; 8];
            (other.value_len() == number.len()).then(|| {
                other.emit_value(&mut number);
                u64::from_ne_bytes(number)
            })
        }
        _ => None,
    })
}
